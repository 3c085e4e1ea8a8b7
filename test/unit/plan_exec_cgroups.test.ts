// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseExecCgroups } from "../../src/plan/exec_cgroups.ts";
import type { HostFacts } from "../../src/plan/plan.ts";
import { v1Facts } from "./plan_fixture.ts";

const cgroups = ["/sys/fs/cgroup/cpu,cpuacct/x", "/sys/fs/cgroup/memory/user.slice/x", "/sys/fs/cgroup/systemd/x"];
const choose = (...asked: string[]) => chooseExecCgroups(asked, cgroups, v1Facts());

test("without --cgroup a process joins the container's cgroups", () => {
  assert.deepEqual(choose(), cgroups);
});

test("a path without controllers is below all of them", () => {
  const below = cgroups.map((path) => `${path}/a/b`);
  for (const path of ["a/b", "/a/b", "./a//b/"]) assert.deepEqual(choose(path), below);
  assert.deepEqual(choose("/"), cgroups);
});

test("a path with controllers is below theirs; the last one counts", () => {
  const [cpu, memory, systemd] = cgroups;
  assert.deepEqual(choose("cpu:a"), [`${cpu}/a`, memory, systemd]);
  assert.deepEqual(choose("cpuacct,memory:a", "name=systemd:b"), [`${cpu}/a`, `${memory}/a`, `${systemd}/b`]);
  assert.deepEqual(choose("cpu:a", "cpu:b"), [`${cpu}/b`, memory, systemd]);
});

test("version 2 has one directory, and no controllers to choose", () => {
  const facts: HostFacts = {
    ...v1Facts(),
    cgroupMounts: [{ version: 2, mountPoint: "/sys/fs/cgroup", root: "/", controllers: [] }],
  };
  assert.deepEqual(chooseExecCgroups(["a"], ["/sys/fs/cgroup/x"], facts), ["/sys/fs/cgroup/x/a"]);
  assert.throws(() => chooseExecCgroups(["cpu:a"], ["/sys/fs/cgroup/x"], facts), /unknown controller cpu/);
});

test("what is no path below the container's cgroup is refused, in runc's words", () => {
  for (const [asked, message] of [
    [["a:b:c"], "invalid --cgroup argument: a:b:c"],
    [["a", "b"], "invalid --cgroup argument: a (missing <controller>: prefix)"],
    [["cpu:a", "b"], "invalid --cgroup argument: b (missing <controller>: prefix)"],
    [["../a"], "../a is not a sub cgroup path"],
    [["cpu:a/../../b"], "a/../../b is not a sub cgroup path"],
    [["nothing:a"], "unknown controller nothing in --cgroup"],
  ] as const) {
    assert.throws(() => choose(...asked), { message });
  }
});
