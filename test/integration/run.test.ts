// SPDX-License-Identifier: Apache-2.0
// run: exit codes, standard streams, descriptors, signals.

import assert from "node:assert/strict";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { eventually, waitFor } from "./support/process.ts";
import { expected, lacking } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();

for (const code of [0, 1, 2, 7, 42, 126, 127, 128, 200, 255]) {
  test(`run exits with the program's code ${code}`, () => {
    assert.equal(ws.runScript(`exit ${code}`).status, code);
  });
}

for (const [signal, number] of [
  ["HUP", 1],
  ["ABRT", 6],
  ["KILL", 9],
  ["TERM", 15],
] as const) {
  test(`run exits with ${128 + number} when SIG${signal} ends the program`, () => {
    // The kernel shields the first process of a pid namespace from signals it sends itself.
    const change = (config: { linux: { namespaces: { type: string }[] } }) => {
      config.linux.namespaces = config.linux.namespaces.filter((namespace) => namespace.type !== "pid");
    };
    assert.equal(ws.runScript(`kill -${signal} $$; sleep 5`, change).status, 128 + number);
  });
}

test("run leaves nothing behind", () => {
  assert.equal(ws.runScript("exit 0").status, 0);
  ws.assertHostUnchanged();
});

test("run hands stdin on", () => {
  assert.equal(ws.runScript("cat", undefined, { input: "meter reading\n" }).stdout, "meter reading\n");
});

test("run keeps stdout and stderr apart", () => {
  const result = ws.runScript("echo to-out; echo to-err >&2");
  assert.equal(result.stdout, "to-out\n");
  assert.equal(result.stderr, "to-err\n");
});

test("run works with stdin closed", lacking({ crun: "1.8 fails on it" }), () => {
  const result = ws.runScript("echo fine", undefined, { stdin: "closed" });
  assert.deepEqual([result.status, result.stdout], [0, "fine\n"]);
});

test("run passes 8 MiB through stdin and stdout unchanged", () => {
  const input = Buffer.alloc(8 << 20, "0123456789abcdef");
  const result = ws.runScript("cat", undefined, { input });
  assert.equal(result.stdout.length, input.length);
  assert.equal(result.stdout, input.toString());
});

test("binary output is not changed", () => {
  assert.equal(ws.output("printf '\\001\\033\\r\\n' | od -An -tx1"), " 01 1b 0d 0a");
});

test("run --detach returns while the container runs", () => {
  const c = ws.running();
  assert.equal(c.status(), "running");
});

test("a detached container is stopped, not deleted, when its program ends", () => {
  const c = ws.script("exit 3");
  c.succeed("run", "--detach", "--bundle", c.directory, c.id);
  c.waitForStatus("stopped");
});

test("run --pid-file names the first process", () => {
  const c = ws.script("while :; do sleep 1000; done");
  const pidFile = ws.newFile();
  assert.equal(c.run(["--detach", "--pid-file", pidFile]).status, 0);
  assert.equal(readFileSync(pidFile, "utf8"), String(c.pid));
});

test("the bundle defaults to the working directory", () => {
  const c = ws.script("exit 4");
  assert.equal(ws.runtime(["run", c.id], { cwd: c.directory }).status, 4);
});

test("a relative root.path is below the bundle", () => {
  const c = ws.script("echo found", (config) => {
    config.root.path = "../rootfs";
  });
  assert.equal(c.run().stdout, "found\n");
});

test("run --keep leaves the container stopped", lacking({ crun: "1.8 has no --keep" }), () => {
  const c = ws.script("exit 0");
  assert.equal(c.run(["--keep"]).status, 0);
  assert.equal(c.status(), "stopped");
});

const listDescriptors = "exec ls -1 /proc/self/fd";

test("a program gets descriptors 0, 1 and 2 and no other", () => {
  // `ls` itself holds descriptor 3 on the directory that it reads.
  assert.deepEqual(ws.output(listDescriptors).split("\n"), ["0", "1", "2", "3"]);
});

test("descriptors of the caller are not handed on", () => {
  const fd = openSync(ws.newFile("secret"), "r");
  try {
    assert.deepEqual(ws.output(listDescriptors, undefined, { fds: [fd, fd] }).split("\n"), ["0", "1", "2", "3"]);
  } finally {
    closeSync(fd);
  }
});

test("--preserve-fds hands that many descriptors on", () => {
  const fds = [openSync(ws.newFile("one"), "r"), openSync(ws.newFile("two"), "r")];
  try {
    const result = ws.script("cat <&3; cat <&4").run(["--preserve-fds", "2"], { fds });
    assert.deepEqual([result.status, result.stdout], [0, "onetwo"], result.stderr);
  } finally {
    for (const fd of fds) closeSync(fd);
  }
});

test("--preserve-fds hands no more on than it says", () => {
  const fds = [openSync(ws.newFile("one"), "r"), openSync(ws.newFile("two"), "r")];
  try {
    const result = ws.script(listDescriptors).run(["--preserve-fds", "1"], { fds });
    assert.deepEqual(result.stdout.trim().split("\n"), ["0", "1", "2", "3", "4"], result.stderr);
  } finally {
    for (const fd of fds) closeSync(fd);
  }
});

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGUSR1"] as const) {
  test(`run forwards ${signal} to the program`, async () => {
    const name = signal.slice(3);
    const c = ws.script(`trap 'echo got ${name}; exit 9' ${name}; echo ready; while :; do sleep 0.02; done`);
    const running = c.launch();
    await eventually("the trap", () => running.stdout().includes("ready"));
    process.kill(running.pid, signal);
    const result = await running.end();
    assert.equal(result.stdout, `ready\ngot ${name}\n`);
    assert.equal(result.status, 9);
  });
}

test("run ends when the container is killed by another command", async () => {
  const c = ws.script("echo ready; while :; do sleep 1000; done");
  const running = c.launch();
  await eventually("the program", () => running.stdout().includes("ready"));
  c.kill("KILL");
  assert.equal((await running.end()).status, 137);
});

test("run ends though a process of the container stays behind with its output open", () => {
  const started = Date.now();
  assert.equal(ws.runScript("sleep 1000 & exit 5").status, 5);
  assert.ok(Date.now() - started < 5_000);
  ws.assertHostUnchanged();
});

test("orphans in the container are reaped by its first process, not by the runtime", () => {
  assert.equal(ws.output("(sh -c 'sleep 0.05 & exit 0'); sleep 0.2; echo done"), "done");
});

test("the environment is exactly process.env", () => {
  const result = ws.output(
    "env | grep -v -e ^PWD= -e ^SHLVL= -e ^HOME= | sort",
    (config) => {
      config.process.env = ["PATH=/bin", "SITE=7", "EMPTY=", "EQUALS=a=b"];
    },
    { env: { ...process.env, LEAKED: "1" } },
  );
  assert.equal(result, ["EMPTY=", "EQUALS=a=b", "PATH=/bin", "SITE=7"].join("\n"));
});

test("HOME defaults to that of the user in /etc/passwd", () => {
  const home = (uid: number) =>
    ws.output("echo $HOME", (config) => {
      config.process.user.uid = uid;
    });
  assert.equal(home(0), "/root");
  assert.equal(home(1000), "/home/app");
  assert.equal(home(4242), expected({ runc: "/", crun: "", edgerun: "/" }));
});

test("HOME in process.env is kept", () => {
  assert.equal(
    ws.output("echo $HOME", (config) => config.process.env.push("HOME=/var")),
    "/var",
  );
});

test("the working directory is process.cwd", () => {
  assert.equal(
    ws.output("pwd", (config) => {
      config.process.cwd = "/etc";
    }),
    "/etc",
  );
});

test("a working directory that is missing is made", () => {
  const rootfs = ws.newRootfs();
  assert.equal(
    ws.output("pwd", (config) => {
      config.root = { path: rootfs, readonly: false };
      config.process.cwd = "/srv/app/data";
    }),
    "/srv/app/data",
  );
});

test("arguments reach the program as they are", () => {
  const args = ["a b", "", "$HOME", "'\"", "ä€𝄞", "line\nbreak"];
  const c = ws.bundle((config) => {
    config.process.args = ["/bin/sh", "-c", 'for a in "$@"; do printf "[%s]" "$a"; done', "sh", ...args];
  });
  assert.equal(c.run().stdout, args.map((arg) => `[${arg}]`).join(""));
});

test("one argument of 100 kB reaches the program", () => {
  assert.equal(ws.output(`echo ${"x".repeat(100_000)} | wc -c`), "100001");
});

test("--no-pivot works without pivot_root", () => {
  assert.equal(ws.script("ls -d /bin").run(["--no-pivot"]).stdout, "/bin\n");
});

test("run is refused while a container of that id exists", () => {
  const c = ws.running();
  assert.notEqual(c.run().status, 0);
  assert.equal(c.status(), "running");
});

test("a container writes to its volume as soon as it is started", () => {
  const volume = ws.newDirectory();
  const c = ws.script("echo 1 > /volume/out", (config) => {
    config.mounts.push({ destination: "/volume", type: "bind", source: volume, options: ["bind"] });
  });
  assert.equal(c.run().status, 0);
  waitFor("the file", () => existsSync(join(volume, "out")));
});
