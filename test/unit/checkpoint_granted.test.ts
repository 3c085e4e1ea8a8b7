// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { requireStillGranted } from "../../src/checkpoint/granted.ts";
import { lastErrors } from "../../src/checkpoint/log.ts";
import type { Spec } from "../../src/spec/config.ts";
import { decodeSpec } from "../../src/spec/decode.ts";
import { printDefaultSpec } from "../../src/spec/default.ts";

function spec(change: (config: Spec) => void = () => {}): Spec {
  const config = decodeSpec(JSON.parse(printDefaultSpec())).spec;
  change(config);
  return config;
}

const describe = (was: Spec) => ({ spec: was, mounts: [], nullStdio: [] });

test("the same spec is still granted; what a restore applies anew may differ", () => {
  requireStillGranted(describe(spec()), spec());
  requireStillGranted(
    describe(
      spec((config) => {
        config.linux!.namespaces!.push({ type: "time" });
      }),
    ),
    spec((config) => {
      config.root.path = "/elsewhere";
      config.annotations = { a: "b" };
      config.linux!.cgroupsPath = "/elsewhere";
      config.linux!.resources = { pids: { limit: 7n } };
      config.mounts![0]!.source = "other";
      config.process.terminal = false;
    }),
  );
});

const differences: [string, (config: Spec) => void, string][] = [
  [
    "a capability",
    (config) => config.process.capabilities!.bounding!.push("CAP_SYS_ADMIN"),
    "$.process.capabilities.bounding[3]",
  ],
  ["an id", (config) => Object.assign(config.process.user, { uid: 1 }), "$.process.user.uid"],
  ["no_new_privs", (config) => Object.assign(config.process, { noNewPrivileges: false }), "$.process.noNewPrivileges"],
  ["a limit", (config) => Object.assign(config.process.rlimits![0]!, { hard: 9999n }), "$.process.rlimits[0].hard"],
  ["a writable root", (config) => Object.assign(config.root, { readonly: false }), "$.root.readonly"],
  ["a mount", (config) => config.mounts!.push({ destination: "/x", type: "bind", source: "/y" }), "$.mounts[7]"],
  ["options of a mount", (config) => Object.assign(config.mounts!.at(-1)!, { options: ["rw"] }), "$.mounts[6].options"],
  ["a mask less", (config) => config.linux!.maskedPaths!.pop(), "$.linux.maskedPaths"],
  ["a namespace less", (config) => config.linux!.namespaces!.pop(), "$.linux.namespaces"],
  ["a filter less", (config) => Object.assign(config.linux!, { seccomp: undefined }), "$.linux.seccomp"],
];
for (const [what, change, path] of differences) {
  test(`not granted any more: ${what}`, () => {
    const granted = spec((config) => Object.assign(config.linux!, { seccomp: { defaultAction: "SCMP_ACT_ERRNO" } }));
    const was = spec((config) => Object.assign(config.linux!, { seccomp: { defaultAction: "SCMP_ACT_ERRNO" } }));
    change(was);
    assert.throws(
      () => requireStillGranted(describe(was), granted),
      (error: Error) => error.message.includes(` ${path}`) && (error as Error & { code: string }).code === "DENIED",
    );
  });
}

test("images that say nothing are not granted", () => {
  assert.throws(() => requireStillGranted(null, spec()), /no edgerun\.json/);
});

test("the log's last errors, in order", () => {
  const line = (text: string, number: number) => `(00.0${number}) ${text}\n`;
  const log = [
    line("Error (criu/a.c:1): first", 1),
    line("Warn  (criu/a.c:2): no Error", 2),
    ...[3, 4, 5].map((number) => line(`Error (criu/a.c:${number}): number ${number}`, number)),
  ];
  assert.deepEqual(lastErrors(log.join("")), [
    "Error (criu/a.c:3): number 3",
    "Error (criu/a.c:4): number 4",
    "Error (criu/a.c:5): number 5",
  ]);
  assert.deepEqual(lastErrors(log[0]!), ["Error (criu/a.c:1): first"]);
  assert.deepEqual(lastErrors("Error (a"), ["Error (a"]);
  assert.deepEqual(lastErrors(""), []);
});
