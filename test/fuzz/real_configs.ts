// SPDX-License-Identifier: Apache-2.0
// What inputs are made from: configurations that are in use, and one that has a bit of everything.
import { readdirSync, readFileSync } from "node:fs";
import type { Json } from "../../src/host/functions.ts";
import { printDefaultSpec } from "../../src/spec/default.ts";

const directory = "test/golden";

/** The configurations of the golden tests, the defaults of `edgerun spec`, and the parts that none of them has. */
export function realConfigs(): Json[] {
  const golden = readdirSync(directory).filter((name) => name.endsWith(".config.json"));
  return [
    ...golden.map((name) => readFileSync(`${directory}/${name}`, "utf8")),
    printDefaultSpec({ rootless: undefined }),
    printDefaultSpec({ rootless: { uid: 1000, gid: 1000 } }),
    JSON.stringify(rareParts()),
  ].map((text) => JSON.parse(text) as Json);
}

/** Parts that a good configuration for the fixed host of the tests can't have; others are made of them. */
export function otherParts(): Json[] {
  return [
    { linux: { resources: { unified: { "memory.high": "60000000", "cpu.weight": "10000" } } } },
    { linux: { netDevices: { eth0: { name: "lan0" } }, intelRdt: { closID: "meter" } } },
    { linux: { namespaces: [{ type: "user" }], uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }] } },
    {
      process: {
        scheduler: { policy: "SCHED_FIFO", priority: 10 },
        ioPriority: { class: "IOPRIO_CLASS_RT", priority: 0 },
      },
    },
    { mounts: [{ destination: "/x", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup", "idmap"] }] },
    { annotations: { "io.kubernetes.cri.container-type": "sandbox" } },
  ];
}

function rareParts(): object {
  return {
    ociVersion: "1.2.0",
    root: { path: "rootfs", readonly: true },
    hostname: "meter",
    domainname: "example.com",
    process: {
      terminal: true,
      consoleSize: { height: 24, width: 80 },
      user: { uid: 1000, gid: 1000, umask: 63, additionalGids: [5, 6] },
      args: ["/bin/meter", "--once"],
      env: ["PATH=/bin", "TZ=UTC"],
      cwd: "/var",
      rlimits: [{ type: "RLIMIT_MEMLOCK", soft: 65536, hard: 65536 }],
      oomScoreAdj: 100,
      scheduler: { policy: "SCHED_BATCH", nice: 5, flags: ["SCHED_FLAG_RESET_ON_FORK"] },
      ioPriority: { class: "IOPRIO_CLASS_BE", priority: 4 },
      apparmorProfile: "meter",
    },
    mounts: [
      { destination: "/data", type: "bind", source: "/srv/readings", options: ["rbind", "ro", "rprivate"] },
      { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["size=10%", "nr_inodes=1k"] },
    ],
    hooks: {
      prestart: [{ path: "/usr/bin/hook", args: ["hook"], env: ["A=b"], timeout: 5 }],
      createContainer: [{ path: "/bin/true" }],
      poststop: [{ path: "/usr/bin/hook" }],
    },
    annotations: { "org.example.site": "7" },
    linux: {
      cgroupsPath: "/meters/7",
      rootfsPropagation: "rslave",
      namespaces: [
        ...["mount", "pid", "ipc", "uts", "time"].map((type) => ({ type })),
        { type: "network", path: "/run/netns/app" },
      ],
      timeOffsets: { monotonic: { secs: 86400, nanosecs: 1 }, boottime: { secs: 86400 } },
      personality: { domain: "LINUX32", flags: [] },
      devices: [
        { path: "/dev/ttyS0", type: "c", major: 4, minor: 64, fileMode: 432, uid: 0, gid: 20 },
        { path: "/dev/pipe", type: "p" },
      ],
      sysctl: { "net.ipv4.ip_forward": "0", "kernel.shmmax": "65536" },
      resources: {
        devices: [
          { allow: false, access: "rwm" },
          { allow: true, type: "c", major: 4, minor: 64, access: "rw" },
        ],
        memory: { limit: 67108864, reservation: 33554432, swap: 134217728, swappiness: 10, disableOOMKiller: true },
        cpu: { shares: 512, quota: 50000, period: 100000, burst: 1000, cpus: "0-1", mems: "0", idle: 1 },
        pids: { limit: 32 },
        blockIO: {
          weight: 100,
          leafWeight: 100,
          weightDevice: [{ major: 8, minor: 0, weight: 500 }],
          throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1048576 }],
        },
        hugepageLimits: [{ pageSize: "2MB", limit: 4194304 }],
        network: { classID: 1048577, priorities: [{ name: "eth0", priority: 5 }] },
        rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10000 } },
      },
      seccomp: {
        defaultAction: "SCMP_ACT_ERRNO",
        defaultErrnoRet: 38,
        architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
        flags: ["SECCOMP_FILTER_FLAG_LOG"],
        syscalls: [
          { names: ["read", "write", "exit_group"], action: "SCMP_ACT_ALLOW" },
          {
            names: ["personality"],
            action: "SCMP_ACT_ALLOW",
            args: [{ index: 0, value: 8, valueTwo: 0, op: "SCMP_CMP_EQ" }],
          },
        ],
      },
    },
  };
}
