// SPDX-License-Identifier: Apache-2.0
// containerd: `ctr` with the runtime as the shim's binary.

import assert from "node:assert/strict";
import { before, test } from "node:test";
import { execute, type Result, waitFor } from "../integration/support/process.ts";
import { runtimePath } from "../integration/support/runtime.ts";
import { useWorkspace } from "../integration/support/workspace.ts";
import { startContainerd } from "./containerd.ts";
import { makeImageArchive } from "./image.ts";
import { toolsMissing } from "./tools.ts";

const skip = toolsMissing("containerd", "ctr");
const image = "example.com/busybox:test";
const ws = useWorkspace();
const runtimeRoot = ws.newDirectory();
let address = "";

const ctr = (...args: string[]): Result => execute("ctr", ["--address", address, ...args], { timeoutMs: 30_000 });

/** Flags and arguments of `ctr run` for a new container. */
function runArguments(id: string, flags: readonly string[], args: readonly string[]): string[] {
  const runtime = ["--runc-binary", runtimePath, "--runc-root", runtimeRoot, "--cgroup", `/${id}`];
  return ["run", ...runtime, "--fifo-dir", ws.directory, ...flags, image, id, ...args];
}
const run = (flags: readonly string[], ...args: string[]) => ctr(...runArguments(ws.newId(), flags, args));

/** A detached container that stays. */
function start(): string {
  const id = ws.newId();
  const result = ctr(...runArguments(id, ["--detach"], ["sleep", "1000"]));
  assert.equal(result.status, 0, result.stderr);
  return id;
}

const status = (id: string) =>
  ctr("task", "ls")
    .stdout.split("\n")
    .find((line) => line.startsWith(id))
    ?.split(/\s+/)[2];

/** Kills the task and removes the container. */
function remove(id: string): void {
  ctr("task", "kill", "--signal", "SIGKILL", id);
  waitFor("the end of the task", () => status(id) === "STOPPED");
  assert.equal(ctr("task", "rm", id).status, 0);
  assert.equal(ctr("container", "rm", id).status, 0);
}

before(async () => {
  if (skip.skip !== undefined) return;
  address = await startContainerd(ws);
  const result = ctr("image", "import", makeImageArchive(ws, image));
  assert.equal(result.status, 0, result.stderr);
});

test("ctr run shows the program's output", skip, () => {
  const result = run(["--rm"], "echo", "hello");
  assert.deepEqual([result.stdout, result.status], ["hello\n", 0], result.stderr);
});

for (const code of [0, 7, 255]) {
  test(`ctr run exits with the program's code ${code}`, skip, () => {
    assert.equal(run(["--rm"], "sh", "-c", `exit ${code}`).status, code);
  });
}

test("ctr run of a missing program fails with its name", skip, () => {
  const result = run(["--rm"], "no-such-program");
  assert.notEqual(result.status, 0);
  assert.match(result.stderr, /no-such-program.*(executable file not found|not found|no such file)/);
});

test("a task runs, takes exec, and ends by kill", skip, () => {
  const id = start();
  assert.equal(status(id), "RUNNING");
  const result = ctr(
    "task",
    "exec",
    "--fifo-dir",
    ws.directory,
    "--exec-id",
    "e1",
    id,
    "sh",
    "-c",
    "echo inside; exit 9",
  );
  assert.deepEqual([result.stdout, result.status], ["inside\n", 9], result.stderr);
  remove(id);
});

test("a task is paused and resumed", skip, () => {
  const id = start();
  assert.equal(ctr("task", "pause", id).status, 0);
  assert.equal(status(id), "PAUSED");
  assert.equal(ctr("task", "resume", id).status, 0);
  assert.equal(status(id), "RUNNING");
  remove(id);
});

test("task ps lists the processes", skip, () => {
  const id = start();
  assert.match(ctr("task", "ps", id).stdout, /^\d+/m);
  remove(id);
});

test("a container with limits has them", skip, () => {
  const id = ws.newId();
  const result = ctr(
    ...runArguments(id, ["--rm", "--memory-limit", "67108864"], ["cat", "/sys/fs/cgroup/memory/memory.limit_in_bytes"]),
  );
  if (result.status !== 0) return; // the default spec of this ctr mounts no cgroups
  assert.equal(result.stdout, "67108864\n");
});

test("ctr run --privileged gives all capabilities of the caller", skip, () => {
  const own = execute("grep", ["^CapBnd", "/proc/self/status"]).stdout;
  assert.equal(run(["--rm", "--privileged"], "grep", "^CapBnd", "/proc/self/status").stdout, own);
});
