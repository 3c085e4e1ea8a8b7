// SPDX-License-Identifier: Apache-2.0
// Every rule of config.json with a document that keeps it and one that breaks it. A document is the base below with
// some places changed; undefined removes a property.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EdgerunError } from "../../src/errors.ts";
import type { Json } from "../../src/host/functions.ts";
import { decodeSpec } from "../../src/spec/decode.ts";

type Changes = { [place: string]: unknown };

function makeConfig(changes: Changes): Json {
  const config = {
    ociVersion: "1.3.0",
    process: { user: { uid: 0, gid: 0 }, args: ["/bin/true"], cwd: "/" },
    root: { path: "rootfs" },
    mounts: [{ destination: "/proc", type: "proc", source: "proc" }],
    linux: {
      namespaces: [{ type: "pid" }, { type: "mount" }, { type: "ipc" }, { type: "uts" }, { type: "network" }],
    },
  };
  for (const [place, value] of Object.entries(changes)) {
    const names = place.split(".");
    let parent = config as Record<string, unknown>;
    for (const name of names.slice(0, -1)) {
      parent[name] ??= {};
      parent = parent[name] as Record<string, unknown>;
    }
    if (value === undefined) delete parent[names.at(-1)!];
    else parent[names.at(-1)!] = value;
  }
  return config as Json;
}

const userNamespace = [{ type: "user" }];
const oneId = [{ containerID: 0, hostID: 1000, size: 1 }];
const inNetworkNamespace = { "linux.namespaces": [{ type: "network" }] };
const inUserNamespace = { "linux.namespaces": userNamespace, "linux.uidMappings": oneId, "linux.gidMappings": oneId };
const syscall = { names: ["chmod"], action: "SCMP_ACT_ERRNO" };
const device = { path: "/dev/x", type: "c", major: 1, minor: 3 };

const rules: { rule: string; keeps: Changes; breaks: Changes; message: string }[] = [
  {
    rule: "ociVersion is semantic",
    keeps: { ociVersion: "1.0.2-rc.1+build" },
    breaks: { ociVersion: "abc" },
    message: '$.ociVersion: expected a semantic version such as 1.3.0, found "abc"',
  },
  {
    rule: "ociVersion has three parts",
    keeps: { ociVersion: "1.0.0" },
    breaks: { ociVersion: "1.0" },
    message: '$.ociVersion: expected a semantic version such as 1.3.0, found "1.0"',
  },
  {
    rule: "ociVersion is 1.x",
    keeps: { ociVersion: "1.99.0" },
    breaks: { ociVersion: "2.0.0" },
    message: '$.ociVersion: version "2.0.0" is not supported, only 1.x is',
  },
  { rule: "root", keeps: {}, breaks: { root: undefined }, message: "$.root: required, but missing" },
  {
    rule: "root.path",
    keeps: { "root.path": "/var/lib/rootfs" },
    breaks: { "root.path": "" },
    message: '$.root.path: expected a string that is not empty, found ""',
  },
  {
    rule: "process.args has items",
    keeps: { "process.args": ["sh"] },
    breaks: { "process.args": [] },
    message: "$.process.args: must not be empty",
  },
  {
    rule: "process.args[0] is not empty",
    keeps: { "process.args": ["sh", ""] },
    breaks: { "process.args": [""] },
    message: "$.process.args[0]: must not be empty",
  },
  {
    rule: "process.cwd is absolute",
    keeps: { "process.cwd": "/home" },
    breaks: { "process.cwd": "home" },
    message: '$.process.cwd: expected an absolute path, found "home"',
  },
  {
    rule: "process.user.uid is a u32",
    keeps: { "process.user.uid": 4294967295 },
    breaks: { "process.user.uid": "x" },
    message: '$.process.user.uid: expected an integer between 0 and 4294967295, found "x"',
  },
  {
    rule: "env has names",
    keeps: { "process.env": ["A=1", "B=", "C=x=y"] },
    breaks: { "process.env": ["A=1", "B"] },
    message: '$.process.env[1]: expected NAME=value, found "B"',
  },
  {
    rule: "env names are not empty",
    keeps: { "process.env": ["_=1"] },
    breaks: { "process.env": ["=1"] },
    message: '$.process.env[0]: expected NAME=value, found "=1"',
  },
  {
    rule: "env without NUL",
    keeps: { "process.env": ["A=\n"] },
    breaks: { "process.env": ["A=\0"] },
    message: '$.process.env[0]: expected a string without NUL, found "A=\\u0000"',
  },
  {
    rule: "rlimit types",
    keeps: { "process.rlimits": [{ type: "RLIMIT_RTTIME", soft: 1, hard: 1 }] },
    breaks: { "process.rlimits": [{ type: "RLIMIT_FOO", soft: 1, hard: 1 }] },
    message: '$.process.rlimits[0].type: unknown resource "RLIMIT_FOO"',
  },
  {
    rule: "rlimits once each",
    keeps: {
      "process.rlimits": [
        { type: "RLIMIT_CPU", soft: 1, hard: 1 },
        { type: "RLIMIT_AS", soft: 1, hard: 1 },
      ],
    },
    breaks: {
      "process.rlimits": [
        { type: "RLIMIT_CPU", soft: 1, hard: 1 },
        { type: "RLIMIT_CPU", soft: 1, hard: 1 },
      ],
    },
    message: "$.process.rlimits[1].type: duplicate RLIMIT_CPU",
  },
  {
    rule: "soft limits below hard ones",
    keeps: { "process.rlimits": [{ type: "RLIMIT_CPU", soft: 9, hard: 18446744073709551615n }] },
    breaks: { "process.rlimits": [{ type: "RLIMIT_CPU", soft: 10, hard: 9 }] },
    message: "$.process.rlimits[0].soft: 10 is above the hard limit 9",
  },
  {
    rule: "scheduler.priority is for real time",
    keeps: { "process.scheduler": { policy: "SCHED_RR", priority: 3 } },
    breaks: { "process.scheduler": { policy: "SCHED_OTHER", priority: 3 } },
    message: "$.process.scheduler.priority: only for SCHED_FIFO and SCHED_RR, not for SCHED_OTHER",
  },
  {
    rule: "scheduler.deadline is for SCHED_DEADLINE",
    keeps: { "process.scheduler": { policy: "SCHED_DEADLINE", runtime: 1, deadline: 2, period: 3 } },
    breaks: { "process.scheduler": { policy: "SCHED_BATCH", deadline: 2 } },
    message: "$.process.scheduler.deadline: only for SCHED_DEADLINE, not for SCHED_BATCH",
  },
  {
    rule: "oomScoreAdj",
    keeps: { "process.oomScoreAdj": -1000 },
    breaks: { "process.oomScoreAdj": 1001 },
    message: "$.process.oomScoreAdj: expected an integer between -1000 and 1000, found 1001",
  },
  {
    rule: "hook paths are absolute",
    keeps: { "hooks.prestart": [{ path: "/bin/true" }] },
    breaks: { "hooks.prestart": [{ path: "true" }] },
    message: '$.hooks.prestart[0].path: expected an absolute path, found "true"',
  },
  {
    rule: "hook timeouts are positive",
    keeps: { "hooks.poststop": [{ path: "/bin/true", timeout: 1 }] },
    breaks: { "hooks.poststop": [{ path: "/bin/true", timeout: 0 }] },
    message: "$.hooks.poststop[0].timeout: expected an integer between 1 and 2147483647, found 0",
  },
  {
    rule: "annotations have names",
    keeps: { annotations: { a: "" } },
    breaks: { annotations: { "": "a" } },
    message: "$.annotations: names must not be empty",
  },
  {
    rule: "mounts have a destination",
    keeps: { mounts: [{ destination: "/a" }] },
    breaks: { mounts: [{ destination: "" }] },
    message: '$.mounts[0].destination: expected a string that is not empty, found ""',
  },
  {
    rule: "id mappings of mounts come in pairs",
    keeps: { mounts: [{ destination: "/a", uidMappings: oneId, gidMappings: oneId }] },
    breaks: { mounts: [{ destination: "/a", uidMappings: oneId }] },
    message: "$.mounts[0]: uidMappings and gidMappings go together",
  },
  {
    rule: "hostname needs a uts namespace",
    keeps: { hostname: "meter-7" },
    breaks: { hostname: "meter-7", "linux.namespaces": [] },
    message: "$.hostname: needs a uts namespace",
  },
  {
    rule: "hostname without linux",
    keeps: { hostname: "", linux: undefined },
    breaks: { hostname: "meter-7", linux: undefined },
    message: "$.hostname: needs a uts namespace",
  },
  {
    rule: "domainname needs a uts namespace",
    keeps: { domainname: "example.com", "linux.namespaces": [{ type: "uts", path: "/run/netns/a" }] },
    breaks: { domainname: "example.com", "linux.namespaces": [] },
    message: "$.domainname: needs a uts namespace",
  },
  {
    rule: "hostname fits the kernel",
    keeps: { hostname: "x".repeat(64) },
    breaks: { hostname: "x".repeat(65) },
    message: "$.hostname: longer than 64 bytes",
  },
  {
    rule: "namespace types",
    keeps: { "linux.namespaces": [{ type: "cgroup" }] },
    breaks: { "linux.namespaces": [{ type: "net" }] },
    message:
      '$.linux.namespaces[0].type: expected one of pid, network, mount, ipc, uts, user, cgroup, time, found "net"',
  },
  {
    rule: "namespaces once each",
    keeps: { "linux.namespaces": [{ type: "pid" }, { type: "ipc" }] },
    breaks: { "linux.namespaces": [{ type: "pid" }, { type: "pid", path: "/proc/1/ns/pid" }] },
    message: "$.linux.namespaces[1].type: duplicate pid",
  },
  {
    rule: "namespace paths are absolute",
    keeps: { "linux.namespaces": [{ type: "pid", path: "/proc/1/ns/pid" }] },
    breaks: { "linux.namespaces": [{ type: "pid", path: "" }] },
    message: '$.linux.namespaces[0].path: expected an absolute path, found ""',
  },
  {
    rule: "uidMappings need a user namespace",
    keeps: inUserNamespace,
    breaks: { "linux.uidMappings": oneId },
    message: "$.linux.uidMappings: needs a user namespace",
  },
  {
    rule: "gidMappings need a user namespace",
    keeps: inUserNamespace,
    breaks: { "linux.gidMappings": oneId },
    message: "$.linux.gidMappings: needs a user namespace",
  },
  {
    rule: "a new user namespace needs mappings",
    keeps: { "linux.namespaces": [{ type: "user", path: "/proc/1/ns/user" }] },
    breaks: { "linux.namespaces": userNamespace, "linux.uidMappings": oneId },
    message: "$.linux.gidMappings: a new user namespace needs at least one mapping",
  },
  {
    rule: "mappings are not empty",
    keeps: inUserNamespace,
    breaks: { ...inUserNamespace, "linux.uidMappings": [{ containerID: 0, hostID: 0, size: 0 }] },
    message: "$.linux.uidMappings[0].size: expected an integer between 1 and 4294967295, found 0",
  },
  {
    rule: "mappings stay within the ids",
    keeps: { ...inUserNamespace, "linux.uidMappings": [{ containerID: 0, hostID: 0, size: 4294967295 }] },
    breaks: { ...inUserNamespace, "linux.uidMappings": [{ containerID: 0, hostID: 1, size: 4294967295 }] },
    message: "$.linux.uidMappings[0]: reaches beyond the largest id, 4294967294",
  },
  {
    rule: "time offsets need a time namespace",
    keeps: { "linux.namespaces": [{ type: "time" }], "linux.timeOffsets": { boottime: { secs: -5, nanosecs: 1 } } },
    breaks: { "linux.timeOffsets": { boottime: { secs: 5 } } },
    message: "$.linux.timeOffsets: needs a time namespace",
  },
  {
    rule: "time offsets need a new time namespace",
    keeps: { "linux.namespaces": [{ type: "time", path: "/proc/1/ns/time" }], "linux.timeOffsets": {} },
    breaks: {
      "linux.namespaces": [{ type: "time", path: "/proc/1/ns/time" }],
      "linux.timeOffsets": { monotonic: { secs: 5 } },
    },
    message: "$.linux.timeOffsets: needs a new time namespace, not a joined one",
  },
  {
    rule: "clocks of time offsets",
    keeps: { "linux.namespaces": [{ type: "time" }], "linux.timeOffsets": { monotonic: {} } },
    breaks: { "linux.namespaces": [{ type: "time" }], "linux.timeOffsets": { realtime: {} } },
    message: "$.linux.timeOffsets.realtime: unknown clock, only monotonic and boottime are known",
  },
  {
    rule: "network interfaces need a network namespace",
    keeps: { "linux.netDevices": { eth0: {} }, "linux.namespaces": [{ type: "network" }] },
    breaks: { "linux.netDevices": { eth0: {} }, "linux.namespaces": [{ type: "mount" }] },
    message: "$.linux.netDevices.eth0: needs a network namespace",
  },
  ...["a/b", ".", "..", "eth:0", "eth 0", "0123456789abcdef", "%s", "eth%d%d"].map((name) => ({
    rule: `names of network interfaces: ${name}`,
    keeps: { "linux.netDevices": { eth0: { name: "eth%d" }, a: { name: "0123456789abcde" } }, ...inNetworkNamespace },
    breaks: { "linux.netDevices": { eth0: { name } }, ...inNetworkNamespace },
    message: `$.linux.netDevices.eth0.name: "${name}" is not the name of a network interface`,
  })),
  {
    rule: "interfaces of the host have no templates for names",
    keeps: { "linux.netDevices": { eth0: { name: "" } }, ...inNetworkNamespace },
    breaks: { "linux.netDevices": { "eth%d": {} }, ...inNetworkNamespace },
    message: '$.linux.netDevices["eth%d"]: is not the name of a network interface',
  },
  {
    rule: "two interfaces can't have one name",
    keeps: { "linux.netDevices": { eth0: { name: "a%d" }, eth1: { name: "a%d" } }, ...inNetworkNamespace },
    breaks: { "linux.netDevices": { eth0: { name: "eth1" }, eth1: {} }, ...inNetworkNamespace },
    message: '$.linux.netDevices.eth1: a second "eth1"',
  },
  {
    rule: "maskedPaths are absolute",
    keeps: { "linux.maskedPaths": ["/proc/kcore"] },
    breaks: { "linux.maskedPaths": ["proc/kcore"] },
    message: '$.linux.maskedPaths[0]: expected an absolute path, found "proc/kcore"',
  },
  {
    rule: "maskedPaths need a mount namespace",
    keeps: { "linux.maskedPaths": [], "linux.namespaces": [] },
    breaks: { "linux.maskedPaths": ["/proc/kcore"], "linux.namespaces": [] },
    message: "$.linux.maskedPaths: needs a mount namespace",
  },
  {
    rule: "readonlyPaths are absolute",
    keeps: { "linux.readonlyPaths": ["/proc/sys"] },
    breaks: { "linux.readonlyPaths": ["/proc/sys", ""] },
    message: '$.linux.readonlyPaths[1]: expected an absolute path, found ""',
  },
  {
    rule: "readonlyPaths need a mount namespace",
    keeps: { "linux.readonlyPaths": ["/proc/sys"], "linux.namespaces": [{ type: "mount" }] },
    breaks: { "linux.readonlyPaths": ["/proc/sys"], "linux.namespaces": [] },
    message: "$.linux.readonlyPaths: needs a mount namespace",
  },
  {
    rule: "rootfsPropagation",
    keeps: { "linux.rootfsPropagation": "rslave" },
    breaks: { "linux.rootfsPropagation": "rw" },
    message:
      '$.linux.rootfsPropagation: expected one of shared, rshared, slave, rslave, private, rprivate, unbindable, runbindable, found "rw"',
  },
  {
    rule: "device types",
    keeps: { "linux.devices": [{ path: "/dev/fifo", type: "p" }] },
    breaks: { "linux.devices": [{ ...device, type: "a" }] },
    message: '$.linux.devices[0].type: expected one of c, b, u, p, found "a"',
  },
  {
    rule: "devices have numbers",
    keeps: { "linux.devices": [device] },
    breaks: { "linux.devices": [{ path: "/dev/x", type: "c", major: 1 }] },
    message: "$.linux.devices[0].minor: required for type c, but missing",
  },
  {
    rule: "device paths are absolute",
    keeps: { "linux.devices": [device] },
    breaks: { "linux.devices": [device, { ...device, path: "dev/x" }] },
    message: '$.linux.devices[1].path: expected an absolute path, found "dev/x"',
  },
  {
    rule: "personality has no flags",
    keeps: { "linux.personality": { domain: "LINUX32", flags: [] } },
    breaks: { "linux.personality": { domain: "LINUX", flags: ["X"] } },
    message: "$.linux.personality.flags: no flags are defined",
  },
  {
    rule: "seccomp actions",
    keeps: { "linux.seccomp": { defaultAction: "SCMP_ACT_KILL_PROCESS" } },
    breaks: { "linux.seccomp": { defaultAction: "SCMP_ACT_LOG", syscalls: [{ ...syscall, action: "DENY" }] } },
    message:
      "$.linux.seccomp.syscalls[0].action: expected one of SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, " +
      'SCMP_ACT_TRAP, SCMP_ACT_ERRNO, SCMP_ACT_TRACE, SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY, found "DENY"',
  },
  {
    rule: "seccomp rules name system calls",
    keeps: { "linux.seccomp": { defaultAction: "SCMP_ACT_ALLOW", syscalls: [syscall] } },
    breaks: { "linux.seccomp": { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ ...syscall, names: [] }] } },
    message: "$.linux.seccomp.syscalls[0].names: must not be empty",
  },
  {
    rule: "seccomp errnoRet",
    keeps: { "linux.seccomp": { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ ...syscall, errnoRet: 38 }] } },
    breaks: {
      "linux.seccomp": {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ names: ["chmod"], action: "SCMP_ACT_KILL", errnoRet: 38 }],
      },
    },
    message: "$.linux.seccomp.syscalls[0].errnoRet: not for SCMP_ACT_KILL",
  },
  {
    rule: "seccomp defaultErrnoRet",
    keeps: { "linux.seccomp": { defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 38 } },
    breaks: { "linux.seccomp": { defaultAction: "SCMP_ACT_ALLOW", defaultErrnoRet: 38 } },
    message: "$.linux.seccomp.defaultErrnoRet: not for SCMP_ACT_ALLOW",
  },
  {
    rule: "seccomp listenerMetadata",
    keeps: { "linux.seccomp": { defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/run/a", listenerMetadata: "m" } },
    breaks: { "linux.seccomp": { defaultAction: "SCMP_ACT_ALLOW", listenerMetadata: "m" } },
    message: "$.linux.seccomp.listenerMetadata: needs listenerPath",
  },
  {
    rule: "seccomp argument index",
    keeps: {
      "linux.seccomp": {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ ...syscall, args: [{ index: 5, value: 1, op: "SCMP_CMP_EQ" }] }],
      },
    },
    breaks: {
      "linux.seccomp": {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{ ...syscall, args: [{ index: 6, value: 1, op: "SCMP_CMP_EQ" }] }],
      },
    },
    message: "$.linux.seccomp.syscalls[0].args[0].index: expected an integer between 0 and 5, found 6",
  },
  {
    rule: "device rules",
    keeps: { "linux.resources.devices": [{ allow: true, type: "c", major: 1, minor: -1, access: "mrw" }] },
    breaks: { "linux.resources.devices": [{ allow: true, access: "rwx" }] },
    message: '$.linux.resources.devices[0].access: expected some of the letters rwm, found "rwx"',
  },
  {
    rule: "huge page sizes",
    keeps: { "linux.resources.hugepageLimits": [{ pageSize: "64KB", limit: 0 }] },
    breaks: { "linux.resources.hugepageLimits": [{ pageSize: "2M", limit: 0 }] },
    message: '$.linux.resources.hugepageLimits[0].pageSize: expected a size such as 2MB, found "2M"',
  },
  {
    rule: "names of unified resources",
    keeps: { "linux.resources.unified": { "memory.high": "max" } },
    breaks: { "linux.resources.unified": { "../memory.high": "max" } },
    message: '$.linux.resources.unified["../memory.high"]: expected a name such as memory.high',
  },
];

for (const { rule, keeps, breaks, message } of rules) {
  test(`config.json: ${rule}`, () => {
    assert.deepEqual(decodeSpec(makeConfig(keeps)).warnings, []);
    assert.throws(
      () => decodeSpec(makeConfig(breaks)),
      (error) => {
        assert.ok(error instanceof EdgerunError);
        assert.equal(error.code, "CONFIG_INVALID");
        assert.equal(error.message, `config.json: ${message}`);
        return true;
      },
    );
  });
}

/** What is accepted with a warning, and what becomes of it. */
const changed: { what: string; changes: Changes; warning: string; result: Changes }[] = [
  {
    what: "unknown properties",
    changes: { "process.futureProperty": 1, "process.env": null },
    warning: "$.process.futureProperty: unknown property, ignored",
    result: {},
  },
  {
    what: "unknown capabilities",
    changes: { "process.capabilities": { bounding: ["CAP_KILL", "CAP_FLY"], effective: ["CAP_KILL"] } },
    warning: '$.process.capabilities.bounding: unknown capabilities ignored: "CAP_FLY"',
    result: { "process.capabilities": { bounding: ["CAP_KILL"], effective: ["CAP_KILL"] } },
  },
  {
    what: "relative mount destinations",
    changes: { mounts: [{ destination: "/a" }, { destination: "data" }] },
    warning: '$.mounts[1].destination: not absolute, taken as "/data"',
    result: { mounts: [{ destination: "/a" }, { destination: "/data" }] },
  },
];

for (const { what, changes, warning, result } of changed) {
  test(`config.json, with a warning: ${what}`, () => {
    const { spec, warnings } = decodeSpec(makeConfig(changes));
    assert.deepEqual(warnings, [`config.json: ${warning}`]);
    assert.deepEqual(spec, decodeSpec(makeConfig(result)).spec);
  });
}

test("without a process there is one that has nothing to start, and a warning", () => {
  const { spec, warnings } = decodeSpec(makeConfig({ process: undefined }));
  assert.deepEqual(spec.process, { user: { uid: 0, gid: 0 }, cwd: "/", args: [] });
  assert.deepEqual(warnings, ["config.json: $.process: missing: the container will end when it is started"]);
});
