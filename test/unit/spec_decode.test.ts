// SPDX-License-Identifier: Apache-2.0
// The decoded form of whole documents, and the documents of exec and update.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import Ajv2020 from "ajv/dist/2020.js";
import type { Json } from "../../src/host/functions.ts";
import { toJsonSchema } from "../../src/schema/json_schema.ts";
import { capabilityMask, capabilityNames } from "../../src/spec/capabilities.ts";
import { specSchema } from "../../src/spec/config.ts";
import { decodeProcess, decodeResources, decodeSpec } from "../../src/spec/decode.ts";
import { rlimitNumber } from "../../src/spec/rlimits.ts";
import { isSemanticVersion } from "../../src/spec/semantic_version.ts";

/** Every property of the specification that concerns Linux, once. */
const full = {
  ociVersion: "1.3.0",
  process: {
    terminal: true,
    consoleSize: { height: 24, width: 80 },
    user: { uid: 1, gid: 2, umask: 18, additionalGids: [5], username: "app" },
    args: ["sh"],
    env: ["A=b"],
    cwd: "/",
    capabilities: { bounding: ["CAP_KILL"], effective: [], inheritable: [], permitted: [], ambient: [] },
    rlimits: [{ type: "RLIMIT_CORE", soft: 0, hard: 0 }],
    noNewPrivileges: true,
    apparmorProfile: "edge",
    selinuxLabel: "system_u:system_r:svirt_t:s0",
    oomScoreAdj: 100,
    scheduler: { policy: "SCHED_FIFO", nice: 0, priority: 1, flags: ["SCHED_FLAG_RESET_ON_FORK"] },
    ioPriority: { class: "IOPRIO_CLASS_BE", priority: 4 },
    execCPUAffinity: { initial: "0", final: "0-3" },
  },
  root: { path: "rootfs", readonly: true },
  hostname: "meter-7",
  domainname: "example.com",
  mounts: [
    {
      destination: "/data",
      type: "bind",
      source: "/srv/data",
      options: ["rbind", "ro"],
      uidMappings: [{ containerID: 0, hostID: 1000, size: 10 }],
      gidMappings: [{ containerID: 0, hostID: 1000, size: 10 }],
    },
  ],
  hooks: Object.fromEntries(
    ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"].map((name) => [
      name,
      [{ path: "/bin/hook", args: ["hook", name], env: ["A=b"], timeout: 5 }],
    ]),
  ),
  annotations: { "com.example.app": "meter" },
  linux: {
    namespaces: ["pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"].map((type) => ({ type })),
    uidMappings: [{ containerID: 0, hostID: 1000, size: 10 }],
    gidMappings: [{ containerID: 0, hostID: 1000, size: 10 }],
    timeOffsets: { monotonic: { secs: 1, nanosecs: 2 } },
    devices: [{ path: "/dev/ttyS0", type: "c", major: 4, minor: 64, fileMode: 432, uid: 0, gid: 20 }],
    netDevices: { eth1: { name: "wan" } },
    cgroupsPath: "/edge/meter",
    resources: {
      devices: [{ allow: false, type: "a", major: -1, minor: -1, access: "rwm" }],
      memory: {
        limit: 67108864,
        reservation: 1,
        swap: -1,
        kernel: -1,
        kernelTCP: -1,
        swappiness: 0,
        disableOOMKiller: false,
        useHierarchy: true,
        checkBeforeUpdate: true,
      },
      cpu: {
        shares: 1024,
        quota: -1,
        burst: 0,
        period: 100000,
        realtimeRuntime: 0,
        realtimePeriod: 0,
        cpus: "0-1",
        mems: "0",
        idle: 0,
      },
      pids: { limit: 64 },
      blockIO: {
        weight: 10,
        leafWeight: 10,
        weightDevice: [{ major: 8, minor: 0, weight: 500, leafWeight: 300 }],
        throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 600 }],
        throttleWriteBpsDevice: [{ major: 8, minor: 0, rate: 600 }],
        throttleReadIOPSDevice: [{ major: 8, minor: 0, rate: 600 }],
        throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 600 }],
      },
      hugepageLimits: [{ pageSize: "2MB", limit: 0 }],
      network: { classID: 1048577, priorities: [{ name: "eth0", priority: 500 }] },
      rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10000 } },
      unified: { "memory.high": "1000" },
    },
    sysctl: { "net.ipv4.ip_forward": "1" },
    seccomp: {
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 38,
      architectures: ["SCMP_ARCH_ARM", "SCMP_ARCH_RISCV64"],
      flags: ["SECCOMP_FILTER_FLAG_LOG"],
      listenerPath: "/run/seccomp.sock",
      listenerMetadata: "m",
      syscalls: [
        {
          names: ["clone"],
          action: "SCMP_ACT_ERRNO",
          errnoRet: 1,
          args: [{ index: 0, value: 2114060288, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
        },
      ],
    },
    rootfsPropagation: "slave",
    maskedPaths: ["/proc/kcore"],
    readonlyPaths: ["/proc/sys"],
    mountLabel: "system_u:object_r:svirt_file_t:s0",
    intelRdt: {
      closID: "g",
      schemata: ["L2:0=ff"],
      l3CacheSchema: "L3:0=7f0",
      memBwSchema: "MB:0=20",
      enableMonitoring: true,
    },
    memoryPolicy: { mode: "MPOL_INTERLEAVE", nodes: "0-1", flags: ["MPOL_F_STATIC_NODES"] },
    personality: { domain: "LINUX", flags: [] },
  },
};

/** Plain JSON again: bigint to number, and maps with a prototype. */
function toPlain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_name, part) => (typeof part === "bigint" ? Number(part) : part)));
}

test("every property of the specification is known and kept", () => {
  const { spec, warnings } = decodeSpec(full as Json);
  assert.deepEqual(warnings, []);
  assert.deepEqual(toPlain(spec), full);
});

test("64-bit integers are bigint, shorter ones are numbers", () => {
  const { spec } = decodeSpec(full as Json);
  const resources = spec.linux!.resources!;
  assert.equal(resources.memory!.limit, 67108864n);
  assert.equal(resources.cpu!.quota, -1n);
  assert.equal(resources.pids!.limit, 64n);
  assert.equal(resources.memory!.swappiness, 0);
  assert.equal(spec.linux!.seccomp!.syscalls![0]!.args![0]!.value, 2114060288n);
  assert.equal(spec.linux!.devices![0]!.major, 4);
});

test("null is absent, at every level: engines write it for empty lists", () => {
  const nulls = {
    ...full,
    mounts: null,
    hooks: null,
    process: { ...full.process, env: null, rlimits: null },
    linux: { ...full.linux, devices: null, resources: { devices: null, hugepageLimits: null } },
  };
  const { spec, warnings } = decodeSpec(nulls as Json);
  assert.deepEqual(warnings, []);
  assert.deepEqual(spec.linux!.resources, {});
  assert.equal(spec.mounts, undefined);
  assert.equal(spec.process.env, undefined);
});

test("the published JSON Schema accepts the full document", () => {
  const schema = toJsonSchema(specSchema, { id: "https://example.com/config.schema.json", title: "config.json" });
  const validate = new Ajv2020({ strict: true }).compile(schema);
  assert.equal(validate(full), true, JSON.stringify(validate.errors));
  assert.equal(validate({ ...full, ociVersion: 1 }), false);
});

test("decodeProcess names its own document", () => {
  const json = { ...full.process, odd: 1, capabilities: { ambient: ["CAP_FLY"] } } as Json;
  const { process, warnings } = decodeProcess(json, "process.json");
  assert.deepEqual(process.args, ["sh"]);
  assert.deepEqual(warnings, [
    "process.json: $.odd: unknown property, ignored",
    'process.json: $.capabilities.ambient: unknown capabilities ignored: "CAP_FLY"',
  ]);
  assert.throws(() => decodeProcess({ ...full.process, cwd: "a" } as Json, "process.json"), {
    message: 'process.json: $.cwd: expected an absolute path, found "a"',
  });
  assert.throws(() => decodeProcess({ ...full.process, env: ["A"] } as Json, "process.json"), {
    message: 'process.json: $.env[0]: expected NAME=value, found "A"',
  });
});

test("decodeResources names its own document", () => {
  const { resources, warnings } = decodeResources({ memory: { limit: 5 }, odd: 1 }, "resources");
  assert.deepEqual(resources, { memory: { limit: 5n } });
  assert.deepEqual(warnings, ["resources: $.odd: unknown property, ignored"]);
  assert.throws(() => decodeResources({ unified: { high: "1" } }, "resources"), {
    message: "resources: $.unified.high: expected a name such as memory.high",
  });
});

test("capabilityMask", () => {
  assert.equal(capabilityMask([]), 0);
  assert.equal(capabilityMask(["CAP_CHOWN"]), 1);
  assert.equal(capabilityMask(["CAP_SETFCAP"]), 2 ** 31);
  assert.equal(capabilityMask(["CAP_CHECKPOINT_RESTORE", "CAP_CHOWN", "CAP_CHOWN"]), 2 ** 40 + 1);
  assert.equal(capabilityMask(capabilityNames), 2 ** 41 - 1);
  assert.throws(() => capabilityMask(["CAP_FLY"]), { code: "CONFIG_INVALID", message: 'unknown capability "CAP_FLY"' });
});

/** `#define NAME number` of a kernel header. */
function readDefines(header: string): Map<string, number> {
  const defines = readFileSync(header, "utf8").matchAll(/^#\s*define\s+(\w+)\s+(\d+)\b/gm);
  return new Map([...defines].map(([, name, number]) => [name!, Number(number)]));
}

const capabilityHeader = "/usr/include/linux/capability.h";
test("capability numbers are the kernel's", { skip: !existsSync(capabilityHeader) && "no kernel headers" }, () => {
  const defines = readDefines(capabilityHeader);
  for (const [number, name] of capabilityNames.entries()) assert.equal(defines.get(name), number, name);
});

const resourceHeader = "/usr/include/asm-generic/resource.h";
test("rlimit numbers are the kernel's", { skip: !existsSync(resourceHeader) && "no kernel headers" }, () => {
  const defines = readDefines(resourceHeader);
  const names = [...defines.keys()].filter((name) => name.startsWith("RLIMIT_"));
  assert.equal(names.length, 16);
  for (const name of names) assert.equal(rlimitNumber(name), defines.get(name), name);
  assert.equal(rlimitNumber("RLIMIT_NLIMITS"), undefined);
});

test("isSemanticVersion", () => {
  const yes = ["0.0.0", "1.3.0", "1.0.2-dev", "1.0.0-rc.1", "1.0.0-rc5+dev", "1.0.0+a.01", "10.20.30", "1.0.0-0a"];
  const no = [
    "",
    "1",
    "1.0",
    "1.0.0.0",
    "v1.0.0",
    "01.0.0",
    "1.0.0-",
    "1.0.0-01",
    "1.0.0+",
    "1.0.0-a..b",
    "1.0.x",
    "1.0. 0",
  ];
  for (const version of yes) assert.equal(isSemanticVersion(version), true, version);
  for (const version of no) assert.equal(isSemanticVersion(version), false, version);
});
