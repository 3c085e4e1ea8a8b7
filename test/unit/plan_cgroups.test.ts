// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { cgroupWrites, launch, smallSpec, v1Facts } from "./plan_fixture.ts";

function withResources(resources: object, linux: object = {}) {
  return launch(smallSpec({ linux: { ...linux, resources } }));
}

test("paths: an absolute cgroupsPath is below the mount, others below the runtime's own cgroup", () => {
  const memory = (linux: object): string | undefined =>
    launch(smallSpec({ linux })).cgroups.find(({ path }) => path.startsWith("/sys/fs/cgroup/memory/"))?.path;
  assert.equal(memory({}), "/sys/fs/cgroup/memory/user.slice/meter-7");
  assert.equal(memory({ cgroupsPath: "a/b" }), "/sys/fs/cgroup/memory/user.slice/a/b");
  assert.equal(memory({ cgroupsPath: "../../../x" }), "/sys/fs/cgroup/memory/user.slice/x");
  assert.equal(memory({ cgroupsPath: "/a/../b/./c" }), "/sys/fs/cgroup/memory/b/c");
  assert.throws(() => memory({ cgroupsPath: "/" }), /cgroupsPath/);
  assert.throws(() => memory({ cgroupsPath: "a/.." }), /cgroupsPath/);
});

test("paths: in a container of a container the mount's root is cut off", () => {
  const facts = v1Facts();
  for (const mount of facts.cgroupMounts) mount.root = "/outer";
  for (const own of facts.ownCgroups) own.path = "/outer/inner";
  const paths = launch(smallSpec(), { facts }).cgroups.map(({ path }) => path);
  assert.ok(paths.includes("/sys/fs/cgroup/memory/inner/meter-7"));
});

test("every version 1 hierarchy is joined; cpuset values are inherited", () => {
  const { cgroups } = launch(smallSpec());
  assert.equal(cgroups.length, 11);
  const inherit = cgroups.filter((cgroup) => cgroup.inherit.length > 0);
  assert.deepEqual(
    inherit.map((cgroup) => [cgroup.path, cgroup.inherit]),
    [["/sys/fs/cgroup/cpuset/meter-7", ["cpuset.cpus", "cpuset.mems"]]],
  );
});

const defaults = [
  "devices.allow=c *:* m",
  "devices.allow=b *:* m",
  "devices.allow=c 1:3 rwm",
  "devices.allow=c 1:8 rwm",
  "devices.allow=c 1:7 rwm",
  "devices.allow=c 5:0 rwm",
  "devices.allow=c 1:5 rwm",
  "devices.allow=c 1:9 rwm",
  "devices.allow=c 136:* rwm",
  "devices.allow=c 5:2 rwm",
];

// rules, expected writes
const deviceTable: [string, object[] | undefined, string[]][] = [
  ["none: everything is denied but the defaults", undefined, ["devices.deny=a", ...defaults]],
  ["deny all", [{ allow: false, access: "rwm" }], ["devices.deny=a", ...defaults]],
  [
    "one more",
    [
      { allow: false, access: "rwm" },
      { allow: true, type: "b", major: 8, minor: 0, access: "r" },
    ],
    ["devices.deny=a", "devices.allow=b 8:0 r", ...defaults],
  ],
  [
    "allow, then deny part of it",
    [
      { allow: true, type: "c", major: 4, minor: 64, access: "rw" },
      { allow: false, type: "c", major: 4, minor: -1, access: "w" },
    ],
    ["devices.deny=a", "devices.allow=c 4:64 r", ...defaults],
  ],
  [
    "the last rule for everything counts",
    [
      { allow: true, type: "c", major: 4, minor: 64, access: "rw" },
      { allow: false, type: "a", access: "rwm" },
    ],
    ["devices.deny=a", ...defaults],
  ],
  [
    "allow all: what is denied later is the list, less the defaults",
    [
      { allow: true, access: "rwm" },
      { allow: false, type: "c", major: 1, minor: 3, access: "rwm" },
      { allow: false, type: "b", major: 8, access: "w" },
    ],
    ["devices.allow=a", "devices.deny=b 8:* w"],
  ],
  [
    "without a type: character and block devices, not everything",
    [{ allow: true, major: 7, minor: 1, access: "r" }],
    ["devices.deny=a", "devices.allow=c 7:1 r", "devices.allow=b 7:1 r", ...defaults],
  ],
];

for (const [name, devices, expected] of deviceTable) {
  test(`device rules: ${name}`, () => {
    assert.deepEqual(cgroupWrites(withResources(devices === undefined ? {} : { devices }), "devices"), expected);
  });
}

test("device rules: an exception from a wider rule is refused, as the kernel would ignore it", () => {
  const devices = [
    { allow: true, type: "c", major: 10, access: "rwm" },
    { allow: false, type: "c", major: 10, minor: 229, access: "rwm" },
  ];
  assert.throws(() => withResources({ devices }), /devices\[1\].*more devices/);
  assert.throws(() => withResources({ devices: [{ allow: true }] }), /access/);
});

// hierarchy, resources, writes
const table: [string, object, string[]][] = [
  [
    "memory",
    { memory: { limit: 67108864, swap: 134217728, reservation: 1024, swappiness: 0, disableOOMKiller: true } },
    [
      "memory.limit_in_bytes=67108864",
      "memory.memsw.limit_in_bytes=134217728",
      "memory.soft_limit_in_bytes=1024",
      "memory.oom_control=1",
      "memory.swappiness=0",
    ],
  ],
  ["memory", { memory: { limit: 0, swap: 0, disableOOMKiller: false } }, []],
  ["memory", { memory: { limit: -1, swap: -1 } }, ["memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1"]],
  [
    "cpu,cpuacct",
    { cpu: { shares: 512, quota: 50000, period: 100000, burst: 10, realtimeRuntime: 5, realtimePeriod: 6, idle: 0 } },
    [
      "cpu.rt_period_us=6",
      "cpu.rt_runtime_us=5",
      "cpu.shares=512",
      "cpu.cfs_period_us=100000",
      "cpu.cfs_quota_us=50000",
      "cpu.cfs_burst_us=10",
      "cpu.idle=0",
    ],
  ],
  ["cpu,cpuacct", { cpu: { shares: 0, quota: 0, period: 0 } }, []],
  ["cpuset", { cpu: { cpus: "0-1", mems: "0" } }, ["cpuset.cpus=0-1", "cpuset.mems=0"]],
  ["pids", { pids: { limit: 100 } }, ["pids.max=100"]],
  ["pids", { pids: { limit: 0 } }, ["pids.max=max"]],
  ["pids", { pids: { limit: -1 } }, ["pids.max=max"]],
  ["pids", { pids: {} }, []],
  [
    "blkio",
    {
      blockIO: {
        weight: 500,
        leafWeight: 300,
        weightDevice: [{ major: 8, minor: 0, weight: 600, leafWeight: 100 }],
        throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 600 }],
        throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 300 }],
      },
    },
    [
      "blkio.weight=500",
      "blkio.leaf_weight=300",
      "blkio.weight_device=8:0 600",
      "blkio.leaf_weight_device=8:0 100",
      "blkio.throttle.read_bps_device=8:0 600",
      "blkio.throttle.write_iops_device=8:16 300",
    ],
  ],
  [
    "hugetlb",
    { hugepageLimits: [{ pageSize: "2MB", limit: 4194304 }] },
    ["hugetlb.2MB.rsvd.limit_in_bytes=4194304", "hugetlb.2MB.limit_in_bytes=4194304"],
  ],
  [
    "net_cls,net_prio",
    { network: { classID: 1048577, priorities: [{ name: "eth0", priority: 500 }] } },
    ["net_cls.classid=1048577", "net_prio.ifpriomap=eth0 500"],
  ],
  [
    "rdma",
    { rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10000 } } },
    ["rdma.max=mlx5_1 hca_handle=3 hca_object=10000"],
  ],
];

for (const [hierarchy, resources, expected] of table) {
  test(`files of ${hierarchy} for ${JSON.stringify(resources)}`, () => {
    assert.deepEqual(cgroupWrites(withResources(resources), hierarchy), expected);
  });
}

test("files that differ between kernels name the other one", () => {
  const blkio = withResources({ blockIO: { weight: 5 } }).cgroups.find(({ path }) => path.includes("/blkio/"));
  assert.deepEqual(blkio?.writes, [{ file: "blkio.weight", value: "5", ifAbsent: "blkio.bfq.weight" }]);
});

test("refused: unified on version 1, swap below memory, shares out of range, a missing controller", () => {
  assert.throws(() => withResources({ unified: { "memory.high": "1" } }), /cannot use unified on cgroup v1/);
  assert.throws(() => withResources({ memory: { limit: 2048, swap: 1024 } }), /memory\.swap/);
  assert.throws(() => withResources({ cpu: { shares: 1 } }), /cpu\.shares/);
  const facts = v1Facts();
  facts.cgroupMounts = facts.cgroupMounts.filter(({ controllers }) => !controllers.includes("pids"));
  const spec = smallSpec({ linux: { resources: { pids: { limit: 5 } } } });
  assert.throws(() => launch(spec, { facts }), /no cgroup controller "pids"/);
});

test("the kernel memory limit is left out with a warning, that of TCP buffers is not", () => {
  const { warnings, cgroups } = withResources({ memory: { kernel: 1, kernelTCP: 2 } });
  assert.equal(warnings.length, 1);
  assert.deepEqual(
    cgroups.flatMap(({ writes }) => writes).filter(({ file }) => file.includes("kmem")),
    [{ file: "memory.kmem.tcp.limit_in_bytes", value: "2" }],
  );
  assert.match(warnings[0]!, /\$\.linux\.resources\.memory\.kernel:/);
});

test("without cgroups nothing is limited, and a limit is refused by its name", () => {
  const disabled = (resources: object) =>
    launch(smallSpec({ linux: { resources } }), { options: { cgroupManager: "disabled" } });
  const devices = [{ allow: false, access: "rwm" }];
  const plan = disabled({ devices, memory: { limit: -1 }, cpu: { shares: 0, cpus: "" }, pids: { limit: 0 } });
  assert.deepEqual(plan.cgroups, []);
  assert.ok(!plan.operations.some(({ op }) => op === "join_cgroup"));
  assert.match(plan.warnings.join(), /devices: not applied/);
  for (const [name, value] of [
    ["memory", { limit: 1 << 20 }],
    ["cpu", { cpus: "0" }],
    ["pids", { limit: 5 }],
    ["unified", { "memory.high": "1" }],
    ["hugepageLimits", [{ pageSize: "2MB", limit: 1 }]],
  ] as const) {
    assert.throws(() => disabled({ [name]: value }), new RegExp(`\\$\\.linux\\.resources\\.${name}: can't be applied`));
  }
});

test("without cgroups of its own, a container is shown the runtime's", () => {
  const mounts = [{ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup" }];
  const plan = launch(smallSpec({ mounts }), { options: { cgroupManager: "disabled" } });
  const binds = plan.operations.filter((operation) => operation.op === "mount_bind");
  assert.ok(
    binds.some(
      ({ source, target }) => source === "/sys/fs/cgroup/memory/user.slice" && target === "/sys/fs/cgroup/memory",
    ),
  );
});
