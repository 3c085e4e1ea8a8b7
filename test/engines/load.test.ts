// SPDX-License-Identifier: Apache-2.0
// Many short containers, eight at a time, under each engine and with edgerun, runc and crun in turn: all succeed, and
// nothing is left. $LOAD is how many (default 24); the times are printed, and judged by nobody.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { before, test } from "node:test";
import { execute } from "../integration/support/process.ts";
import { runtimePath } from "../integration/support/runtime.ts";
import { useWorkspace } from "../integration/support/workspace.ts";
import { startContainerd } from "./containerd.ts";
import { Docker, dockerMissing } from "./docker.ts";
import { makeImageArchive } from "./image.ts";
import { toolsMissing } from "./tools.ts";

const count = Number(process.env.LOAD ?? 24);
const atOnce = 8;
const ws = useWorkspace();
const docker = new Docker(ws);
const containerdMissing = toolsMissing("containerd", "ctr");
const image = "example.com/busybox:load";
const runtimes = Object.entries({ edgerun: runtimePath, runc: "/usr/sbin/runc", crun: "/usr/bin/crun" }).filter(
  // The peers are for comparison, which a few containers are not worth.
  ([name]) => name === "edgerun" || count > 100,
);
let address = "";

type Outcome = { status: number | null; output: string };

function start(command: readonly string[], env: NodeJS.ProcessEnv): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0]!, command.slice(1), { stdio: ["ignore", "pipe", "pipe"], env, timeout: 120_000 });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, output }));
  });
}

/** Runs the command `count` times, `atOnce` at a time, each with its number. Returns the seconds, and what failed. */
async function runMany(command: (number: number) => readonly string[], env = process.env) {
  const failures: Outcome[] = [];
  let next = 0;
  let silent = 0;
  const begin = performance.now();
  const worker = async () => {
    while (next < count) {
      const outcome = await start(command(next++), env);
      if (outcome.status !== 0) failures.push(outcome);
      else if (outcome.output !== "done\n") silent += 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return { seconds: (performance.now() - begin) / 1000, failures, silent };
}

function report(engine: string, runtime: string, seconds: number): void {
  const each = ((seconds / count) * 1000).toFixed(0);
  console.log(`${engine} with ${runtime}: ${count} containers in ${seconds.toFixed(1)} s, ${each} ms each`);
}

/** crun refuses some hosts altogether; that is no failure of the engine's. */
function refusesHost(runtime: string, failures: readonly Outcome[]): boolean {
  return runtime === "crun" && failures.length === count;
}

before(async () => {
  if (dockerMissing.skip === undefined) {
    await docker.open({ runtimes: Object.fromEntries(runtimes.map(([name, path]) => [`load-${name}`, { path }])) });
  }
  if (containerdMissing.skip === undefined) {
    address = await startContainerd(ws);
    const result = execute("ctr", ["--address", address, "image", "import", makeImageArchive(ws, image)]);
    assert.equal(result.status, 0, result.stderr);
  }
});

for (const [name, path] of runtimes) {
  test(`${count} times docker run --rm with ${name}`, dockerMissing, async (context) => {
    const flags = ["--rm", "--network", "none", "--runtime", `load-${name}`]; // "runc" is reserved
    const { command, env } = docker.commandLine("run", ...flags, docker.image, "echo", "done");
    const { seconds, failures, silent } = await runMany(() => command, env);
    if (refusesHost(name, failures)) return context.skip(failures[0]!.output);
    assert.deepEqual(failures, []);
    assert.equal(silent, 0);
    assert.equal(docker.call("ps", "--all", "--quiet").stdout, "");
    report("docker", name, seconds);
  });

  test(`${count} times ctr run --rm with ${name}`, containerdMissing, async (context) => {
    const root = ws.newDirectory();
    const prefix = ws.newId();
    const { seconds, failures, silent } = await runMany((number) => [
      ...["ctr", "--address", address, "run", "--rm", "--runc-binary", path, "--runc-root", root],
      ...["--cgroup", `/${prefix}-${number}`, "--fifo-dir", ws.directory, image, `${prefix}-${number}`, "echo", "done"],
    ]);
    if (refusesHost(name, failures)) return context.skip(failures[0]!.output);
    assert.deepEqual(failures, []);
    assert.equal(execute("ctr", ["--address", address, "container", "ls", "--quiet"]).stdout, "");
    report("containerd", name, seconds);
    // ctr stops reading at the task's end, sometimes before the last line: with every runtime.
    if (silent > 0) console.log(`containerd with ${name}: ctr did not show the output of ${silent}`);
  });
}
