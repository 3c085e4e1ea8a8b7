// SPDX-License-Identifier: Apache-2.0
// process: user, groups, umask, capabilities, rlimits, no_new_privs, oom score. Read back from /proc/self inside.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import type { CapabilitySet, Config, Process } from "./support/config.ts";
import { capabilityMask, statusFields } from "./support/inside.ts";
import { execute } from "./support/process.ts";
import { expected, lacking, runtimePath } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const process = (values: Partial<Process>) => (config: Config) => {
  Object.assign(config.process, values);
};
const status = (change?: (config: Config) => void) => statusFields(ws.output("cat /proc/self/status", change));

test("the process has the uid and gid of process.user, in all four kinds", () => {
  const fields = status(process({ user: { uid: 1000, gid: 1001 } }));
  assert.equal(fields.Uid, "1000\t1000\t1000\t1000");
  assert.equal(fields.Gid, "1001\t1001\t1001\t1001");
});

test("the largest uid and gid", lacking({ runc: "1.1 takes no id beyond 2^31" }), () => {
  assert.equal(
    status(process({ user: { uid: 4294967294, gid: 4294967294 } })).Uid,
    "4294967294\t4294967294\t4294967294\t4294967294",
  );
});

test("additionalGids are the supplementary groups", () => {
  const fields = status(process({ user: { uid: 1000, gid: 1000, additionalGids: [5, 10] } }));
  assert.deepEqual(fields.Groups!.split(" ").sort(), ["10", "5"]);
});

test("without additionalGids there are no supplementary groups", () => {
  assert.equal(status(process({ user: { uid: 1000, gid: 1000 } })).Groups, "");
});

test("umask is set", () => {
  assert.equal(status(process({ user: { uid: 0, gid: 0, umask: 0o077 } })).Umask, "0077");
});

test("umask is 022 by default", () => {
  const c = ws.script("cat /proc/self/status");
  const result = execute("sh", [
    "-c",
    'umask 0007; exec "$@"',
    "sh",
    runtimePath,
    ...ws.globalFlags,
    "run",
    "--bundle",
    c.directory,
    c.id,
  ]);
  assert.equal(statusFields(result.stdout).Umask, "0022");
});

const sets: [CapabilitySet, string][] = [
  ["bounding", "CapBnd"],
  ["effective", "CapEff"],
  ["permitted", "CapPrm"],
  ["inheritable", "CapInh"],
  ["ambient", "CapAmb"],
];

for (const [set, field] of sets) {
  test(`the ${set} set is that of the config`, () => {
    // The ambient set is bound by permitted and inheritable, effective by permitted: each test gives what its set needs.
    const wide = ["CAP_CHOWN", "CAP_KILL", "CAP_NET_RAW"];
    const narrow = ["CAP_CHOWN"];
    const capabilities: Partial<Record<CapabilitySet, string[]>> = {
      bounding: wide,
      permitted: wide,
      effective: wide,
      inheritable: wide,
    };
    if (set === "ambient") capabilities.ambient = narrow;
    if (set === "bounding") for (const [other] of sets) capabilities[other] = narrow;
    else capabilities[set] = narrow;
    if (set === "permitted") capabilities.effective = narrow;
    assert.equal(
      status(process({ capabilities, user: { uid: 1000, gid: 1000 } }))[field],
      execOutcome(set, capabilities),
    );
  });
}

/** What execve(2) of a program without file capabilities makes of the sets, for a user that is not root. */
function execOutcome(set: CapabilitySet, capabilities: Partial<Record<CapabilitySet, string[]>>): string {
  const kept = set === "effective" || set === "permitted" ? (capabilities.ambient ?? []) : (capabilities[set] ?? []);
  return capabilityMask(kept);
}

test("root has the permitted and effective capabilities of the config", () => {
  const names = ["CAP_CHOWN", "CAP_NET_RAW"];
  const fields = status(process({ capabilities: { bounding: names, permitted: names, effective: names } }));
  for (const [set, field] of sets) {
    assert.equal(fields[field], capabilityMask(set === "inheritable" || set === "ambient" ? [] : names), set);
  }
});

test("ambient capabilities survive execve for a user that is not root", () => {
  const names = ["CAP_NET_RAW"];
  const fields = status(
    process({
      capabilities: { bounding: names, permitted: names, effective: names, inheritable: names, ambient: names },
      user: { uid: 1000, gid: 1000 },
    }),
  );
  for (const [set, field] of sets) assert.equal(fields[field], capabilityMask(names), set);
});

test("empty sets leave nothing", () => {
  const fields = status(process({ capabilities: { bounding: [], permitted: [], effective: [] } }));
  for (const [set, field] of sets) assert.equal(fields[field], capabilityMask([]), set);
});

test("a capability that is not given is missing when it counts", () => {
  const chown = (names: string[]) =>
    ws.runScript(
      "touch /dev/shm/x && chown 5 /dev/shm/x",
      process({ capabilities: { bounding: names, permitted: names, effective: names } }),
    );
  assert.equal(chown(["CAP_CHOWN"]).status, 0);
  assert.notEqual(chown(["CAP_KILL"]).status, 0);
});

test("noNewPrivileges", () => {
  assert.equal(status(process({ noNewPrivileges: true })).NoNewPrivs, "1");
  assert.equal(status(process({ noNewPrivileges: false })).NoNewPrivs, "0");
});

for (const [type, field, soft, hard] of [
  ["RLIMIT_NOFILE", "Max open files", 128, 256],
  ["RLIMIT_NPROC", "Max processes", 100, 200],
  ["RLIMIT_CORE", "Max core file size", 0, 0],
  ["RLIMIT_STACK", "Max stack size", 1048576, 2097152],
  ["RLIMIT_FSIZE", "Max file size", 4096, 8192],
  ["RLIMIT_AS", "Max address space", 1073741824, 2147483648],
  ["RLIMIT_CPU", "Max cpu time", 100, 200],
  ["RLIMIT_MEMLOCK", "Max locked memory", 4096, 8192],
  ["RLIMIT_MSGQUEUE", "Max msgqueue size", 4096, 8192],
  ["RLIMIT_SIGPENDING", "Max pending signals", 10, 20],
] as const) {
  test(`${type} is set`, () => {
    const line = ws.output(`grep '^${field} ' /proc/self/limits`, process({ rlimits: [{ type, soft, hard }] }));
    assert.match(line, new RegExp(`^${field} +${soft} +${hard} `));
  });
}

test("an unknown resource limit is refused", () => {
  const c = ws.bundle(process({ rlimits: [{ type: "RLIMIT_NOSUCH", soft: 1, hard: 1 }] }));
  assert.notEqual(c.create().status, 0);
  ws.assertNothingLeft();
});

test(
  "a resource limit that is named twice is refused",
  lacking({ runc: "1.1 takes the last", crun: "takes the last" }),
  () => {
    const limit = { type: "RLIMIT_NOFILE", soft: 10, hard: 10 };
    const c = ws.bundle(process({ rlimits: [limit, limit] }));
    assert.notEqual(c.create().status, 0);
    ws.assertNothingLeft();
  },
);

test("a soft limit above the hard one is refused", () => {
  const c = ws.bundle(process({ rlimits: [{ type: "RLIMIT_NOFILE", soft: 20, hard: 10 }] }));
  assert.notEqual(c.create().status, 0);
  ws.assertNothingLeft();
});

test("limits that are not named are the caller's", () => {
  const inside = ws.output("grep '^Max file locks' /proc/self/limits", process({ rlimits: [] }));
  assert.equal(inside.trim(), execute("grep", ["^Max file locks", "/proc/self/limits"]).stdout.trim());
});

test("oomScoreAdj is set", () => {
  assert.equal(ws.output("cat /proc/self/oom_score_adj", process({ oomScoreAdj: 500 })), "500");
});

test("oomScoreAdj beyond 1000 is refused", () => {
  const c = ws.bundle(process({ oomScoreAdj: 1001 }));
  assert.notEqual(c.create().status, 0);
  ws.assertNothingLeft();
});

test("the process ignores and blocks no signals", () => {
  const fields = status();
  assert.equal(fields.SigBlk, "0000000000000000");
  // SIGPIPE is ignored by many callers; it must not be handed on.
  assert.equal(BigInt(`0x${fields.SigIgn}`) & ~0x6n, 0n, "beyond what the shell itself ignores");
});

const hasModule = ["/sys/fs/selinux/enforce", "/sys/module/apparmor"].some((path) => existsSync(path));
const withoutModules = hasModule ? { skip: "this host has AppArmor or SELinux" } : {};

for (const [name, path, change] of [
  ["AppArmor", "process.apparmorProfile", process({ apparmorProfile: "edge" })],
  ["SELinux", "process.selinuxLabel", process({ selinuxLabel: "system_u:system_r:container_t:s0" })],
  [
    "SELinux",
    "linux.mountLabel",
    (config: Config) => Object.assign(config.linux, { mountLabel: "system_u:object_r:container_file_t:s0" }),
  ],
] as const) {
  test(`${path} without ${name}: refused by name`, {
    ...lacking({ crun: "starts it without" }),
    ...withoutModules,
  }, () => {
    const result = ws.runScript("echo started", change);
    assert.equal(result.stdout, "");
    assert.notEqual(result.status, 0);
    const text = `config.json: $.${path}: ${name} is not enabled on this host`;
    assert.ok(result.stderr.includes(expected({ runc: "", crun: "", edgerun: text })), result.stderr);
    ws.assertNothingLeft();
  });
}
