// SPDX-License-Identifier: Apache-2.0
// What every test file starts with: `const ws = useWorkspace()`. It holds a temporary directory, a private state root
// and the containers of the running test; they are deleted after each test, passed or failed, and after the file the
// host must be as it was.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach } from "node:test";
import { type Change, type Config, defaultConfig, setScript } from "./config.ts";
import { Container } from "./container.ts";
import { assertHostUnchanged, type HostSnapshot, idPrefix, snapshotHost } from "./host_snapshot.ts";
import { parseMountinfo } from "./inside.ts";
import { execute, launch, type Options, type Result, type Running, waitFor } from "./process.ts";
import { makeRootfs } from "./rootfs.ts";
import { expected, runtimePath } from "./runtime.ts";
import { disableNewControllers, readEnabledControllers } from "./unified_controllers.ts";

export class Workspace {
  readonly tag = `${idPrefix}${process.pid}-${Date.now().toString(36)}`;
  /** Named after the tag, so that whatever is found on the host can be told apart from other runs. */
  readonly directory = join(tmpdir(), this.tag);
  readonly stateRoot = join(this.directory, "state");
  /** Shared by the containers of the file; a test that changes it uses newRootfs(). */
  readonly rootfs = join(this.directory, "rootfs");
  readonly #controllers: ReadonlySet<string>;
  #before: HostSnapshot;
  #containers: Container[] = [];
  #kept: Container[] = [];
  #closers: (() => void | Promise<void>)[] = [];
  #count = 0;

  constructor() {
    mkdirSync(this.directory, { mode: 0o755 }); // must not exist; users of user namespaces pass through it
    mkdirSync(this.stateRoot, { mode: 0o700 });
    makeRootfs(this.rootfs);
    this.#before = snapshotHost(this.tag, this.stateRoot);
    this.#controllers = readEnabledControllers();
  }

  /** An id (and file name) that nothing else on this host has. */
  newId(): string {
    return `${this.tag}-${this.#count++}`;
  }

  /** A new path in the temporary directory, with the text in it if there is one. */
  newFile(text?: string): string {
    const path = join(this.directory, `file-${this.#count++}`);
    if (text !== undefined) writeFileSync(path, text);
    return path;
  }

  /** A new, empty directory. */
  newDirectory(): string {
    const path = join(this.directory, `directory-${this.#count++}`);
    mkdirSync(path);
    return path;
  }

  newRootfs(): string {
    return makeRootfs(this.newDirectory());
  }

  /** A bundle with the default config, changed; nothing is started. */
  bundle(change?: Change): Container {
    const id = this.newId();
    const config: Config = defaultConfig(id, this.rootfs);
    change?.(config);
    return this.rawBundle(JSON.stringify(config), id);
  }

  /** A bundle whose config.json is exactly this text. */
  rawBundle(configText: string | Buffer, id = this.newId()): Container {
    const directory = this.newDirectory();
    writeFileSync(join(directory, "config.json"), configText);
    const container = new Container(this, id, directory);
    this.#containers.push(container);
    return container;
  }

  /** A bundle that runs a shell script. */
  script(script: string, change?: Change): Container {
    return this.bundle((config) => {
      setScript(config, script);
      change?.(config);
    });
  }

  /** A container that was created and started, and stays until it is killed. */
  running(change?: Change): Container {
    const container = this.script("while :; do sleep 1000; done", change);
    container.succeed("run", "--detach", "--bundle", container.directory, container.id);
    return container;
  }

  /** A container that was created, not started. */
  created(change?: Change): Container {
    const container = this.script("while :; do sleep 1000; done", change);
    container.succeed("create", "--bundle", container.directory, container.id);
    return container;
  }

  /** Runs a script in a new container, to its end. */
  runScript(script: string, change?: Change, options?: Options): Result {
    return this.script(script, change).run([], options);
  }

  /** What a script prints in a new container, without the last line's end; its exit code must be 0. */
  output(script: string, change?: Change, options?: Options): string {
    const result = this.runScript(script, change, options);
    assert.equal(result.status, 0, `exit code of the script\n${result.stdout}${result.stderr}`);
    return result.stdout.trimEnd();
  }

  /** Without a log file runc decorates and quotes its errors on stderr; with one it prints the text alone. */
  get globalFlags(): string[] {
    const log = expected({ runc: ["--log", join(this.directory, "log")], crun: [], edgerun: [] });
    return ["--root", this.stateRoot, ...log];
  }

  /** Calls the runtime with this workspace's state root. */
  runtime(args: readonly string[], options?: Options): Result {
    return execute(runtimePath, [...this.globalFlags, ...args], options);
  }

  /** As runtime(), without waiting. */
  launchRuntime(args: readonly string[], options?: Options & { pipe?: boolean }): Running {
    return launch(runtimePath, [...this.globalFlags, ...args], options);
  }

  /** The container must be gone, without a trace, though the command was refused. */
  assertNothingLeft(): void {
    this.deleteContainers();
    this.assertHostUnchanged();
  }

  /** Fails if anything on the host differs from when the workspace was made; deletes nothing. */
  assertHostUnchanged(): void {
    try {
      assertHostUnchanged(this.#before, this.tag, this.stateRoot);
    } catch (error) {
      // What one test left behind must not fail the ones after it.
      this.#before = snapshotHost(this.tag, this.stateRoot);
      throw error;
    }
  }

  /** Keeps a container until the end of the file, for tests that share it. */
  keep(container: Container): Container {
    this.#containers = this.#containers.filter((other) => other !== container);
    this.#kept.push(container);
    return container;
  }

  /**
   * Removes a cgroup and those below it, by its name below the root of every hierarchy: parents that engines or tests
   * made. The last process in it may still be on its way out.
   */
  removeCgroup(name: string): void {
    const paths = readdirSync("/sys/fs/cgroup").map((hierarchy) => join("/sys/fs/cgroup", hierarchy, name));
    waitFor(`the end of the cgroup ${name}`, () => {
      const left = paths.filter((path) => existsSync(path));
      for (const path of left) execute("find", [path, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"]);
      return left.length === 0;
    });
  }

  /** Deletes, by force, every container that the running test made. */
  deleteContainers(): void {
    const containers = this.#containers;
    this.#containers = [];
    for (const container of containers) container.dispose();
  }

  /** Runs before the workspace is closed and the host compared, last first: the test's own daemons end here. */
  atClose(close: () => void | Promise<void>): void {
    this.#closers.push(close);
  }

  async close(): Promise<void> {
    try {
      this.deleteContainers();
      for (const container of this.#kept) container.dispose();
      for (const close of this.#closers.reverse()) await close();
      this.assertHostUnchanged();
    } finally {
      this.#removeLeaked();
      disableNewControllers(this.#controllers);
      rmSync(this.directory, { recursive: true, force: true });
    }
  }

  /** Ends the processes of a cgroup that bears this workspace's tag, and waits until they have left it. */
  #emptyCgroup(cgroup: string): void {
    const members = () => (existsSync(cgroup) ? readFileSync(join(cgroup, "cgroup.procs"), "utf8").split("\n") : []);
    for (const pid of members().filter((line) => line !== "")) execute("kill", ["-KILL", pid]);
    waitFor(`${cgroup} to be empty`, () => members().every((line) => line === ""));
  }

  /** Undoes what a faulty runtime left, so that removing the directory can't reach into something else. */
  #removeLeaked(): void {
    const targets = parseMountinfo(readFileSync("/proc/self/mountinfo", "utf8")).map((mount) => mount.target);
    for (const target of targets.reverse()) {
      if (target.startsWith(this.directory)) execute("umount", ["--lazy", target]);
    }
    const find = ["/sys/fs/cgroup", "-depth", "-type", "d", "-path", `*/${this.tag}-*`];
    for (const cgroup of execute("find", find)
      .stdout.split("\n")
      .filter((path) => path !== ""))
      this.#emptyCgroup(cgroup);
    execute("find", [...find, "-exec", "rmdir", "{}", ";"]);
  }
}

/** Makes the workspace of a test file and ties its cleanup to the test runner. */
export function useWorkspace(): Workspace {
  const workspace = new Workspace();
  afterEach(() => workspace.deleteContainers());
  after(() => workspace.close());
  return workspace;
}
