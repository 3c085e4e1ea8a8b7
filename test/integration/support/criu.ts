// SPDX-License-Identifier: Apache-2.0
// Checkpoints under test. The CRIU is that of Debian testing (`make build/trees/criu/.packages`): older ones fail on new
// kernels. $CRIU names another one.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { Change, Config } from "./config.ts";
import { setScript } from "./config.ts";
import type { Container } from "./container.ts";
import { execute, type Options, type Result, waitFor } from "./process.ts";
import { runtimePath } from "./runtime.ts";
import type { Workspace } from "./workspace.ts";

export const criu = resolve(process.env.CRIU ?? "build/trees/criu/usr/sbin/criu");

/** Puts CRIU first on the PATH of this test file. */
export function useCriu(): void {
  if (!existsSync(criu)) throw new Error(`no criu at ${criu}: run make build/trees/criu/.packages, or set CRIU`);
  process.env.PATH = `${dirname(criu)}:${process.env.PATH}`;
}

/** Whether CRIU and the kernel can do something (`criu check --feature`); else what it answered. */
export function lackingFeature(name: string): string | undefined {
  const result = execute(criu, ["check", "--feature", name]);
  return result.status === 0 ? undefined : `criu check --feature ${name}: ${(result.stdout + result.stderr).trim()}`;
}

/**
 * Calls the runtime with pipes as stdout and stderr, as engines do; peers can't checkpoint files of the host. What
 * comes out of them, now and later, is in the file.
 */
export function callWithPipes(
  ws: Workspace,
  args: readonly string[],
  output = ws.newFile(),
  options?: Options,
): Result {
  // What a failure says takes its way through a pipe.
  const script =
    '"$@" > >(exec cat >>"$0") 2> >(exec tee -a "$0" >&2); code=$?; [ $code -eq 0 ] || sleep 0.2; exit $code';
  return execute("bash", ["-c", script, output, runtimePath, ...ws.globalFlags, ...args], options);
}

/** A static program for the root file systems of containers, from C. */
export function compileProgram(ws: Workspace, source: string): string {
  const program = ws.newFile();
  succeed(execute("gcc", ["-static", "-O1", "-x", "c", "-o", program, ws.newFile(source)]));
  return program;
}

/** A container whose shell counts in a variable and writes each number to a file of the host. */
export class Counter {
  readonly container: Container;
  readonly file: string;
  readonly images: string;
  readonly work: string;

  /** @param interlude shell commands before the counting begins */
  constructor(ws: Workspace, change?: Change, interlude = "") {
    const directory = ws.newDirectory();
    this.file = join(directory, "n");
    this.images = join(ws.newDirectory(), "images");
    this.work = join(ws.newDirectory(), "work");
    this.container = ws.bundle((config: Config) => {
      setScript(config, `${interlude}\nn=0; while :; do n=$((n + 1)); echo $n >/data/n; sleep 0.02; done`);
      config.mounts.push({ destination: "/data", type: "bind", source: directory, options: ["bind"] });
      change?.(config);
    });
  }

  get count(): number {
    return existsSync(this.file) ? Number(readFileSync(this.file, "utf8")) : 0;
  }

  /** Starts it and lets it count a little. */
  run(...flags: string[]): this {
    const { container } = this;
    succeed(
      callWithPipes(container.workspace, ["run", "--detach", ...flags, "--bundle", container.directory, container.id]),
    );
    return this.advance();
  }

  /** Waits until it has counted on. */
  advance(): this {
    const from = this.count;
    waitFor("the counter to go on", () => this.count >= from + 5);
    return this;
  }

  checkpoint(...flags: string[]): Result {
    return this.container.call("checkpoint", ...this.paths, ...flags, this.container.id);
  }

  restore(flags: readonly string[] = ["--detach"], id = this.container.id): Result {
    const { workspace, directory } = this.container;
    return callWithPipes(workspace, ["restore", ...this.paths, ...flags, "--bundle", directory, id]);
  }

  get paths(): string[] {
    return ["--image-path", this.images, "--work-path", this.work];
  }

  /** Restored, it must go on with the number after the last one. */
  assertGoesOn(last: number): void {
    this.advance();
    // One that began anew would be far below; one that was slow to restore has not counted meanwhile.
    assert.ok(this.count > last && this.count < last + 2_000, `${this.count} after ${last}`);
  }
}

export function succeed(result: Result): Result {
  assert.equal(result.status, 0, result.stdout + result.stderr);
  return result;
}
