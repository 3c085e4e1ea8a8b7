// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Host } from "../../src/host/functions.ts";
import { findRuntimeDirectory } from "../../src/host/runtime_directory.ts";

const [initial, nested] = ["         0          0 4294967295\n", "         0       1000          1\n"];
const xdg = "XDG_RUNTIME_DIR=/run/user/1000";

for (const [what, uid, env, map, expected] of [
  ["root of the host", 0, [xdg], initial, "/run/edgerun"],
  ["a user", 1000, [xdg], initial, "/run/user/1000/edgerun"],
  ["a user without a session", 1000, [], initial, "/run/edgerun"],
  ["a user with a relative path", 1000, ["XDG_RUNTIME_DIR=run"], initial, "/run/edgerun"],
  ["root of a user namespace", 0, [xdg, "USER=app"], nested, "/run/user/1000/edgerun"],
  ["root of a user namespace who is nobody else", 0, [xdg], nested, "/run/user/1000/edgerun"],
  ["root of a user namespace who says to be root", 0, [xdg, "USER=root"], nested, "/run/edgerun"],
] as const) {
  test(`the runtime directory of ${what}`, () => {
    const host = { readFile: () => map } as unknown as Host;
    const request = { program: "edgerun", argv: [], env, cwd: "/", uid, gid: uid, pid: 1 };
    assert.equal(findRuntimeDirectory(host, request), expected);
  });
}
