// SPDX-License-Identifier: Apache-2.0
// Runs programs with a time limit. Output goes to unlinked files, not pipes: a detached container keeps the
// descriptors open, and a reader of a pipe would wait for it.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { closeSync, fstatSync, openSync, readSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How a program ended. `status` is -1 when a signal ended it. */
export type Result = { status: number; signal: NodeJS.Signals | null; stdout: string; stderr: string };

/** `fds` are passed on as descriptors 3, 4, ... */
export type Options = {
  input?: string | Buffer;
  stdin?: "null" | "closed";
  timeoutMs?: number;
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  fds?: readonly number[];
};

/** $EDGERUN_TEST_PATIENCE: how many times as long as here everything may take, on an emulated machine for example. */
export const patience = Number(process.env.EDGERUN_TEST_PATIENCE ?? 1);
let fileCount = 0;

function openScratchFile(): number {
  const path = join(tmpdir(), `edgerun-test-output-${process.pid}-${fileCount++}`);
  const fd = openSync(path, "wx+", 0o600);
  unlinkSync(path);
  return fd;
}

function readWhole(fd: number): Buffer {
  const bytes = Buffer.alloc(fstatSync(fd).size);
  let length = 0;
  while (length < bytes.length) {
    const count = readSync(fd, bytes, length, bytes.length - length, length);
    if (count === 0) break;
    length += count;
  }
  return bytes.subarray(0, length);
}

/** Runs a program to its end; throws when it takes longer than `timeoutMs` (default 20 s) or can't be started. */
export function execute(command: string, args: readonly string[], options: Options = {}): Result {
  const out = openScratchFile();
  const err = openScratchFile();
  const [file, argv] =
    options.stdin === "closed" ? ["/bin/sh", ["-c", 'exec "$@" <&-', "sh", command, ...args]] : [command, args];
  try {
    const child = spawnSync(file, [...argv], {
      stdio: [options.input === undefined ? "ignore" : "pipe", out, err, ...(options.fds ?? [])],
      ...(options.input === undefined ? {} : { input: options.input }),
      timeout: (options.timeoutMs ?? 20_000) * patience,
      killSignal: "SIGKILL",
      env: options.env ?? process.env,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    const result = { stdout: readWhole(out).toString("utf8"), stderr: readWhole(err).toString("utf8") };
    // EPIPE only says that the program did not read all of its input.
    if (child.error !== undefined && (child.error as NodeJS.ErrnoException).code !== "EPIPE") {
      throw new Error(`${command} ${args.join(" ")}: ${child.error.message}\n${result.stdout}${result.stderr}`);
    }
    return { status: child.status ?? -1, signal: child.signal, ...result };
  } finally {
    closeSync(out);
    closeSync(err);
  }
}

/** A program that runs beside the test. */
export type Running = {
  child: ChildProcess;
  pid: number;
  stdout(): string;
  stderr(): string;
  /** Waits for the end; SIGKILL and an error after `timeoutMs` (default 20 s). */
  end(timeoutMs?: number): Promise<Result>;
};

/** Starts a program without waiting for it; the caller must await `end()`. */
export function launch(command: string, args: readonly string[], options: Options & { pipe?: boolean } = {}): Running {
  const out = openScratchFile();
  const err = openScratchFile();
  const child = spawn(command, [...args], {
    stdio: [options.pipe ? "pipe" : "ignore", out, err],
    env: options.env ?? process.env,
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
  });
  const exited = once(child, "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  // A failure is reported by end(); without this handler it would count as unhandled before that.
  exited.catch(() => undefined);
  return {
    child,
    pid: child.pid ?? -1,
    stdout: () => readWhole(out).toString("utf8"),
    stderr: () => readWhole(err).toString("utf8"),
    async end(timeoutMs = 20_000) {
      let late = false;
      const timer = setTimeout(() => {
        late = true;
        child.kill("SIGKILL");
      }, timeoutMs * patience);
      try {
        const [status, signal] = await exited;
        if (late) throw new Error(`${command} ${args.join(" ")}: still running after ${timeoutMs} ms`);
        return { status: status ?? -1, signal, stdout: this.stdout(), stderr: this.stderr() };
      } finally {
        clearTimeout(timer);
        closeSync(out);
        closeSync(err);
      }
    },
  };
}

const sleeper = new Int32Array(new SharedArrayBuffer(4));

/** Blocks for a number of milliseconds. */
export function sleep(ms: number): void {
  Atomics.wait(sleeper, 0, 0, ms);
}

/** Polls until the condition yields something other than false, null or undefined; throws after `timeoutMs`. */
export function waitFor<T>(what: string, condition: () => T | false | null | undefined, timeoutMs = 5_000): T {
  const deadline = Date.now() + timeoutMs * patience;
  for (;;) {
    const value = condition();
    if (value !== false && value !== null && value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    sleep(5);
  }
}

/** As waitFor, but lets events of this process run in between. */
export async function eventually(what: string, condition: () => boolean, timeoutMs = 5_000): Promise<void> {
  const deadline = Date.now() + timeoutMs * patience;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs} ms in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
