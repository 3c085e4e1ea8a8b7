// SPDX-License-Identifier: Apache-2.0
// SCMP_ACT_NOTIFY: an agent on the host answers system calls, and the container sees its answers.

import assert from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Config, Seccomp } from "./support/config.ts";
import { eventually, waitFor } from "./support/process.ts";
import { expected, lacking } from "./support/runtime.ts";
import { type Agent, startAgent, stopAgent } from "./support/seccomp.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const mkdir = ["mkdir", "mkdirat"];
const EXDEV = 18;

function notify(listenerPath: string | undefined, more: Partial<Seccomp> = {}): (config: Config) => void {
  return (config) => {
    config.linux.seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      ...(listenerPath === undefined ? {} : { listenerPath }),
      syscalls: [{ names: mkdir, action: "SCMP_ACT_NOTIFY" }],
      ...more,
    };
  };
}

async function withAgent(answer: string, flags: string[], run: (agent: Agent) => void | Promise<void>): Promise<void> {
  const agent = startAgent(ws, answer, ...flags);
  try {
    await run(agent);
  } finally {
    ws.deleteContainers();
    await stopAgent(agent);
  }
}

test("the agent's error is what the container sees", () =>
  withAgent(`errno:${EXDEV}`, [], (agent) => {
    const result = ws.runScript("mkdir /dev/shm/d", notify(agent.socket));
    assert.match(result.stderr, /Invalid cross-device link/);
    assert.notEqual(result.status, 0);
  }));

test("the agent's value is what the container sees, and the kernel does nothing", () =>
  withAgent("value:0", [], (agent) => {
    assert.equal(ws.output("mkdir /dev/shm/d && ls /dev/shm", notify(agent.socket)), "");
  }));

test("the kernel goes on with the system call where the agent says so", () =>
  withAgent("continue", [], (agent) => {
    assert.equal(ws.output("mkdir /dev/shm/d && ls /dev/shm", notify(agent.socket)), "d");
  }));

for (const noNewPrivileges of [true, false]) {
  test(`the agent has the listener when create returns, noNewPrivileges ${noNewPrivileges}`, () =>
    withAgent("continue", [], (agent) => {
      const c = ws.created((config) => {
        notify(agent.socket, { listenerMetadata: "pod 7" })(config);
        config.process.noNewPrivileges = noNewPrivileges;
        config.annotations = { "com.example.meter": "7" };
      });
      const [report] = waitFor("the state", () => (agent.reports().length > 0 ? agent.reports() : false));
      const { ociVersion, ...rest } = report!.state!;
      const { ociVersion: _, ...state } = rest.state as { ociVersion: string };
      assert.match(ociVersion, expected({ runc: /^1\./, crun: /^0\.2\.0/, edgerun: /^1\.3\.0$/ }));
      const { pid } = c;
      assert.deepEqual(
        { ...rest, state },
        {
          fds: ["seccompFd"],
          pid,
          metadata: "pod 7",
          state: {
            id: c.id,
            status: "creating",
            pid,
            bundle: c.directory,
            annotations: { "com.example.meter": "7" },
          },
        },
      );
      assert.equal(report!.descriptors, 1);
      c.start();
      c.waitForStatus("running");
    }));
}

test("exec: the agent gets the new process, and which container it is in", () =>
  withAgent(`errno:${EXDEV}`, [], (agent) => {
    const c = ws.running(notify(agent.socket));
    const result = c.exec(["sh", "-c", "echo $$; mkdir /dev/shm/d"], ["--pid-file", join(c.directory, "pid")]);
    assert.match(result.stderr, /Invalid cross-device link/);
    const states = agent.reports().filter((report) => report.state !== undefined);
    assert.equal(states.length, 2);
    const { pid, fds, metadata, state } = states[1]!.state!;
    assert.deepEqual({ fds, metadata }, { fds: ["seccompFd"], metadata: undefined });
    assert.deepEqual(
      { id: state.id, status: state.status, pid: state.pid },
      { id: c.id, status: "running", pid: c.pid },
    );
    assert.notEqual(pid, c.pid);
    const calls = agent.reports().filter((report) => report.nr !== undefined);
    assert.equal(calls.length, 1);
  }));

test("an agent that has gone is answered for by the kernel: ENOSYS, nobody waits", () =>
  withAgent("leave", [], (agent) => {
    const result = ws.runScript("mkdir /dev/shm/d", notify(agent.socket));
    assert.match(result.stderr, /Function not implemented/);
  }));

/** A shell whose chdir waits for the agent gets a signal that it handles: does the agent's request outlive it? */
async function isWaitingAfterSignal(agent: Agent, flags: string[]): Promise<boolean | undefined> {
  const syscalls = [{ names: ["chdir"], action: "SCMP_ACT_NOTIFY" }];
  const c = ws.script("trap 'echo got' USR1; cd /tmp; sleep 1000", notify(agent.socket, { flags, syscalls }));
  c.succeed("run", "--detach", "--bundle", c.directory, c.id);
  const call = waitFor("the notification", () => agent.reports().find((report) => report.nr !== undefined));
  process.kill(call.pid!, "SIGUSR1");
  agent.running.child.stdin!.write("go on\n");
  await eventually("the agent's look", () => agent.reports().some((report) => report.waiting !== undefined));
  return agent.reports().find((report) => report.waiting !== undefined)?.waiting;
}

const hasWaitKillable = lacking({ runc: "1.1 does not know it", crun: "1.8 does not know it" });
test(
  "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: a signal does not end a call that the agent works on",
  hasWaitKillable,
  () =>
    withAgent("value:0", ["--hold"], async (agent) => {
      assert.equal(await isWaitingAfterSignal(agent, ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"]), true);
    }),
);

test("without that flag it does", () =>
  withAgent("value:0", ["--hold"], async (agent) => {
    assert.equal(await isWaitingAfterSignal(agent, []), false);
  }));

for (const [what, seccomp, message] of [
  ["without a socket", notify(undefined), /listenerPath:? is not set/],
  [
    "for write",
    notify("/agent.sock", { syscalls: [{ names: ["write"], action: "SCMP_ACT_NOTIFY" }] }),
    /SCMP_ACT_NOTIFY cannot be used for the write syscall/,
  ],
  [
    "as the default",
    notify("/agent.sock", { defaultAction: "SCMP_ACT_NOTIFY" }),
    /SCMP_ACT_NOTIFY cannot be used as default action/,
  ],
] as const) {
  test(`user notification ${what} is refused`, lacking({ crun: "hangs or takes it" }), () => {
    const result = ws.bundle(seccomp).create();
    assert.notEqual(result.status, 0);
    assert.match(result.stderr, message);
    ws.assertNothingLeft();
  });
}

for (const noNewPrivileges of [true, false]) {
  test(`an agent that can't be reached fails the start, noNewPrivileges ${noNewPrivileges}`, () => {
    const socket = ws.newFile();
    const c = ws.bundle((config) => {
      notify(socket)(config);
      config.process.noNewPrivileges = noNewPrivileges;
    });
    const result = c.create();
    assert.notEqual(result.status, 0);
    assert.match(
      result.stderr,
      expected({ runc: /seccomp agent/, crun: /No such file/, edgerun: /seccomp agent .*: no such file/i }),
    );
    ws.assertNothingLeft();
  });
}

test("an agent that can't be reached fails exec", () =>
  withAgent("continue", [], (agent) => {
    const c = ws.running(notify(agent.socket));
    rmSync(agent.socket);
    const result = c.exec(["true"]);
    assert.equal(result.status, expected({ runc: 255, crun: 1, edgerun: 255 }));
    assert.equal(c.status(), "running");
  }));

test("a socket is ignored where no rule notifies", lacking({ crun: "sends it the container's state" }), () => {
  const change = notify("/no/such/socket", { syscalls: [{ names: mkdir, action: "SCMP_ACT_ERRNO" }] });
  assert.match(ws.runScript("mkdir /dev/shm/d", change).stderr, /Operation not permitted/);
  assert.equal(existsSync("/no/such/socket"), false);
});
