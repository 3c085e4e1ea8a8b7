// SPDX-License-Identifier: Apache-2.0
// What hostile containers, hostile images and unlucky callers could do to a start, an end, and to each other's ids.

import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Change, type Config, dropNamespace, type SyscallRule } from "./support/config.ts";
import { statusFields } from "./support/inside.ts";
import { execute, sleep, waitFor } from "./support/process.ts";
import { lacking, runtimePath } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const edgerunOnly = lacking({ runc: "a rule of edgerun's own", crun: "a rule of edgerun's own" });

// --- mounts that would not be seen

for (const list of ["maskedPaths", "readonlyPaths"] as const) {
  test(`the root itself in ${list} is refused: a mount over it would change nothing`, edgerunOnly, () => {
    const c = ws.bundle((config) => config.linux[list]!.push("/"));
    c.fail(/root/, ["create", "--bundle", c.directory, c.id]);
    ws.assertNothingLeft();
  });
}

test("a mount target that is a link to the root is refused", edgerunOnly, () => {
  const rootfs = ws.newRootfs();
  symlinkSync("/", join(rootfs, "volume"));
  const c = ws.bundle((config) => {
    config.root.path = rootfs;
    config.mounts.push({ destination: "/volume", type: "tmpfs", source: "tmpfs" });
  });
  c.fail(/root/, ["create", "--bundle", c.directory, c.id]);
});

test("a mount target of 2000 directories is made", edgerunOnly, () => {
  const rootfs = ws.newRootfs();
  const change: Change = (config) => {
    config.root.path = rootfs;
    config.mounts.push({ destination: "/d".repeat(2040), type: "tmpfs", source: "tmpfs" });
  };
  assert.equal(ws.output("echo made", change), "made");
  execute("rm", ["-rf", join(rootfs, "d")]); // Node would recurse
});

// --- filters that claim what they don't do

/** A filter that answers `errno` to the calls, 0 being "done", and is loaded before the process has given up its rights. */
function fake(config: Config, names: string[], errnoRet: number): void {
  const rule: SyscallRule = { names, action: "SCMP_ACT_ERRNO", errnoRet };
  config.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [rule] };
  config.process.noNewPrivileges = false;
  config.process.user = { uid: 1000, gid: 1000 };
}

const giveUp = ["setgroups", "setresgid", "setresuid", "capset", "prctl"];
for (const [names, errno] of [
  ...giveUp.map((name) => [[name], 0] as const),
  [giveUp, 0] as const,
  [["prctl"], 22] as const,
]) {
  test(`a filter that answers ${errno} to ${names.join(", ")} keeps no rights in the container`, edgerunOnly, () => {
    const result = ws.runScript("cat /proc/self/status", (config) => fake(config, [...names], errno));
    if (result.status !== 0) return;
    const status = statusFields(result.stdout);
    assert.equal(status.Uid, "1000\t1000\t1000\t1000");
    assert.equal(status.Gid, "1000\t1000\t1000\t1000");
    assert.equal(status.CapEff, "0000000000000000");
    assert.equal(status.CapPrm, "0000000000000000");
    assert.equal(status.CapAmb, "0000000000000000");
    assert.equal(status.CapBnd, "0000000020000420");
  });
}

test("a filter that is older than faccessat2, close_range and openat2 lets the program start", edgerunOnly, () => {
  for (const noNewPrivileges of [true, false]) {
    const result = ws.runScript("echo started", (config) => {
      fake(config, ["faccessat2", "close_range", "openat2"], 1);
      config.process.noNewPrivileges = noNewPrivileges;
    });
    // Without no_new_privs the filter is there when descriptors are closed, as it is with other runtimes.
    if (noNewPrivileges) assert.equal(result.stdout, "started\n", result.stderr);
    else assert.doesNotMatch(result.stderr, /exec:/);
  }
});

// --- the handshake

test("what init says of its failure is never lost", edgerunOnly, () => {
  const rootfs = ws.newRootfs();
  rmSync(join(rootfs, "proc"), { recursive: true });
  symlinkSync("/elsewhere", join(rootfs, "proc"));
  for (let round = 0; round < 60; round++) {
    const c = ws.bundle((config) => {
      config.root.path = rootfs;
    });
    c.fail(/must be mounted on ordinary directory/, ["create", "--bundle", c.directory, c.id]);
  }
});

test("a caller that ignores SIGCHLD gets hooks and exit codes all the same", () => {
  const c = ws.script("exit 7", (config) => {
    config.hooks = { createRuntime: [{ path: "/bin/true" }] };
  });
  const program =
    "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])";
  const args = [...ws.globalFlags, "run", "--bundle", c.directory, c.id];
  const result = execute("python3", ["-c", program, runtimePath, ...args]);
  assert.equal(result.status, 7, result.stderr);
});

test("a user that is not root can open its stdout and stderr, which are pipes", () => {
  const c = ws.script("echo out > /dev/stdout; echo err > /dev/stderr", (config) => {
    config.process.user = { uid: 1000, gid: 1000 };
  });
  const args = [...ws.globalFlags, "run", "--bundle", c.directory, c.id];
  const result = execute("/bin/sh", ["-c", '"$@" 2>&1 </dev/null | cat', "sh", runtimePath, ...args]);
  assert.equal(result.stdout, "out\nerr\n");
});

// --- hooks of a container that does not come to be, or is gone

test("a hook that fails leaves none of the processes that it started, without a pid namespace too", edgerunOnly, () => {
  const c = ws.bundle((config) => {
    dropNamespace(config, "pid");
    config.mounts[0] = { destination: "/proc", type: "bind", source: "/proc", options: ["rbind"] };
    config.hooks = { createContainer: [{ path: "/bin/sh", args: ["sh", "-c", "setsid sleep 1000 & exit 1"] }] };
  });
  assert.equal(c.create().status, 1);
  ws.assertHostUnchanged();
});

const notes = (file: string) =>
  [1, 2].map((n) => ({ path: "/bin/sh", args: ["sh", "-c", `echo ${n} >> ${file}; exit ${n}`] }));

test("poststop hooks run after one that fails", lacking({ runc: "1.1 stops at it" }), () => {
  const file = ws.newFile("");
  const c = ws.script("true", (config) => {
    config.hooks = { poststop: notes(file) };
  });
  assert.equal(c.run().status, 0);
  assert.equal(readFileSync(file, "utf8"), "1\n2\n");
});

test("poststop hooks run when a createRuntime hook has failed", () => {
  const file = ws.newFile("");
  const c = ws.bundle((config) => {
    config.hooks = { createRuntime: [{ path: "/bin/false" }], poststop: notes(file) };
  });
  assert.equal(c.create().status, 1);
  assert.match(readFileSync(file, "utf8"), /^1\n/);
});

// --- commands at the same time

test("a run whose container was deleted by force leaves the next one of that id alone", async () => {
  for (let round = 0; round < 8; round++) {
    const c = ws.script("sleep 1000");
    const running = c.launch();
    waitFor("the container", () => c.call("state", c.id).stdout.includes('"running"'));
    c.succeed("delete", "--force", c.id);
    const created = c.create();
    await running.end();
    assert.equal(created.status, 0, created.stderr);
    assert.equal(c.status(), "created");
    c.dispose();
  }
});

test("a container that stops whatever enters it is deleted by force at once", edgerunOnly, async () => {
  const stopper = "cd /proc; while :; do for p in [0-9]*; do [ $p = 1 ] || kill -STOP $p; done; done 2>/dev/null";
  const c = ws.script(`touch /tmp/stopping; ${stopper}`, (config) => {
    config.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs" });
  });
  c.succeed("run", "--detach", "--bundle", c.directory, c.id);
  waitFor("the stopper", () => existsSync(`/proc/${c.pid}/root/tmp/stopping`));
  const exec = ws.launchRuntime(["exec", c.id, "sleep", "5"]);
  sleep(200);
  const before = Date.now();
  c.succeed("delete", "--force", c.id);
  assert.ok(Date.now() - before < 3_000, `${Date.now() - before} ms`);
  await exec.end();
});

test("resume is not kept waiting by exec --ignore-paused", edgerunOnly, async () => {
  const c = ws.running();
  c.succeed("pause", c.id);
  const exec = ws.launchRuntime(["exec", "--ignore-paused", c.id, "true"]);
  sleep(200);
  c.succeed("resume", c.id);
  assert.equal((await exec.end()).status, 0);
});
