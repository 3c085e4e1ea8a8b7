// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { planExec } from "../../src/plan/exec.ts";
import { launch, pick, smallSpec, v1Facts } from "./plan_fixture.ts";

function exec(execCPUAffinity: object) {
  const spec = smallSpec({ process: { execCPUAffinity } });
  const options = { noNewKeyring: true, preserveFds: 0, privileged: true };
  const cgroups = ["/sys/fs/cgroup/cpuset/x"];
  return planExec({ spec, process: spec.process, id: "x", initPid: 9, cgroups, facts: v1Facts(), options });
}

const order = (affinity: object) =>
  exec(affinity)
    .operations.map(({ op }) => op)
    .filter((op) => op === "set_cpu_affinity" || op === "join_cgroup");

test("exec: initial before the cgroups are joined, final after; else every CPU of the cpuset again", () => {
  assert.deepEqual(order({}), ["join_cgroup"]);
  assert.deepEqual(order({ initial: "0" }), ["set_cpu_affinity", "join_cgroup", "set_cpu_affinity"]);
  assert.deepEqual(order({ final: "0" }), ["join_cgroup", "set_cpu_affinity"]);
  const [initial, final] = pick(exec({ initial: "0,31-33", final: "64" }), "set_cpu_affinity");
  assert.deepEqual(
    [initial?.cpus, final?.cpus],
    [
      [0x80000001, 3],
      [0, 0, 1],
    ],
  );
  assert.ok(pick(exec({ initial: "0" }), "set_cpu_affinity")[1]?.cpus.every((word) => word === 0xffffffff));
});

test("the container's own process has no affinity of its own", () => {
  assert.deepEqual(pick(launch(smallSpec({ process: { execCPUAffinity: { initial: "0" } } })), "set_cpu_affinity"), []);
});

for (const list of ["a", "1-", "3-1", "8192", "-1", "0,,1"]) {
  test(`a list that is none: ${list}`, () => {
    assert.throws(() => exec({ initial: list }), /process\.execCPUAffinity\.initial: expected a list/);
    assert.throws(() => exec({ final: list }), /process\.execCPUAffinity\.final: expected a list/);
    const memoryPolicy = { mode: "MPOL_BIND", nodes: list };
    assert.throws(() => launch(smallSpec({ linux: { memoryPolicy } })), /linux\.memoryPolicy\.nodes: expected a list/);
  });
}

test("memory policies: mode, flags and nodes", () => {
  const policy = (memoryPolicy: object) => pick(launch(smallSpec({ linux: { memoryPolicy } })), "set_memory_policy")[0];
  for (const [mode, number] of Object.entries({
    MPOL_DEFAULT: 0,
    MPOL_PREFERRED: 1,
    MPOL_BIND: 2,
    MPOL_INTERLEAVE: 3,
    MPOL_LOCAL: 4,
    MPOL_PREFERRED_MANY: 5,
    MPOL_WEIGHTED_INTERLEAVE: 6,
  })) {
    assert.deepEqual(policy({ mode }), { op: "set_memory_policy", mode: number, nodes: [] });
  }
  const flags = ["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"];
  assert.deepEqual(policy({ mode: "MPOL_BIND", nodes: "0,32", flags }), {
    op: "set_memory_policy",
    mode: 0xe002,
    nodes: [1, 1],
  });
  assert.deepEqual(pick(launch(smallSpec()), "set_memory_policy"), []);
});
