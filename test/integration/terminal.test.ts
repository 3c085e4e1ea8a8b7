// SPDX-License-Identifier: Apache-2.0
// process.terminal: the container's own pty, its size, and --console-socket.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "./support/config.ts";
import { eventually, execute } from "./support/process.ts";
import { expected, lacking, runtimePath } from "./support/runtime.ts";
import { receiveTerminal, runOnTerminal, terminalFlags } from "./support/terminal.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const withTerminal = (config: Config) => {
  config.process.terminal = true;
};
const script = (text: string, change?: (config: Config) => void) =>
  ws.script(text, (config) => {
    withTerminal(config);
    change?.(config);
  });

test("run gives the program a terminal", () => {
  const c = script("tty; test -t 0 && test -t 1 && test -t 2 && echo three");
  const result = runOnTerminal(ws, [], ["run", "--bundle", c.directory, c.id]);
  assert.equal(result.stdout, "/dev/pts/0\r\nthree\r\n");
  assert.equal(result.status, 0);
});

test("run works under script(1)", () => {
  const c = script("test -t 1 && echo yes; exit 7");
  const command = [runtimePath, ...terminalFlags(ws), "run", "--bundle", c.directory, c.id].join(" ");
  const result = execute("script", ["-qec", command, "/dev/null"]);
  // script(1) itself types an end of file when its stdin is none; the terminal echoes it, before or after the output.
  assert.match(result.stdout, /yes\r\n/);
  assert.equal(result.status, 7);
});

test("run with a terminal exits with the program's code", () => {
  const c = script("exit 42");
  assert.equal(runOnTerminal(ws, [], ["run", "--bundle", c.directory, c.id]).status, 42);
});

test("the terminal is the program's controlling terminal, and it leads the session", () => {
  const c = script("exec 3</dev/tty && cut -d' ' -f1,6,8 /proc/self/stat && awk '{ print $6, $7 }' /proc/1/stat");
  const lines = runOnTerminal(ws, [], ["run", "--bundle", c.directory, c.id]).stdout.trim().split("\r\n");
  assert.match(lines.at(-1)!, /^1 34816$/); // session 1, device 136:0
});

test("/dev/console is the container's terminal", () => {
  const c = script("test -c /dev/console && stat -c %t:%T /dev/console; stat -L -c %t:%T /dev/pts/0");
  assert.equal(runOnTerminal(ws, [], ["run", "--bundle", c.directory, c.id]).stdout, "88:0\r\n88:0\r\n");
});

test("the terminal belongs to the process's user", () => {
  const c = script("stat -c %u /dev/pts/0", (config) => {
    config.process.user = { uid: 1000, gid: 1000 };
  });
  assert.equal(runOnTerminal(ws, [], ["run", "--bundle", c.directory, c.id]).stdout, "1000\r\n");
});

test("the container's terminal is not the caller's", () => {
  const c = script("ls /dev/pts");
  const names = runOnTerminal(ws, [], ["run", "--bundle", c.directory, c.id]).stdout.trim().split(/\s+/).sort();
  assert.deepEqual(names, ["0", "ptmx"]);
});

test("input reaches the program, line by line", () => {
  const c = script("read line; echo got $line");
  const result = runOnTerminal(ws, [], ["run", "--bundle", c.directory, c.id], { input: "kWh\n" });
  assert.match(result.stdout, /got kWh\r\n$/);
});

test("Ctrl-C reaches the program as SIGINT, not the runtime", () => {
  const c = script("trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.02; done");
  const result = execute("python3", [
    "-c",
    typeAfterReady,
    "python3",
    "test/integration/support/run_on_terminal.py",
    runtimePath,
    ...terminalFlags(ws),
    "run",
    "--bundle",
    c.directory,
    c.id,
  ]);
  assert.match(result.stdout, /interrupted/);
  assert.equal(result.status, 5);
});

// Starts its arguments, waits for "ready", types Ctrl-C.
const typeAfterReady = `
import subprocess, sys
p = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
seen = b""
while b"ready" not in seen: seen += p.stdout.read1()
p.stdin.write(b"\\x03"); p.stdin.flush()
print((seen + p.stdout.read()).decode())
sys.exit(p.wait())
`;

test("the container's terminal has the size of the caller's", lacking({ crun: "1.8 leaves the size unset" }), () => {
  const c = script("sleep 0.2; stty size");
  const result = runOnTerminal(ws, ["--size", "133x47"], ["run", "--bundle", c.directory, c.id]);
  assert.equal(result.stdout, "47 133\r\n");
});

test(
  "a new size of the caller's terminal reaches the container",
  lacking({ crun: "1.8 leaves the size unset" }),
  () => {
    const c = script("trap 'stty size; exit 0' WINCH; echo ready; while :; do sleep 0.02; done");
    const flags = ["--size", "80x24", "--resize", "101x31", "--after", "ready"];
    const result = runOnTerminal(ws, flags, ["run", "--bundle", c.directory, c.id]);
    assert.equal(result.stdout, "ready\r\n31 101\r\n");
  },
);

test("8,000 lines of output arrive complete", () => {
  const c = script("seq 8000");
  const result = runOnTerminal(ws, [], ["run", "--bundle", c.directory, c.id]);
  assert.equal(result.stdout, Array.from({ length: 8000 }, (_, i) => `${i + 1}\r\n`).join(""));
});

test("run with a terminal is refused when stdin is none", lacking({ edgerun: "works, for scripts" }), () => {
  const c = script("true");
  const result = c.run();
  assert.notEqual(result.status, 0);
  ws.assertNothingLeft();
});

test("create with a terminal is refused without --console-socket", () => {
  const c = script("true");
  c.fail(
    expected({
      runc: /cannot allocate tty if runc will detach without setting console socket/,
      crun: /use --console-socket with create when a terminal is used/,
      edgerun: /cannot allocate tty if .* will detach without setting console socket/,
    }),
    ["create", "--bundle", c.directory, c.id],
  );
  ws.assertNothingLeft();
});

test("--console-socket is refused without a terminal", () => {
  const c = ws.script("true");
  c.fail(
    expected({
      runc: /cannot use console socket if runc will not detach or allocate tty/,
      crun: /./,
      edgerun: /cannot use console socket if .* will not detach or allocate tty/,
    }),
    ["run", "--console-socket", ws.newFile(), "--bundle", c.directory, c.id],
  );
});

test("--console-socket receives one terminal master", async () => {
  const c = script("tty; stty size; read line; echo got $line");
  const socket = ws.newFile();
  const receiver = receiveTerminal(socket, "90x33");
  c.succeed("create", "--console-socket", socket, "--bundle", c.directory, c.id);
  await eventually("the terminal", () => receiver.stderr() !== "");
  c.start();
  await eventually("the size", () => receiver.stdout().includes("33 90"));
  receiver.child.stdin?.write("kWh\n");
  const result = await receiver.end();
  assert.match(result.stderr, expected({ runc: /^1 \/dev\//, crun: /^1 /, edgerun: /^1 \/dev\// }));
  assert.match(result.stdout, /\/dev\/pts\/0\r\n33 90\r\n/);
  assert.match(result.stdout, /got kWh\r\n$/);
});

test("consoleSize is the terminal's first size", async () => {
  const c = script("stty size", (config) => {
    config.process.consoleSize = { width: 120, height: 40 };
  });
  const socket = ws.newFile();
  const receiver = receiveTerminal(socket);
  c.succeed("run", "--detach", "--console-socket", socket, "--bundle", c.directory, c.id);
  assert.equal((await receiver.end()).stdout, "40 120\r\n");
});

test("exec --tty gives the program a terminal", () => {
  const c = ws.running();
  const result = runOnTerminal(ws, [], ["exec", "--tty", c.id, "sh", "-c", "tty; exit 6"]);
  assert.equal(result.stdout, "/dev/pts/0\r\n");
  assert.equal(result.status, 6);
});

test("exec --tty --detach sends the terminal to --console-socket", async () => {
  const c = ws.running();
  const socket = ws.newFile();
  const receiver = receiveTerminal(socket);
  c.succeed("exec", "--tty", "--detach", "--console-socket", socket, c.id, "sh", "-c", "tty");
  assert.equal((await receiver.end()).stdout, "/dev/pts/0\r\n");
});
