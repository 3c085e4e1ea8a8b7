// SPDX-License-Identifier: Apache-2.0
// Runs programs so that an interrupt of the benchmark ends them first.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** How a program ended; `status` is -1 after a signal. */
export type Result = { status: number; stdout: string; stderr: string };

/** Runs a program to its end and returns how it ended; rejects when the benchmark is interrupted or time is up. */
export type Run = (argv: readonly string[]) => Promise<Result>;

const GRACE_MS = 5_000;
/** Characters of a failed command in its error. */
const MAX_SHOWN = 200;

/** Quotes an argument vector for a POSIX shell, and for hyperfine, which splits command lines by the same rules. */
export function quote(argv: readonly string[]): string {
  return argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(" ");
}

/**
 * Makes the function that runs programs. Each is the leader of a process group; the group is ended when `signal`
 * aborts, or after `timeoutMs`. Output goes to files in `directory`, not to pipes: a container keeps its standard
 * streams open, and a reader of a pipe would wait for it.
 */
export function makeRun(directory: string, signal: AbortSignal, timeoutMs = 300_000): Run {
  let count = 0;
  return async (argv) => {
    signal.throwIfAborted();
    const paths = ["out", "err"].map((name) => join(directory, `${name}-${count}`));
    count += 1;
    const files = paths.map((path) => openSync(path, "wx", 0o600));
    const child = spawn(argv[0]!, argv.slice(1), { stdio: ["ignore", ...files], detached: true });
    const exited = once(child, "exit") as Promise<[number | null]>;
    const ended = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    const stop = () => void signalGroup(child.pid, "SIGTERM");
    ended.addEventListener("abort", stop);
    try {
      const [status] = await exited;
      if (ended.aborted) await endGroup(child.pid);
      signal.throwIfAborted();
      if (ended.aborted) throw new Error(`${quote(argv)}: still running after ${timeoutMs} ms`);
      const [stdout, stderr] = paths.map((path) => readFileSync(path, "utf8"));
      return { status: status ?? -1, stdout: stdout!, stderr: stderr! };
    } finally {
      ended.removeEventListener("abort", stop);
      for (const file of files) closeSync(file);
      for (const path of paths) rmSync(path, { force: true });
    }
  };
}

/** Runs a program that must succeed; returns its standard output, or throws with the first lines of its stderr. */
export async function runOrThrow(run: Run, argv: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await run(argv);
  if (status === 0) return stdout;
  const text = stderr.trim().split("\n").slice(0, 3).join("; ");
  const command = quote(argv);
  const shown = command.length <= MAX_SHOWN ? command : `${command.slice(0, MAX_SHOWN)}...`;
  throw new Error(`${text === "" ? "" : `${text}: `}exit code ${status} from ${shown}`);
}

/** Sends a signal to a process group; says whether there was one. */
function signalGroup(leader: number | undefined, signal: NodeJS.Signals | 0): boolean {
  if (leader === undefined) return false;
  try {
    return process.kill(-leader, signal);
  } catch {
    return false;
  }
}

/** Waits until a process group is empty; kills what is left after a while. */
async function endGroup(leader: number | undefined): Promise<void> {
  const deadline = Date.now() + GRACE_MS;
  while (signalGroup(leader, 0) && Date.now() < deadline) await sleep(20);
  signalGroup(leader, "SIGKILL");
}
