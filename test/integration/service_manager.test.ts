// SPDX-License-Identifier: Apache-2.0
// As a service of systemd: notifications on their way from the container ($NOTIFY_SOCKET), sockets on their way into it
// ($LISTEN_FDS).

import assert from "node:assert/strict";
import { existsSync, readFileSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { type Change, dropNamespace, setUserNamespace } from "./support/config.ts";
import { parseMountinfo } from "./support/inside.ts";
import { eventually, execute, launch, type Running, waitFor } from "./support/process.ts";
import { addProgram, rootfsWith } from "./support/programs.ts";
import { expected, lacking, runtimePath } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const rootfs = rootfsWith(ws, "notify");
addProgram(rootfs, "call");
const helper = resolve("test/integration/support/service_manager.py");

type Notification = { text: string; descriptors: number };

/** Listens as systemd does while `run` runs; what it received is in `received()`. */
async function withManager(
  address: string,
  run: (received: () => Notification[], env: NodeJS.ProcessEnv) => void | Promise<void>,
): Promise<void> {
  const manager: Running = launch("python3", [helper, "notified", address]);
  const lines = () =>
    manager
      .stdout()
      .split("\n")
      .filter((line) => line !== "");
  try {
    await eventually("the service manager", () => lines().length > 0);
    const received = () =>
      lines()
        .slice(1)
        .map((line) => JSON.parse(line) as Notification);
    await run(received, { ...process.env, NOTIFY_SOCKET: address });
  } finally {
    ws.deleteContainers();
    manager.child.kill("SIGKILL");
    await manager.end();
  }
}

/** All lines of all datagrams; which come in one and which do not is the runtimes' choice. */
function linesOf(notifications: Notification[]): string[] {
  return notifications.flatMap(({ text }) => text.split("\n")).filter((line) => line !== "");
}

const inRootfs =
  (more?: Change): Change =>
  (config) => {
    config.root.path = rootfs;
    more?.(config);
  };

test("run --detach lasts until the container is ready, and names its process", () =>
  withManager(ws.newFile(), async (received, env) => {
    const c = ws.script("until [ -e /dev/shm/go ]; do :; done; notify READY=1; sleep 1000", inRootfs());
    const running = ws.launchRuntime(["run", "--detach", "--bundle", c.directory, c.id], { env });
    waitFor("the container", () => c.call("state", c.id).stdout.includes('"running"'));
    // It waits, and nothing is locked meanwhile.
    assert.equal(c.exec(["touch", "/dev/shm/go"]).status, 0);
    assert.equal((await running.end()).status, 0);
    const lines = linesOf(received());
    assert.ok(lines.includes("READY=1") && lines.includes(`MAINPID=${c.pid}`), lines.join(" "));
    if (expected({ runc: false, crun: false, edgerun: true })) {
      assert.equal(received()[0]?.text, `MAINPID=${c.pid}\nREADY=1\n`);
    }
    const barrier = received().at(-1);
    assert.deepEqual(barrier, { text: "BARRIER=1", descriptors: 1 });
  }));

test("start lasts until the container is ready, create does not", () =>
  withManager(ws.newFile(), async (received, env) => {
    const c = ws.script("notify READY=1; sleep 1000", inRootfs());
    assert.equal(c.create([], { env }).status, 0);
    assert.deepEqual(received(), []);
    const result = ws.runtime(["start", c.id], { env });
    assert.equal(result.status, 0, result.stderr);
    const lines = linesOf(received());
    assert.ok(lines.includes("READY=1") && lines.includes(`MAINPID=${c.pid}`), lines.join(" "));
  }));

test(
  "a container that ends without a word ends the wait",
  lacking({ runc: "does not see the end of its own child" }),
  () =>
    withManager(ws.newFile(), (received, env) => {
      const c = ws.script("exit 3", inRootfs());
      const result = ws.runtime(["run", "--detach", "--bundle", c.directory, c.id], { env });
      assert.equal(result.status, 0, result.stderr);
      assert.deepEqual(received(), []);
    }),
);

test(
  "in the foreground the runtime is the service's process",
  lacking({ runc: "sees the end of the container only after READY" }),
  () =>
    withManager(ws.newFile(), async (received, env) => {
      const c = ws.script(
        "notify READY=1; trap 'notify STOPPING=1; exit 5' TERM; while :; do sleep 0.02; done",
        inRootfs(),
      );
      const running = ws.launchRuntime(["run", "--bundle", c.directory, c.id], { env });
      await eventually("READY", () => linesOf(received()).includes("READY=1"));
      assert.ok(linesOf(received()).includes(`MAINPID=${running.pid}`), linesOf(received()).join(" "));
      running.child.kill("SIGTERM");
      assert.equal((await running.end()).status, 5);
      if (expected({ runc: false, crun: false, edgerun: true })) {
        assert.ok(linesOf(received()).includes("STOPPING=1"));
      }
    }),
);

test(
  "what a container says of itself is passed on; what it says of others is not",
  lacking({ runc: "passes READY on only", crun: "passes READY on only" }),
  () =>
    withManager(ws.newFile(), async (received, env) => {
      const script = [
        "notify 'STATUS=reading meters'",
        "notify 'MAINPID=1\nFDSTORE=1\nNOTIFYACCESS=all\nBARRIER=1\nEXTEND_TIMEOUT_USEC=5000000' --barrier",
        "notify 'STATUS=done\nREADY=1'",
        "notify 'WATCHDOG=1\nERRNO=2'",
      ].join("\n");
      const result = ws.runScript(script, inRootfs(), { env });
      assert.equal(result.status, 0, result.stderr);
      await eventually("all of it", () => received().length >= 4);
      const [status, extension, ready, watchdog] = received().map(({ text }) => text);
      assert.equal(status, "STATUS=reading meters\n");
      assert.equal(extension, "EXTEND_TIMEOUT_USEC=5000000\n");
      assert.match(ready!, /^STATUS=done\nMAINPID=\d+\nREADY=1\n$/);
      assert.equal(watchdog, "WATCHDOG=1\nERRNO=2\n");
    }),
);

test("an abstract address is one, too", lacking({ runc: "1.1 can't", crun: "can't" }), () =>
  withManager(`@${ws.newId()}`, (received, env) => {
    assert.equal(ws.runScript("notify READY=1", inRootfs(), { env }).status, 0);
    waitFor("READY", () => linesOf(received()).includes("READY=1"));
  }),
);

for (const [what, change] of [
  ["", undefined],
  [
    " in a user namespace, as another user",
    (config) => {
      setUserNamespace(config, 100000);
      Object.assign(config.process.user, { uid: 1000, gid: 1000 });
    },
  ],
] as [string, Change | undefined][]) {
  test(`the socket is at /run/notify, read-only${what}`, lacking({ crun: "mounts the socket itself" }), () =>
    withManager(ws.newFile(), async (received, env) => {
      const script =
        "cat /proc/self/mountinfo; ls /run/notify; echo $NOTIFY_SOCKET; notify READY=1; touch /run/notify/x";
      const result = ws.runScript(script, inRootfs(change), { env });
      assert.match(result.stderr, /Read-only file system/);
      const lines = result.stdout.trim().split("\n");
      assert.deepEqual(lines.slice(-2), ["notify.sock", "/run/notify/notify.sock"]);
      const mount = parseMountinfo(lines.slice(0, -2).join("\n")).find(({ target }) => target === "/run/notify");
      for (const option of ["ro", "nosuid", "nodev", "noexec"]) assert.ok(mount?.options.includes(option), option);
      await eventually("READY", () => linesOf(received()).includes("READY=1"));
    }),
  );
}

test("exec is no service: it has no socket, and does not wait", () =>
  withManager(ws.newFile(), (_received, env) => {
    const c = ws.script("notify READY=1; sleep 1000", inRootfs());
    assert.equal(ws.runtime(["run", "--detach", "--bundle", c.directory, c.id], { env }).status, 0);
    assert.equal(c.exec(["sh", "-c", "echo [$NOTIFY_SOCKET]"], [], { env }).stdout, "[]\n");
  }));

test(
  "a service manager that has gone does not end the container",
  lacking({ runc: "says nothing", crun: "says nothing" }),
  () => {
    const c = ws.script("notify READY=1; sleep 1000", inRootfs());
    const env = { ...process.env, NOTIFY_SOCKET: ws.newFile() };
    const result = ws.runtime(["run", "--detach", "--bundle", c.directory, c.id], { env });
    assert.equal(result.status, 0);
    assert.equal(c.status(), "running");
  },
);

test("without $NOTIFY_SOCKET there is nothing of it", () => {
  const result = ws.runScript("grep /run/notify /proc/self/mountinfo; echo [$NOTIFY_SOCKET]", inRootfs());
  assert.equal(result.stdout, "[]\n");
});

// --- sockets

/** Runs the runtime as a service with listening sockets of these names. */
function activate(names: string, args: readonly string[]) {
  return execute("python3", [helper, "activate", names, runtimePath, ...ws.globalFlags, ...args]);
}

const [F_GETFD, GETFD] = [1, process.arch === "x64" ? 72 : 25];
const listenScript = [
  "echo $LISTEN_FDS $LISTEN_PID",
  "readlink /proc/self/fd/3 | cut -d: -f1; readlink /proc/self/fd/4 | cut -d: -f1",
  `call native ${GETFD} 3 ${F_GETFD}`,
].join("; ");

test("sockets of the service manager are the program's descriptors from 3 on, and it is told so", () => {
  const c = ws.script(`${listenScript}; ls /proc/self/fd | wc -l`, inRootfs());
  const result = activate("http:admin", ["run", "--bundle", c.directory, c.id]);
  assert.equal(result.status, 0, result.stderr);
  // 0 1 2, the sockets, and the directory that ls reads.
  assert.deepEqual(result.stdout.split("\n").slice(0, 5), ["2 1", "socket", "socket", "0", "6"]);
});

test("LISTEN_FDNAMES are passed on", lacking({ runc: "passes none on" }), () => {
  const c = ws.script("echo $LISTEN_FDNAMES", inRootfs());
  assert.equal(activate("http:admin", ["run", "--bundle", c.directory, c.id]).stdout, "http:admin\n");
});

test("create and start: the sockets are there", () => {
  const c = ws.script(`{ ${listenScript}; } > /dev/shm/out; sleep 1000`, inRootfs());
  assert.equal(activate("http:admin", ["create", "--bundle", c.directory, c.id]).status, 0);
  c.start();
  waitFor("the output", () => c.output("cat /dev/shm/out").split("\n").length === 4);
  assert.equal(c.output("cat /dev/shm/out"), "2 1\nsocket\nsocket\n0");
});

test("a connection to the service manager's socket is the container's to take", async () => {
  // nc(1) of busybox can't take a socket over, but `call` accepts on descriptor 3 and writes to what it gets.
  const accept = process.arch === "x64" ? 43 : 202;
  const c = ws.script(`call native ${accept} 3 0 0`, (config) => {
    inRootfs()(config);
    dropNamespace(config, "network");
  });
  const args = [helper, "activate", "http", runtimePath, ...ws.globalFlags, "run", "--bundle", c.directory, c.id];
  const running = launch("python3", args);
  await eventually("the port", () => /^\d+\n/.test(running.stderr()));
  const client = launch("python3", [
    "-c",
    `import socket; socket.create_connection(("127.0.0.1", ${running.stderr().split("\n")[0]})).recv(1)`,
  ]);
  assert.match((await running.end()).stdout, /^\d+\n$/);
  await client.end();
});

test("--preserve-fds counts on top of them", () => {
  const file = ws.newFile("kept");
  const c = ws.script("cat <&4; echo $LISTEN_FDS", inRootfs());
  // LISTEN_PID stays right: each of them becomes the next.
  const open = ["/bin/bash", "-c", `exec 4< ${file}; exec "$@"`, "bash"];
  const flags = ["run", "--preserve-fds", "1", "--bundle", c.directory, c.id];
  const result = execute("python3", [helper, "activate", "http", ...open, runtimePath, ...ws.globalFlags, ...flags]);
  assert.equal(result.stdout, "kept1\n", result.stderr);
});

test("sockets for another process are not ours", () => {
  const c = ws.script("echo [$LISTEN_FDS]; ls /proc/self/fd | wc -l", inRootfs());
  assert.equal(activate("PID=1,http", ["run", "--bundle", c.directory, c.id]).stdout, "[]\n4\n");
});

test(
  "without a pid namespace of its own, LISTEN_PID is the pid that the program has",
  lacking({ runc: "says 1", crun: "says 1" }),
  () => {
    const c = ws.script("test $LISTEN_PID = $$ && echo mine", (config) => {
      inRootfs()(config);
      dropNamespace(config, "pid");
    });
    assert.equal(activate("http", ["run", "--bundle", c.directory, c.id]).stdout, "mine\n");
  },
);

test("exec takes no sockets", lacking({ crun: "takes them" }), () => {
  const c = ws.running(inRootfs());
  assert.equal(
    activate("http", ["exec", c.id, "sh", "-c", "echo [$LISTEN_FDS]; ls /proc/self/fd | wc -l"]).stdout,
    "[]\n4\n",
  );
});

for (const [what, names, flags] of [
  ["--preserve-fds", undefined, ["--preserve-fds", "2"]],
  ["$LISTEN_FDS", "none", []],
] as const) {
  test(
    `a descriptor that ${what} announces and that is not open is an error`,
    lacking({ runc: "1.1 says nothing", crun: "says nothing" }),
    () => {
      const c = ws.script("true", inRootfs());
      const args = ["run", ...flags, "--bundle", c.directory, c.id];
      const program = 'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@"';
      const result =
        names === undefined
          ? ws.runtime(args)
          : execute("bash", ["-c", program, "bash", runtimePath, ...ws.globalFlags, ...args]);
      assert.match(result.stderr, /unable to stat .*: no such file or directory/);
      assert.equal(result.status, 1);
      ws.assertNothingLeft();
    },
  );
}

test(
  "the state root has a directory for the socket only where somebody is notified",
  lacking({ crun: "keeps it elsewhere" }),
  () =>
    withManager(ws.newFile(), (_received, env) => {
      const c = ws.script("notify READY=1; sleep 1000", inRootfs());
      assert.equal(c.create([], { env }).status, 0);
      const directory = join(ws.stateRoot, c.id, "notify");
      assert.equal(statSync(directory).mode & 0o777, 0o755);
      c.succeed("delete", "--force", c.id);
      assert.equal(existsSync(join(ws.stateRoot, c.id)), false);
      const other = ws.created(inRootfs());
      assert.equal(existsSync(join(ws.stateRoot, other.id, "notify")), false);
      assert.match(readFileSync(`/proc/${other.pid}/status`, "utf8"), /State/);
    }),
);
