// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { HostFacts, LaunchPlan } from "../../src/plan/plan.ts";
import { launch, pick, smallSpec, v1Facts } from "./plan_fixture.ts";

/** As a systemd host of today: one hierarchy, and a runtime in the scope of a session. */
function v2Facts(): HostFacts {
  return {
    ...v1Facts(),
    cgroupMounts: [{ version: 2, mountPoint: "/sys/fs/cgroup", root: "/", controllers: [] }],
    ownCgroups: [{ controllers: "", path: "/user.slice/user-0.slice/session-1.scope" }],
  };
}

function launchUnified(linux: object = {}, extra: object = {}): LaunchPlan {
  return launch(smallSpec({ linux, ...extra }), { facts: v2Facts() });
}

function onlyCgroup(resources: object) {
  const [cgroup, ...others] = launchUnified({ resources }).cgroups;
  assert.deepEqual(others, []);
  return cgroup!;
}

function writes(resources: object): string[] {
  return onlyCgroup(resources).writes.map(({ file, value }) => `${file}=${value}`);
}

test("paths: absolute below the mount, others beside the runtime's own cgroup", () => {
  const path = (linux: object): string | undefined => launchUnified(linux).cgroups[0]?.path;
  assert.equal(path({}), "/sys/fs/cgroup/user.slice/user-0.slice/meter-7");
  assert.equal(path({ cgroupsPath: "a/b" }), "/sys/fs/cgroup/user.slice/user-0.slice/a/b");
  assert.equal(path({ cgroupsPath: "../../../x" }), "/sys/fs/cgroup/user.slice/user-0.slice/x");
  assert.equal(path({ cgroupsPath: "/a/../b" }), "/sys/fs/cgroup/b");
  assert.throws(() => path({ cgroupsPath: "/" }), /cgroupsPath/);
});

test("paths: the parent of the runtime's own cgroup is never above the mount's root", () => {
  const cases: [root: string, own: string, expected: string][] = [
    ["/", "/", "/sys/fs/cgroup/meter-7"],
    ["/outer", "/outer", "/sys/fs/cgroup/meter-7"],
    ["/outer", "/outer/a/b", "/sys/fs/cgroup/a/meter-7"],
    ["/outer", "/elsewhere", "/sys/fs/cgroup/meter-7"],
  ];
  for (const [root, path, expected] of cases) {
    const facts = v2Facts();
    facts.cgroupMounts[0]!.root = root;
    facts.ownCgroups[0]!.path = path;
    assert.equal(launch(smallSpec(), { facts }).cgroups[0]?.path, expected, `${root} ${path}`);
  }
});

test("one directory, joined after the host side has made it", () => {
  const plan = launchUnified();
  assert.equal(plan.cgroups[0]?.unified?.mountPoint, "/sys/fs/cgroup");
  assert.deepEqual(pick(plan, "join_cgroup"), [{ op: "join_cgroup", source: plan.cgroups[0]!.path }]);
});

// resources, writes
const table: [object, string[]][] = [
  [{}, []],
  [{ memory: { limit: 100, reservation: 50 } }, ["memory.max=100", "memory.low=50"]],
  [{ memory: { limit: 0, swap: 0, disableOOMKiller: false } }, []],
  [{ memory: { limit: -1, reservation: -1 } }, ["memory.max=max", "memory.swap.max=max", "memory.low=max"]],
  [{ memory: { limit: 100, swap: 150 } }, ["memory.max=100", "memory.swap.max=50"]],
  [{ memory: { limit: 100, swap: 100 } }, ["memory.max=100", "memory.swap.max=0"]],
  [{ memory: { limit: 100, swap: -1 } }, ["memory.max=100", "memory.swap.max=max"]],
  [{ memory: { limit: -1, swap: 150 } }, ["memory.max=max", "memory.swap.max=150"]],
  [{ cpu: { shares: 1024 } }, ["cpu.weight=100"]],
  [{ cpu: { shares: 0, quota: 0, period: 0, realtimePeriod: 0 } }, []],
  [
    { cpu: { quota: 50000, period: 100000, burst: 10, idle: 1 } },
    ["cpu.idle=1", "cpu.max=50000 100000", "cpu.max.burst=10"],
  ],
  [{ cpu: { quota: 50000 } }, ["cpu.max=50000 100000"]],
  [{ cpu: { period: 50000 } }, ["cpu.max=max 50000"]],
  [{ cpu: { quota: -1 } }, ["cpu.max=max 100000"]],
  [{ cpu: { shares: 2, idle: 1 } }, ["cpu.weight=1", "cpu.idle=1"]],
  [{ cpu: { cpus: "0-1", mems: "0" } }, ["cpuset.cpus=0-1", "cpuset.mems=0"]],
  [{ pids: { limit: 100 } }, ["pids.max=100"]],
  [{ pids: { limit: -1 } }, ["pids.max=max"]],
  [
    {
      blockIO: {
        throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 600 }],
        throttleWriteBpsDevice: [{ major: 8, minor: 0, rate: 0 }],
        throttleReadIOPSDevice: [{ major: 8, minor: 16, rate: 300 }],
        throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 200 }],
      },
    },
    ["io.max=8:0 rbps=600", "io.max=8:0 wbps=max", "io.max=8:16 riops=300", "io.max=8:16 wiops=200"],
  ],
  [
    { hugepageLimits: [{ pageSize: "2MB", limit: 4194304 }] },
    ["hugetlb.2MB.rsvd.max=4194304", "hugetlb.2MB.max=4194304"],
  ],
  [{ rdma: { mlx5_1: { hcaHandles: 3 } } }, ["rdma.max=mlx5_1 hca_handle=3"]],
  [{ network: { classID: 0, priorities: [] } }, []],
  [
    {
      memory: { limit: 100 },
      unified: { "memory.max": "200", "memory.oom.group": "1", "io.max": "8:0 rbps=1\n8:16 wbps=2\n" },
    },
    ["memory.max=100", "memory.max=200", "memory.oom.group=1", "io.max=8:0 rbps=1", "io.max=8:16 wbps=2"],
  ],
];

for (const [resources, expected] of table) {
  test(`files for ${JSON.stringify(resources)}`, () => assert.deepEqual(writes(resources), expected));
}

test("cpu.shares: the ends, the ordinary value and others, as runc and crun convert them", () => {
  const weights = [1, 2, 3, 256, 512, 1024, 2048, 10240, 262143, 262144, 1000000];
  assert.deepEqual(
    weights.map((shares) => writes({ cpu: { shares } })[0]),
    [1, 1, 2, 35, 59, 100, 174, 639, 10000, 10000, 10000].map((weight) => `cpu.weight=${weight}`),
  );
});

test("blockIO weights are BFQ's where there is BFQ, else converted", () => {
  const { writes: files } = onlyCgroup({
    blockIO: { weight: 750, weightDevice: [{ major: 8, minor: 0, weight: 10 }] },
  });
  assert.deepEqual(files, [
    { file: "io.bfq.weight", value: "default 750", ifAbsent: "io.weight", valueIfAbsent: "default 7475" },
    { file: "io.bfq.weight", value: "8:0 10", ifAbsent: "io.weight", valueIfAbsent: "8:0 1" },
  ]);
});

test("no swap, or no limit on it, needs no swap accounting", () => {
  for (const swap of [100, -1]) {
    assert.equal(onlyCgroup({ memory: { limit: 100, swap } }).writes[1]?.ifAbsent, "");
  }
  assert.equal(onlyCgroup({ memory: { limit: 100, swap: 150 } }).writes[1]?.ifAbsent, undefined);
});

test("what a limit needs is named with its controller, once", () => {
  const resources = {
    memory: { limit: 100, swap: 100 },
    cpu: { shares: 512, cpus: "0" },
    unified: { "memory.high": "1", "misc.max": "x 1", "cgroup.max.depth": "5" },
  };
  assert.deepEqual(onlyCgroup(resources).unified?.needs, [
    { controller: "memory", jsonPath: "linux.resources.memory" },
    { controller: "cpu", jsonPath: "linux.resources.cpu" },
    { controller: "cpuset", jsonPath: "linux.resources.cpu" },
    { controller: "misc", jsonPath: 'linux.resources.unified["misc.max"]' },
  ]);
});

const refused: [object, RegExp][] = [
  [{ memory: { disableOOMKiller: true } }, /disableOOMKiller: cgroup v2 has no such limit/],
  [{ memory: { swappiness: 0 } }, /memory\.swappiness/],
  [{ memory: { limit: 100, swap: 50 } }, /memory\.swap/],
  [{ memory: { swap: 50 } }, /memory\.swap.*without a memory limit/],
  [{ memory: { limit: -5 } }, /memory\.limit/],
  [{ cpu: { realtimeRuntime: 5 } }, /cpu\.realtimeRuntime/],
  [{ cpu: { realtimePeriod: 5 } }, /cpu\.realtimePeriod/],
  [{ blockIO: { leafWeight: 5 } }, /leafWeight/],
  [{ blockIO: { weightDevice: [{ major: 1, minor: 1, leafWeight: 5 }] } }, /weightDevice/],
  [{ network: { classID: 5 } }, /network\.classID/],
  [{ network: { priorities: [{ name: "eth0", priority: 5 }] } }, /network\.priorities/],
  [{ unified: { "cgroup.procs": "1" } }, /unified\["cgroup\.procs"\]/],
  [{ unified: { "cgroup.subtree_control": "+memory" } }, /unified/],
  [{ unified: { "cgroup.kill": "1" } }, /unified/],
];

for (const [resources, text] of refused) {
  test(`refused: ${JSON.stringify(resources)}`, () => assert.throws(() => launchUnified({ resources }), text));
}

test("in a user namespace there is no device program, and a warning says so", () => {
  const plan = launch(smallSpec(), { facts: { ...v2Facts(), initialUserNamespace: false } });
  assert.deepEqual(plan.cgroups[0]?.unified?.deviceProgram, []);
  assert.match(plan.warnings[0] ?? "", /resources\.devices/);
});

const cgroupMount = (type: string, options: string[]) => ({
  mounts: [{ destination: "/sys/fs/cgroup", type, source: "cgroup", options }],
});
const withCgroupNamespace = (path?: string) => ({
  namespaces: [{ type: "mount" }, { type: "pid" }, path === undefined ? { type: "cgroup" } : { type: "cgroup", path }],
});

for (const type of ["cgroup", "cgroup2"]) {
  test(`a mount of type ${type} with a cgroup namespace is the hierarchy, mounted anew`, () => {
    const plan = launchUnified(withCgroupNamespace(), cgroupMount(type, ["nosuid", "ro"]));
    const mount = pick(plan, "mount_filesystem").find(({ target }) => target === "/sys/fs/cgroup");
    assert.deepEqual(mount && { ...mount, attributes: 0 }, {
      op: "mount_filesystem",
      type: "cgroup2",
      source: "cgroup",
      target: "/sys/fs/cgroup",
      data: [],
      attributes: 0,
      superFlags: 0,
      propagation: 0,
      inheritMode: 0,
      copyUp: 0,
    });
    assert.equal(mount!.attributes & 0xf, 0xf, "ro, nosuid, nodev, noexec");
  });

  for (const namespaces of [{}, withCgroupNamespace("/proc/1/ns/cgroup")]) {
    test(`a mount of type ${type} with ${JSON.stringify(namespaces)} is the container's own directory`, () => {
      const plan = launchUnified(namespaces, cgroupMount(type, ["ro"]));
      const bind = pick(plan, "mount_bind").find(({ target }) => target === "/sys/fs/cgroup");
      assert.equal(bind?.source, plan.cgroups[0]?.path);
      assert.equal(bind!.attributesSet & 1, 1, "read-only");
    });
  }
}

test("on a hybrid host a mount of type cgroup2 is a file system like others", () => {
  const plan = launch(smallSpec({ linux: withCgroupNamespace(), ...cgroupMount("cgroup2", []) }));
  assert.equal(pick(plan, "mount_filesystem").length, 1);
});
