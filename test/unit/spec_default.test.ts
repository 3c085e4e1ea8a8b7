// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Json } from "../../src/host/functions.ts";
import { decodeSpec } from "../../src/spec/decode.ts";
import { type DefaultSpecOptions, defaultSpec, printDefaultSpec } from "../../src/spec/default.ts";

const self = { uid: process.getuid!(), gid: process.getgid!() };
const variants: [what: string, options: DefaultSpecOptions, args: string[]][] = [
  ["default", {}, []],
  ["rootless", { rootless: self }, ["--rootless"]],
];

/** runc's list of masked paths grew with its versions; this file's text is that of 1.1. */
function skipReason(): string | false {
  const version = spawnSync("runc", ["--version"], { encoding: "utf8", timeout: 10_000 }).stdout ?? "";
  return version.startsWith("runc version 1.1.") ? false : "runc 1.1 is not installed";
}

for (const [what, options, args] of variants) {
  test(`the ${what} spec is that of runc`, { skip: skipReason() }, () => {
    const directory = mkdtempSync(join(tmpdir(), "edgerun-spec-"));
    try {
      execFileSync("runc", ["spec", ...args], { cwd: directory, timeout: 10_000 });
      const theirs = readFileSync(join(directory, "config.json"), "utf8");
      const cgroupNamespace = existsSync("/sys/fs/cgroup/cgroup.controllers");
      const ours = printDefaultSpec({ ...options, cgroupNamespace });
      assert.equal(ours, theirs.replace('"ociVersion": "1.0.2-dev"', '"ociVersion": "1.3.0"'));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test(`the ${what} spec keeps every rule`, () => {
    const { spec, warnings } = decodeSpec(JSON.parse(printDefaultSpec(options)) as Json);
    assert.deepEqual(warnings, []);
    assert.deepEqual(spec, defaultSpec(options));
  });
}

test("a cgroup namespace is there where wanted", () => {
  const types = defaultSpec({ cgroupNamespace: true }).linux!.namespaces!.map(({ type }) => type);
  assert.deepEqual(types, ["pid", "network", "ipc", "uts", "mount", "cgroup"]);
});
