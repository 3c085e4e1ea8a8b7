// SPDX-License-Identifier: Apache-2.0
// linux.seccomp: each filter is tested by what a program sees, with a twin that runs without it.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { type Config, type Seccomp, type SyscallRule, setCapabilities } from "./support/config.ts";
import { needsStrace } from "./support/fault.ts";
import { statusFields } from "./support/inside.ts";
import { execute } from "./support/process.ts";
import { lacking, runtimePath } from "./support/runtime.ts";
import { engineProfile, resolveProfile, traceSeccomp } from "./support/seccomp.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const withFilter = (seccomp: Seccomp, more?: (config: Config) => void) => (config: Config) => {
  config.linux.seccomp = seccomp;
  more?.(config);
};
/** Everything is allowed but these. */
const except = (...syscalls: SyscallRule[]): Seccomp => ({ defaultAction: "SCMP_ACT_ALLOW", syscalls });
// `hostname NAME` calls sethostname(2) and nothing else that is unusual.
const setHostname = "hostname meter-8";
const admin = (config: Config) => setCapabilities(config, ["CAP_SYS_ADMIN"]);
const edgerunOnly = lacking({ runc: "tests edgerun's own message", crun: "tests edgerun's own message" });
const profileSkip = existsSync(engineProfile) ? {} : { skip: `no ${engineProfile}` };

test("without a profile there is no filter", () => {
  assert.equal(statusFields(ws.output("cat /proc/self/status")).Seccomp, "0");
  assert.equal(ws.runScript(setHostname, admin).status, 0);
});

test("SCMP_ACT_ERRNO fails the call with EPERM", () => {
  const result = ws.runScript(
    setHostname,
    withFilter(except({ names: ["sethostname"], action: "SCMP_ACT_ERRNO" }), admin),
  );
  assert.notEqual(result.status, 0);
  assert.match(result.stderr, /Operation not permitted/);
});

test("errnoRet is the error", () => {
  const rule = { names: ["sethostname"], action: "SCMP_ACT_ERRNO", errnoRet: 38 };
  assert.match(ws.runScript(setHostname, withFilter(except(rule), admin)).stderr, /Function not implemented/);
});

test("a filter is in force though no_new_privs is off", () => {
  const change = withFilter(except({ names: ["sethostname"], action: "SCMP_ACT_ERRNO" }), (config) => {
    admin(config);
    config.process.noNewPrivileges = false;
  });
  const result = ws.runScript(`grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status; ${setHostname}`, change);
  assert.equal(result.stdout, "NoNewPrivs:\t0\nSeccomp:\t2\n");
  assert.notEqual(result.status, 0);
});

test("exec is under the container's filter", () => {
  const c = ws.running(withFilter(except({ names: ["sethostname"], action: "SCMP_ACT_ERRNO" }), admin));
  assert.match(c.exec(["sh", "-c", setHostname]).stderr, /Operation not permitted/);
});

for (const action of ["SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS"]) {
  test(`${action} ends the process with SIGSYS`, () => {
    assert.equal(
      ws.runScript(`${setHostname}; exit $?`, withFilter(except({ names: ["sethostname"], action }), admin)).status,
      128 + 31,
    );
  });
}

test("SCMP_ACT_TRAP sends SIGSYS", () => {
  assert.equal(
    ws.runScript(
      `${setHostname}; exit $?`,
      withFilter(except({ names: ["sethostname"], action: "SCMP_ACT_TRAP" }), admin),
    ).status,
    159,
  );
});

test("SCMP_ACT_LOG lets the call through", () => {
  assert.equal(
    ws.runScript(setHostname, withFilter(except({ names: ["sethostname"], action: "SCMP_ACT_LOG" }), admin)).status,
    0,
  );
});

const tracedCall = (errnoRet?: number): SyscallRule => ({
  names: ["chdir"],
  action: "SCMP_ACT_TRACE",
  ...(errnoRet === undefined ? {} : { errnoRet }),
});
// A builtin of the shell, again and again, in the container's first process.
const changeDirectory = "while :; do cd /tmp 2>/dev/null; sleep 0.02; done";

for (const [errnoRet, message] of [
  [undefined, 1 /* EPERM */],
  [4711, 4711],
] as const) {
  test(`SCMP_ACT_TRACE tells its tracer errnoRet ${errnoRet ?? "(absent)"}`, () => {
    const c = ws.script(changeDirectory, withFilter(except(tracedCall(errnoRet))));
    c.succeed("run", "--detach", "--bundle", c.directory, c.id);
    assert.equal(traceSeccomp("message", c.pid), message);
  });
}

test("without a tracer, SCMP_ACT_TRACE is ENOSYS", () => {
  assert.match(ws.runScript("cd /tmp", withFilter(except(tracedCall()))).stderr, /Function not implemented/);
});

test("defaultErrnoRet is the error of what no rule names", profileSkip, () => {
  const profile = { ...resolveProfile(engineProfile, []), defaultErrnoRet: 18 };
  profile.syscalls = profile.syscalls!.filter(({ names }) => !names.includes("sethostname"));
  const result = ws.runScript(setHostname, withFilter(profile, admin));
  assert.match(result.stderr, /Invalid cross-device link/);
});

const flag = { log: "SECCOMP_FILTER_FLAG_LOG", spec: "SECCOMP_FILTER_FLAG_SPEC_ALLOW" };

test("SECCOMP_FILTER_FLAG_LOG is set on the filter, and only where the profile says so", () => {
  const filter = except({ names: ["sethostname"], action: "SCMP_ACT_ERRNO" });
  const flagsOf = (flags: string[]) => traceSeccomp("flags", ws.running(withFilter({ ...filter, flags })).pid);
  assert.equal(flagsOf([flag.log]), 2);
  assert.equal(flagsOf([flag.log, flag.spec]), 2); // the kernel tells of no other
  assert.equal(flagsOf([]), 0);
});

test("flags that the process can't be told from are taken: SPEC_ALLOW, TSYNC", () => {
  for (const name of [flag.spec, "SECCOMP_FILTER_FLAG_TSYNC"]) {
    const filter = { ...except({ names: ["sethostname"], action: "SCMP_ACT_ERRNO" }), flags: [name] };
    assert.equal(statusFields(ws.output("cat /proc/self/status", withFilter(filter))).Seccomp, "2");
  }
});

test("a flag that the kernel does not know fails the start, by its name", { ...needsStrace, ...edgerunOnly }, () => {
  const filter = { ...except({ names: ["sethostname"], action: "SCMP_ACT_ERRNO" }), flags: [flag.log] };
  const c = ws.bundle(withFilter(filter));
  // As a kernel before 4.14 answers, to every seccomp(2) with a flag.
  const inject = ["-f", "-qq", "-o", "/dev/null", "-e", "inject=seccomp:error=EINVAL"];
  const result = execute("strace", [...inject, runtimePath, ...ws.globalFlags, "run", "-b", c.directory, c.id]);
  assert.match(result.stderr, /load seccomp filter: this kernel does not support SECCOMP_FILTER_FLAG_LOG/);
  assert.equal(result.status, 1);
  ws.assertNothingLeft();
});

for (const [op, value, valueTwo, refused] of [
  ["SCMP_CMP_EQ", 15, 0, [15]],
  ["SCMP_CMP_NE", 15, 0, [10, 12]],
  ["SCMP_CMP_GT", 12, 0, [15]],
  ["SCMP_CMP_GE", 12, 0, [12, 15]],
  ["SCMP_CMP_LT", 12, 0, [10]],
  ["SCMP_CMP_LE", 12, 0, [10, 12]],
  ["SCMP_CMP_MASKED_EQ", 12, 8, [10]] /* value is the mask, valueTwo what must be left */,
] as const) {
  test(`${op} compares an argument`, () => {
    // kill(pid, signal) with three signals that the shell ignores; the filter looks at the signal.
    const script = "trap '' 10 12 15; for s in 10 12 15; do kill -$s $$ 2>/dev/null || echo $s; done";
    const rule = { names: ["kill"], action: "SCMP_ACT_ERRNO", args: [{ index: 1, value, valueTwo, op }] };
    assert.equal(ws.output(script, withFilter(except(rule))), refused.join("\n"));
  });
}

test("two conditions on different arguments must both hold", () => {
  const args = [
    { index: 0, value: 1, op: "SCMP_CMP_EQ" },
    { index: 1, value: 12, op: "SCMP_CMP_EQ" },
  ];
  const script = "trap '' 10 12; for s in 10 12; do kill -$s $$ 2>/dev/null || echo $s; done";
  assert.equal(ws.output(script, withFilter(except({ names: ["kill"], action: "SCMP_ACT_ERRNO", args }))), "12");
});

test("a system call that this kernel or library does not know is passed over", () => {
  const change = withFilter(except({ names: ["no_such_call", "sethostname"], action: "SCMP_ACT_ERRNO" }), admin);
  assert.match(ws.runScript(setHostname, change).stderr, /Operation not permitted/);
});

test("an unknown action is refused", () => {
  const c = ws.bundle(withFilter(except({ names: ["kill"], action: "SCMP_ACT_MAYBE" })));
  assert.notEqual(c.create().status, 0);
  ws.assertNothingLeft();
});

test("an unknown comparison is refused", () => {
  const args = [{ index: 0, value: 1, op: "SCMP_CMP_LIKE" }];
  const c = ws.bundle(withFilter(except({ names: ["kill"], action: "SCMP_ACT_ERRNO", args })));
  assert.notEqual(c.create().status, 0);
  ws.assertNothingLeft();
});

test("an unknown architecture is refused", () => {
  const c = ws.bundle(withFilter({ ...except(), architectures: ["SCMP_ARCH_ABACUS"] }));
  assert.notEqual(c.create().status, 0);
  ws.assertNothingLeft();
});

test("an unknown flag is refused", lacking({ crun: "takes it" }), () => {
  const c = ws.bundle(
    withFilter({ ...except({ names: ["kill"], action: "SCMP_ACT_ERRNO" }), flags: ["SECCOMP_FILTER_FLAG_MAYBE"] }),
  );
  assert.notEqual(c.create().status, 0);
  ws.assertNothingLeft();
});

/** The engines' profile for the capabilities that the default config gives. */
const engineFilter = (names: readonly string[]) => (config: Config) => {
  setCapabilities(config, names);
  config.linux.seccomp = resolveProfile(engineProfile, names);
};

test("an ordinary program runs under the engines' profile", profileSkip, () => {
  const script =
    "grep ^Seccomp: /proc/self/status; ls /bin | wc -l; sleep 0.01; (echo sub) | cat; mkdir /dev/shm/d && rmdir /dev/shm/d";
  assert.match(ws.output(script, engineFilter(["CAP_CHOWN"])), /^Seccomp:\t2\n\d+\nsub$/);
});

// The process holds the capability, so that only the filter can refuse; each call is harmless where it succeeds.
for (const [call, capability, script] of [
  ["chroot", "CAP_SYS_CHROOT", "chroot / true"],
  ["sethostname", "CAP_SYS_ADMIN", setHostname],
]) {
  const run = (profileFor: string[]) =>
    ws.runScript(script!, (config) => {
      setCapabilities(config, [capability!]);
      config.linux.seccomp = resolveProfile(engineProfile, profileFor);
    });
  test(`the engines' profile refuses ${call}(2) without ${capability}, and allows it with`, profileSkip, () => {
    const refused = run([]);
    assert.notEqual(refused.status, 0);
    assert.match(refused.stderr, /Operation not permitted/);
    assert.equal(run([capability!]).status, 0);
  });
}

test(
  "a profile may forbid what the start itself calls: getcwd, close_range",
  lacking({ runc: "1.1 needs them" }),
  () => {
    const rule = { names: ["getcwd", "close_range"], action: "SCMP_ACT_ERRNO" };
    for (const noNewPrivileges of [false, true]) {
      const text = ws.output(
        "pwd -P; echo started",
        withFilter(except(rule), (config) => {
          config.process.noNewPrivileges = noNewPrivileges;
          config.process.cwd = "/tmp";
        }),
      );
      assert.match(text, /started$/);
    }
  },
);
