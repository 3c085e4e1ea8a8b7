// SPDX-License-Identifier: Apache-2.0
// One container under test: its id, its bundle, and the runtime's commands on it.

import assert from "node:assert/strict";
import type { Options, Result, Running } from "./process.ts";
import { waitFor } from "./process.ts";
import type { Workspace } from "./workspace.ts";

export type State = {
  ociVersion: string;
  id: string;
  pid: number;
  status: string;
  bundle: string;
  rootfs: string;
  created: string;
  annotations?: Record<string, string>;
};

export class Container {
  readonly workspace: Workspace;
  readonly id: string;
  /** The bundle. */
  readonly directory: string;

  constructor(workspace: Workspace, id: string, directory: string) {
    this.workspace = workspace;
    this.id = id;
    this.directory = directory;
  }

  /** Calls the runtime: `call("kill", c.id, "KILL")`. */
  call(...args: string[]): Result {
    return this.workspace.runtime(args);
  }

  /** As call(); the exit code must be 0. */
  succeed(...args: string[]): Result {
    const result = this.call(...args);
    assert.equal(result.status, 0, `${args.join(" ")}\n${result.stdout}${result.stderr}`);
    return result;
  }

  /** As call(); the exit code must be 1 (or `status`) and stderr must match. */
  fail(pattern: RegExp, args: readonly string[], status = 1): Result {
    const result = this.call(...args);
    assert.match(result.stderr, pattern, args.join(" "));
    assert.equal(result.status, status, `${args.join(" ")}\n${result.stderr}`);
    return result;
  }

  /** `run` in the foreground. */
  run(flags: readonly string[] = [], options?: Options): Result {
    return this.workspace.runtime(["run", ...flags, "--bundle", this.directory, this.id], options);
  }

  /** `run` in the foreground, beside the test. */
  launch(flags: readonly string[] = [], options?: Options & { pipe?: boolean }): Running {
    return this.workspace.launchRuntime(["run", ...flags, "--bundle", this.directory, this.id], options);
  }

  create(flags: readonly string[] = [], options?: Options): Result {
    return this.workspace.runtime(["create", ...flags, "--bundle", this.directory, this.id], options);
  }

  start(): Result {
    return this.succeed("start", this.id);
  }

  kill(signal = "KILL"): Result {
    return this.succeed("kill", this.id, signal);
  }

  /** Runs a program in the container. */
  exec(args: readonly string[], flags: readonly string[] = [], options?: Options): Result {
    return this.workspace.runtime(["exec", ...flags, this.id, ...args], options);
  }

  /** What a shell script in the container prints, trimmed; its exit code must be 0. */
  output(script: string, flags: readonly string[] = []): string {
    const result = this.exec(["/bin/sh", "-c", script], flags);
    assert.equal(result.status, 0, `exec ${script}\n${result.stdout}${result.stderr}`);
    return result.stdout.trimEnd();
  }

  state(): State {
    return JSON.parse(this.succeed("state", this.id).stdout);
  }

  status(): string {
    return this.state().status;
  }

  /** Pid, on the host, of the container's first process. */
  get pid(): number {
    return this.state().pid;
  }

  waitForStatus(status: string): void {
    waitFor(`status ${status} of ${this.id}`, () => this.status() === status);
  }

  /** Kills it and waits until it is stopped. */
  stop(): void {
    this.kill("KILL");
    this.waitForStatus("stopped");
  }

  /** Deletes it, in whatever state it is. */
  dispose(): void {
    this.workspace.runtime(["delete", "--force", this.id]);
  }
}
