// SPDX-License-Identifier: Apache-2.0
// dockerd, on a containerd of the test's own, with the runtime added by --add-runtime.

import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { execute, type Result } from "../integration/support/process.ts";
import { runtimePath } from "../integration/support/runtime.ts";
import { useWorkspace } from "../integration/support/workspace.ts";
import { startContainerd } from "./containerd.ts";
import { startDaemon } from "./daemon.ts";
import { makeRootfsTar } from "./image.ts";
import { toolsMissing } from "./tools.ts";

const skip = toolsMissing("containerd", "ctr", "dockerd", "docker");
const ws = useWorkspace();
const cgroupParent = `${ws.tag}-docker`;
const directory = ws.newDirectory();
const host = `unix://${join(directory, "docker.sock")}`;
const image = "busybox:test";

const docker = (...args: string[]): Result =>
  execute("docker", ["--host", host, ...args], {
    timeoutMs: 40_000,
    env: { ...process.env, DOCKER_CONFIG: join(directory, "client") },
  });
const run = (...args: string[]) => docker("run", "--rm", "--network", "none", "--runtime", "tested", ...args);

/** A detached container that stays. */
function start(...flags: string[]): string {
  const result = docker(
    "run",
    "--detach",
    "--network",
    "none",
    "--runtime",
    "tested",
    ...flags,
    image,
    "sleep",
    "1000",
  );
  assert.equal(result.status, 0, result.stderr);
  return result.stdout.trim();
}

before(async () => {
  if (skip.skip !== undefined) return;
  ws.atClose(() => ws.removeCgroup(cgroupParent));
  const containerd = await startContainerd(ws);
  const config = ws.newFile(JSON.stringify({ "deprecated-key-path": join(directory, "key.json") }));
  const flags = {
    "config-file": config,
    "data-root": join(directory, "data"),
    "exec-root": join(directory, "exec"),
    pidfile: join(directory, "docker.pid"),
    host,
    containerd,
    bridge: "none",
    iptables: "false",
    ip6tables: "false",
    "ip-forward": "false",
    "ip-masq": "false",
    "storage-driver": "vfs",
    "cgroup-parent": `/${cgroupParent}`,
    "add-runtime": `tested=${runtimePath}`,
  };
  const command = ["dockerd", ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`)];
  await startDaemon(ws, command, ["docker", "--host", host, "version"]);
  const result = docker("import", makeRootfsTar(ws), image);
  assert.equal(result.status, 0, result.stderr);
});

test("docker run shows the program's output", skip, () => {
  const result = run(image, "echo", "hello");
  assert.deepEqual([result.stdout, result.status], ["hello\n", 0], result.stderr);
});

for (const code of [0, 7, 255]) {
  test(`docker run exits with the program's code ${code}`, skip, () => {
    assert.equal(run(image, "sh", "-c", `exit ${code}`).status, code);
  });
}

// docker tells these apart by the text of the runtime's error.
test("docker run of a missing program exits with 127", skip, () => {
  assert.equal(run(image, "no-such-program").status, 127);
});

test("docker run of a file that is not executable exits with 126", skip, () => {
  assert.equal(run(image, "/etc/passwd").status, 126);
});

test("docker exec gives output and exit code", skip, () => {
  const id = start();
  const result = docker("exec", id, "sh", "-c", "echo inside; exit 9");
  assert.deepEqual([result.stdout, result.status], ["inside\n", 9], result.stderr);
  assert.equal(docker("rm", "--force", id).status, 0);
});

test("docker kill and rm", skip, () => {
  const id = start();
  assert.equal(docker("kill", id).status, 0);
  assert.equal(docker("wait", id).stdout, "137\n");
  assert.equal(docker("rm", id).status, 0);
  assert.doesNotMatch(docker("ps", "--all", "--quiet", "--no-trunc").stdout, new RegExp(id));
});

test("docker stop ends a program that takes SIGTERM", skip, () => {
  const id = start("--init=false", "--stop-signal", "KILL");
  assert.equal(docker("stop", id).status, 0);
  assert.equal(docker("rm", id).status, 0);
});

test("docker pause and unpause", skip, () => {
  const id = start();
  assert.equal(docker("pause", id).status, 0);
  assert.equal(docker("inspect", "--format", "{{.State.Status}}", id).stdout, "paused\n");
  assert.equal(docker("unpause", id).status, 0);
  assert.equal(docker("rm", "--force", id).status, 0);
});

test("docker limits reach the kernel", skip, () => {
  const result = run(
    "--memory",
    "64m",
    "--pids-limit",
    "50",
    image,
    "cat",
    "/sys/fs/cgroup/memory/memory.limit_in_bytes",
    "/sys/fs/cgroup/pids/pids.max",
  );
  assert.equal(result.stdout, "67108864\n50\n", result.stderr);
});

test("docker volumes, users, working directories and environments", skip, () => {
  const flags = [
    "--volume",
    `${ws.newDirectory()}:/data`,
    "--user",
    "1000:1001",
    "--workdir",
    "/data",
    "--env",
    "SITE=7",
  ];
  const result = run(...flags, image, "sh", "-c", "id -u; id -g; pwd; echo $SITE");
  assert.equal(result.stdout, "1000\n1001\n/data\n7\n", result.stderr);
});

test("docker's seccomp profile is in force", skip, () => {
  assert.equal(run(image, "grep", "^Seccomp:", "/proc/self/status").stdout, "Seccomp:\t2\n");
  assert.equal(
    run("--security-opt", "seccomp=unconfined", image, "grep", "^Seccomp:", "/proc/self/status").stdout,
    "Seccomp:\t0\n",
  );
});

test("docker run --read-only", skip, () => {
  assert.notEqual(run("--read-only", image, "touch", "/etc/x").status, 0);
  assert.equal(run(image, "touch", "/etc/x").status, 0);
});

test("docker logs and attach of a container with a terminal", skip, () => {
  const result = docker(
    "run",
    "--detach",
    "--tty",
    "--network",
    "none",
    "--runtime",
    "tested",
    image,
    "sh",
    "-c",
    "tty",
  );
  const id = result.stdout.trim();
  assert.equal(docker("wait", id).stdout, "0\n");
  assert.equal(docker("logs", id).stdout, "/dev/pts/0\r\n");
  docker("rm", id);
});
