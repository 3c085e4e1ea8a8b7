// SPDX-License-Identifier: Apache-2.0
// The demo checks each of its own claims; here: it gets to its end, and leaves nothing but its directory.

import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { execute } from "./support/process.ts";
import { runtimeName } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const skip = runtimeName === "edgerun" ? {} : { skip: "the demo is edgerun's" };
useWorkspace(); // for its comparison of the host before and after

const list = (directory: string): string[] => (existsSync(directory) ? readdirSync(directory) : []);

test("the demo shows grants and refusals, plainly, and does not enrol the host", skip, () => {
  const trusted = list("/etc/edgerun/trust");
  const result = execute("scripts/demo.sh", ["--without-debian"], { timeoutMs: 60_000 });
  assert.equal(result.status, 0, `${result.stdout}${result.stderr}`);
  assert.equal(result.stderr, "");
  for (const mark of ["+ granted", "~ clamped", "- dropped", "! denied"]) {
    assert.ok(result.stdout.includes(mark), `no "${mark}" in:\n${result.stdout}`);
  }
  assert.ok(!result.stdout.includes("\x1b"), "colour without a terminal");
  assert.deepEqual(list("/etc/edgerun/trust"), trusted);
});
