// SPDX-License-Identifier: Apache-2.0
// podman (and conmon) with --runtime. No daemon.

import assert from "node:assert/strict";
import { join } from "node:path";
import { before, test } from "node:test";
import { execute, type Result } from "../integration/support/process.ts";
import { runtimePath } from "../integration/support/runtime.ts";
import { useWorkspace } from "../integration/support/workspace.ts";
import { makeRootfsTar } from "./image.ts";
import { toolsMissing } from "./tools.ts";

const skip = toolsMissing("podman", "conmon");
const ws = useWorkspace();
const cgroupParent = `${ws.tag}-podman`;
const directory = ws.newDirectory();
const image = "localhost/busybox:test";

const podman = (...args: string[]): Result =>
  execute(
    "podman",
    [
      ["--root", join(directory, "root")],
      ["--runroot", join(directory, "run")],
      ["--tmpdir", join(directory, "tmp")],
      ["--storage-driver", "vfs"],
      ["--cgroup-manager", "cgroupfs"],
      ["--events-backend", "none"],
      ["--runtime", runtimePath],
      args,
    ].flat(),
    { timeoutMs: 40_000 },
  );
// podman raises limits by default, which needs a capability that not every host gives.
const common = [
  "--network",
  "none",
  "--ulimit",
  "nofile=1024:1024",
  "--ulimit",
  "nproc=1000:1000",
  "--cgroup-parent",
  `/${cgroupParent}`,
];
const run = (...args: string[]) => podman("run", "--rm", ...common, ...args);

/** A detached container that stays. */
function start(): string {
  const result = podman("run", "--detach", ...common, image, "sleep", "1000");
  assert.equal(result.status, 0, result.stderr);
  return result.stdout.trim();
}

before(() => {
  if (skip.skip !== undefined) return;
  ws.atClose(() => ws.removeCgroup(cgroupParent));
  ws.atClose(() => void podman("rm", "--all", "--force", "--time", "0"));
  const result = podman("import", makeRootfsTar(ws), image);
  assert.equal(result.status, 0, result.stderr);
});

test("podman run shows the program's output", skip, () => {
  const result = run(image, "echo", "hello");
  assert.deepEqual([result.stdout, result.status], ["hello\n", 0], result.stderr);
});

for (const code of [0, 7, 255]) {
  test(`podman run exits with the program's code ${code}`, skip, () => {
    assert.equal(run(image, "sh", "-c", `exit ${code}`).status, code);
  });
}

// podman tells these apart by the text of the runtime's error.
test("podman run of a missing program exits with 127", skip, () => {
  assert.equal(run(image, "no-such-program").status, 127);
});

test("podman run of a file that is not executable exits with 126", skip, () => {
  assert.equal(run(image, "/etc/passwd").status, 126);
});

test("podman exec gives output and exit code", skip, () => {
  const id = start();
  const result = podman("exec", id, "sh", "-c", "echo inside; exit 9");
  assert.deepEqual([result.stdout, result.status], ["inside\n", 9], result.stderr);
  assert.equal(podman("rm", "--force", "--time", "0", id).status, 0);
});

test("podman kill and rm", skip, () => {
  const id = start();
  assert.equal(podman("kill", id).status, 0);
  assert.equal(podman("wait", id).stdout, "137\n");
  assert.equal(podman("rm", id).status, 0);
});

test("podman pause and unpause", skip, () => {
  const id = start();
  assert.equal(podman("pause", id).status, 0);
  assert.equal(podman("inspect", "--format", "{{.State.Status}}", id).stdout, "paused\n");
  assert.equal(podman("unpause", id).status, 0);
  assert.equal(podman("rm", "--force", "--time", "0", id).status, 0);
});

test("podman volumes, users, working directories and environments", skip, () => {
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

test("podman's seccomp profile is in force", skip, () => {
  assert.equal(run(image, "grep", "^Seccomp:", "/proc/self/status").stdout, "Seccomp:\t2\n");
});

test("podman logs of a container with a terminal", skip, () => {
  const id = podman("run", "--detach", "--tty", ...common, image, "sh", "-c", "tty").stdout.trim();
  assert.equal(podman("wait", id).stdout, "0\n");
  assert.match(podman("logs", id).stdout, /^\/dev\/pts\/0\r?\n$/);
});
