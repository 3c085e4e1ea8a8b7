// SPDX-License-Identifier: Apache-2.0
// The command is killed at any point: `delete --force` must succeed, and leave nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { sleep } from "./support/process.ts";
import { lacking } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
// Known of runc and crun: between the cgroup and the state file there is no record of what was made.
const knownGap = lacking({ runc: "1.1 leaks its cgroups and its init", crun: "1.8 leaks its cgroups" });
const rounds = 30;

/** Kills `create` after `delayMs`; true if it had not ended by itself before. */
async function killDuring(args: readonly string[], delayMs: number): Promise<boolean> {
  const running = ws.launchRuntime(args);
  sleep(delayMs);
  running.child.kill("SIGKILL");
  return (await running.end()).signal === "SIGKILL";
}

test("create that is killed at any point is undone by delete --force", knownGap, async () => {
  // From before it does anything to after it is done, on a fast and on a slow machine.
  let killed = 0;
  for (let round = 0; round < rounds; round++) {
    const c = ws.bundle();
    if (await killDuring(["create", "--bundle", c.directory, c.id], (round * 20) / rounds)) killed++;
    assert.equal(c.call("delete", "--force", c.id).status, 0, `after ${(round * 20) / rounds} ms`);
  }
  assert.ok(killed > 0, "at least one was killed on its way");
  ws.assertHostUnchanged();
});

test("delete that is killed at any point can be repeated", async () => {
  for (let round = 0; round < 10; round++) {
    const c = ws.running();
    await killDuring(["delete", "--force", c.id], round);
    assert.equal(c.call("delete", "--force", c.id).status, 0);
  }
  ws.assertHostUnchanged();
});

test("start that is killed at any point leaves a container that can be deleted", async () => {
  for (let round = 0; round < 10; round++) {
    const c = ws.created();
    await killDuring(["start", c.id], round);
    assert.equal(c.call("delete", "--force", c.id).status, 0);
  }
  ws.assertHostUnchanged();
});

test("exec that is killed leaves the container running", async () => {
  const c = ws.running();
  for (let round = 0; round < 10; round++) await killDuring(["exec", c.id, "true"], round);
  assert.equal(c.status(), "running");
  assert.equal(c.exec(["true"]).status, 0);
});

test(
  "of ten creates of one id, at a time, exactly one wins",
  lacking({ runc: "has no lock", crun: "has no lock" }),
  async () => {
    const c = ws.script("sleep 1000");
    const all = Array.from({ length: 10 }, () => ws.launchRuntime(["create", "--bundle", c.directory, c.id]));
    const results = await Promise.all(all.map((running) => running.end()));
    assert.equal(results.filter((result) => result.status === 0).length, 1);
    assert.equal(c.status(), "created");
  },
);

test("delete while another deletes is no error for either by force", async () => {
  const c = ws.running();
  const both = [0, 1].map(() => ws.launchRuntime(["delete", "--force", c.id]));
  await Promise.all(both.map((running) => running.end()));
  assert.equal(c.call("delete", "--force", c.id).status, 0);
  ws.assertHostUnchanged();
});

test("a state that names a process of another life is stopped, and never signalled", () => {
  // The pid is alive and is ours, but did not start when the state says: as after a reboot.
  const c = ws.created();
  const { pid } = c;
  c.stop();
  assert.equal(c.state().pid, 0);
  assert.notEqual(pid, 0);
  c.succeed("delete", c.id);
});
