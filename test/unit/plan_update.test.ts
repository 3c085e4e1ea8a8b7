// SPDX-License-Identifier: Apache-2.0
// What `update` writes, and what is in force afterwards.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "../../src/host/functions.ts";
import { planRestore } from "../../src/plan/cgroup_restore.ts";
import { mergeResources } from "../../src/plan/merge_resources.ts";
import type { HostFacts } from "../../src/plan/plan.ts";
import { planUpdate, selectChanges, type UpdatePlan } from "../../src/plan/update.ts";
import type { LinuxResources } from "../../src/spec/config.ts";
import { decodeResources } from "../../src/spec/decode.ts";
import { v1Facts } from "./plan_fixture.ts";

const resourcesOf = (json: unknown): LinuxResources => decodeResources(json as Json, "resources").resources;

const v1Cgroups = v1Facts()
  .cgroupMounts.filter(({ version }) => version === 1)
  .map(({ mountPoint }) => `${mountPoint}/x`);
const v2Facts: HostFacts = {
  ...v1Facts(),
  cgroupMounts: [{ version: 2, mountPoint: "/sys/fs/cgroup", root: "/", controllers: [] }],
};

function plan(version: 1 | 2, current: unknown, asked: unknown): UpdatePlan {
  return planUpdate({
    current: resourcesOf(current),
    changes: selectChanges(resourcesOf(asked)),
    cgroups: version === 1 ? v1Cgroups : ["/sys/fs/cgroup/x"],
    facts: version === 1 ? v1Facts() : v2Facts,
  });
}

function writes(version: 1 | 2, current: unknown, asked: unknown): string[] {
  return plan(version, current, asked).writes.map(({ file, value }) => `${file}=${value}`);
}

test("0, empty texts and rules for devices are no changes; values whose 0 means something are", () => {
  const unset = {
    devices: [{ allow: true, access: "rwm" }],
    memory: { limit: 0, reservation: 0, swap: 0 },
    cpu: { shares: 0, quota: 0, period: 0, realtimeRuntime: 0, realtimePeriod: 0, cpus: "", mems: "" },
    pids: { limit: 0 },
    blockIO: { weight: 0, leafWeight: 0 },
    network: { classID: 0 },
    unified: {},
    hugepageLimits: [],
  };
  assert.deepEqual(selectChanges(resourcesOf(unset)), {});
  const set = { cpu: { idle: 0, burst: 0n, cpus: "0", mems: "0" }, memory: { swappiness: 0 } };
  assert.deepEqual(selectChanges(set), set);
});

test("without a limit of memory there is none of memory and swap, unless that one is given", () => {
  assert.deepEqual(selectChanges({ memory: { limit: -1n } }).memory, { limit: -1n, swap: -1n });
  assert.deepEqual(selectChanges({ memory: { limit: -1n, swap: 5n } }).memory, { limit: -1n, swap: 5n });
});

test("version 1: only what is given is written, each to its controller's directory", () => {
  const current = { memory: { limit: 100, swap: 200 }, cpu: { quota: 1, period: 2 }, pids: { limit: 5 } };
  const { writes: planned } = plan(1, current, { memory: { limit: 150 }, cpu: { period: 7, cpus: "0" } });
  assert.deepEqual(
    planned.map(({ directory, file, value }) => `${directory} ${file} ${value}`),
    [
      "/sys/fs/cgroup/memory/x memory.limit_in_bytes 150",
      "/sys/fs/cgroup/cpu,cpuacct/x cpu.cfs_period_us 7",
      "/sys/fs/cgroup/cpuset/x cpuset.cpus 0",
    ],
  );
});

test("version 1: a limit above the one of memory and swap in force is refused before anything is written", () => {
  assert.throws(() => plan(1, { memory: { limit: 100, swap: 200 } }, { memory: { limit: 201 } }), /memory\.limit: 201/);
  assert.deepEqual(writes(1, { memory: { limit: 100, swap: -1 } }, { memory: { limit: 201 } }), [
    "memory.limit_in_bytes=201",
  ]);
});

test("version 1: unified, and a controller that is not there, are refused", () => {
  assert.throws(() => plan(1, {}, { unified: { "memory.high": "1" } }), /unified: cannot use unified on cgroup v1/);
  const facts = { ...v1Facts(), cgroupMounts: v1Facts().cgroupMounts.filter((one) => one.controllers[0] !== "pids") };
  const input = { current: {}, changes: { pids: { limit: 5n } }, cgroups: v1Cgroups, facts };
  assert.throws(() => planUpdate(input), /no cgroup controller "pids"/);
  assert.throws(() => planUpdate({ ...input, facts: v1Facts(), cgroups: [] }), /no cgroups of its own/);
});

test("version 2: what shares a file with a change is taken from what is in force", () => {
  assert.deepEqual(writes(2, { cpu: { quota: 5, period: 6 } }, { cpu: { quota: 3 } }), ["cpu.max=3 6"]);
  assert.deepEqual(writes(2, { cpu: { quota: 5, period: 6 } }, { cpu: { period: 9 } }), ["cpu.max=5 9"]);
  assert.deepEqual(writes(2, {}, { cpu: { quota: -1 } }), ["cpu.max=max 100000"]);
  assert.deepEqual(writes(2, { memory: { limit: 100 } }, { memory: { swap: 150 } }), [
    "memory.max=100",
    "memory.swap.max=50",
  ]);
  assert.throws(() => writes(2, {}, { memory: { swap: 150 } }), /without a memory limit/);
});

test("version 2: the amount of swap stays when only the limit of memory changes, and the record says so", () => {
  const { writes: planned, resources } = plan(2, { memory: { limit: 100, swap: 150 } }, { memory: { limit: 300 } });
  assert.deepEqual(
    planned.map(({ file, value }) => `${file}=${value}`),
    ["memory.max=300"],
  );
  assert.deepEqual(resources.memory, { limit: 300n, swap: 350n });
  const unlimited = plan(2, { memory: { limit: 100, swap: 150 } }, { memory: { limit: -1 } });
  assert.deepEqual(unlimited.resources.memory, { limit: -1n, swap: -1n });
});

test("version 2: unified files, and what it has no file for", () => {
  assert.deepEqual(writes(2, {}, { unified: { "memory.high": "5" }, pids: { limit: -1 } }), [
    "pids.max=max",
    "memory.high=5",
  ]);
  assert.throws(() => writes(2, {}, { cpu: { realtimeRuntime: 5 } }), /cgroup v2 has no such limit/);
});

test("merging keeps what the changes leave out, and replaces entries by what they are about", () => {
  const rate = (minor: number, value: number) => ({ major: 8, minor, rate: value });
  const merged = mergeResources(
    resourcesOf({
      devices: [{ allow: false, access: "rwm" }],
      memory: { limit: 1, reservation: 2 },
      cpu: { shares: 3, cpus: "0" },
      pids: { limit: 4 },
      blockIO: { weight: 5, throttleReadBpsDevice: [rate(0, 1), rate(16, 2)] },
      hugepageLimits: [
        { pageSize: "2MB", limit: 1 },
        { pageSize: "1GB", limit: 2 },
      ],
      network: { classID: 6, priorities: [{ name: "eth0", priority: 1 }] },
      rdma: { a: { hcaHandles: 1 }, b: { hcaHandles: 2 } },
      unified: { "memory.high": "1" },
    }),
    resourcesOf({
      memory: { limit: 10 },
      cpu: { cpus: "1" },
      blockIO: { throttleReadBpsDevice: [rate(16, 9)], throttleWriteIOPSDevice: [rate(0, 7)] },
      hugepageLimits: [{ pageSize: "2MB", limit: 9 }],
      network: { priorities: [{ name: "eth1", priority: 2 }] },
      rdma: { b: { hcaObjects: 3 } },
      unified: { "cpu.weight": "2" },
    }),
  );
  const expected = {
    devices: [{ allow: false, access: "rwm" }],
    memory: { limit: 10, reservation: 2 },
    cpu: { shares: 3, cpus: "1" },
    pids: { limit: 4 },
    blockIO: {
      weight: 5,
      throttleReadBpsDevice: [rate(0, 1), rate(16, 9)],
      throttleWriteIOPSDevice: [rate(0, 7)],
    },
    hugepageLimits: [
      { pageSize: "1GB", limit: 2 },
      { pageSize: "2MB", limit: 9 },
    ],
    network: {
      classID: 6,
      priorities: [
        { name: "eth0", priority: 1 },
        { name: "eth1", priority: 2 },
      ],
    },
    rdma: { a: { hcaHandles: 1 }, b: { hcaObjects: 3 } },
    unified: { "memory.high": "1", "cpu.weight": "2" },
  };
  assert.deepEqual(
    JSON.parse(JSON.stringify(merged, (_, value) => (typeof value === "bigint" ? Number(value) : value))),
    expected,
  );
});

// file, what was written, what was there before, what takes it back
const restores: [string, string, string, string | undefined][] = [
  ["memory.max", "100", "max\n", "max"],
  ["cpu.max", "5 6", "max 100000\n", "max 100000"],
  ["cpuset.cpus", "0", "\n", "\n"],
  ["hugetlb.2MB.max", "5", "9223372036854771712\n", "max"],
  ["hugetlb.2MB.limit_in_bytes", "5", "9223372036854771712\n", "-1"],
  ["hugetlb.2MB.max", "5", "4194304\n", "4194304"],
  ["memory.oom_control", "1", "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n", "0"],
  ["io.max", "8:0 rbps=5", "", "8:0 rbps=max wbps=max riops=max wiops=max"],
  [
    "io.max",
    "8:0 rbps=5",
    "8:16 rbps=1 wbps=max riops=max wiops=max\n8:0 rbps=2 wbps=max riops=max wiops=max\n",
    "8:0 rbps=2 wbps=max riops=max wiops=max",
  ],
  ["io.weight", "default 50", "default 100\n8:0 200\n", "default 100"],
  ["io.bfq.weight", "8:0 50", "default 100\n", "8:0 default"],
  ["blkio.throttle.read_bps_device", "8:0 5", "8:0 7\n", "8:0 7"],
  ["blkio.throttle.read_bps_device", "8:0 5", "", "8:0 0"],
  ["net_prio.ifpriomap", "eth0 5", "lo 0\neth0 1\n", "eth0 1"],
  ["rdma.max", "mlx5_1 hca_handle=3", "mlx5_1 hca_handle=2 hca_object=max\n", "mlx5_1 hca_handle=2 hca_object=max"],
  ["unknown.file", "1", "a 1\nb 2\n", undefined],
];
for (const [file, value, former, restore] of restores) {
  test(`undoing "${value}" to ${file}`, () => assert.equal(planRestore(file, value, former), restore));
}
