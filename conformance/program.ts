// SPDX-License-Identifier: Apache-2.0
// Runs one validation program, in namespaces of its own.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { listCgroups, removeNewCgroups } from "./cgroups.ts";
import { readTap, type Tap } from "./tap.ts";

export type Runtime = { name: string; path: string };

export type Outcome = Tap & {
  /** Exit code; 128 + N after signal N, as shells count. */
  status: number;
  timedOut: boolean;
  /** Ended with 0, and no test was not ok. */
  clean: boolean;
  seconds: number;
  stdout: string;
  stderr: string;
};

/**
 * The first process of the PID namespace: with its end everything that the program left is killed. State and bundles
 * are on a tmpfs that goes with the mount namespace. A shell, because orphans need somebody to reap them.
 */
const FIRST_PROCESS = `
mount -t tmpfs -o mode=755 tmpfs /run &&
mkdir "$TMPDIR" &&
"$0"
exit $?`;
const NAMESPACES = ["--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"];

/**
 * Runs a program of the suite with a runtime, and removes what it leaves: processes, mounts, state, bundles, cgroups.
 * It is killed after `timeoutMs`, and when `interrupt` aborts; then this throws.
 */
export async function runProgram(
  suite: string,
  program: string,
  runtime: Runtime,
  timeoutMs: number,
  interrupt: AbortSignal,
): Promise<Outcome> {
  interrupt.throwIfAborted();
  const before = listCgroups();
  const begin = performance.now();
  const child = spawn("unshare", [...NAMESPACES, "sh", "-c", FIRST_PROCESS, join(suite, "programs", program)], {
    cwd: suite,
    env: { ...process.env, RUNTIME: runtime.path, TMPDIR: "/run/bundles" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const timeout = AbortSignal.timeout(timeoutMs);
  const kill = () => void child.kill("SIGKILL");
  timeout.addEventListener("abort", kill);
  interrupt.addEventListener("abort", kill);
  const [stdout, stderr, [status]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, "close") as Promise<[number | null]>,
  ]);
  timeout.removeEventListener("abort", kill);
  interrupt.removeEventListener("abort", kill);
  const seconds = (performance.now() - begin) / 1000;
  await removeCgroups(before, `${program} with ${runtime.name}`);
  interrupt.throwIfAborted();
  const tap = readTap(stdout);
  const timedOut = timeout.aborted && status === null;
  return {
    ...tap,
    status: status ?? 137,
    timedOut,
    clean: status === 0 && tap.notOk === 0,
    seconds: Math.round(seconds * 10) / 10,
    stdout,
    stderr,
  };
}

/** A cgroup can be busy for a moment after its last process ended. */
async function removeCgroups(before: ReadonlySet<string>, what: string): Promise<void> {
  let left: string[] = [];
  for (let attempt = 0; attempt < 50; attempt += 1) {
    left = removeNewCgroups(before);
    if (left.length === 0) return;
    await sleep(20);
  }
  console.error(`conformance: ${what}: cgroups could not be removed: ${left.join(" ")}`);
}
