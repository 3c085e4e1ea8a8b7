// SPDX-License-Identifier: Apache-2.0
// A dockerd of the test's own, with its containerd, in network and mount namespaces of its own: its bridge, its
// packet filter rules and its mounts are there, and not on the host. "host" for its containers is that network.

import assert from "node:assert/strict";
import { readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { execute, launch, type Result, type Running } from "../integration/support/process.ts";
import { runtimePath } from "../integration/support/runtime.ts";
import type { Workspace } from "../integration/support/workspace.ts";
import { startDaemon } from "./daemon.ts";
import { makeRootfsTar } from "./image.ts";
import { toolsMissing } from "./tools.ts";

export const dockerMissing = toolsMissing("containerd", "dockerd", "docker", "iptables", "ip");

export class Docker {
  readonly image = "busybox:test";
  readonly #ws: Workspace;
  readonly #directory: string;
  readonly #host: string;
  readonly #cgroupParent: string;

  constructor(ws: Workspace) {
    this.#ws = ws;
    this.#directory = ws.newDirectory();
    this.#host = `unix://${join(this.#directory, "docker.sock")}`;
    this.#cgroupParent = `${ws.tag}-docker`;
  }

  /** Starts the daemon, with these further settings, and makes the image. */
  async open(settings: object = {}, runtime = runtimePath): Promise<void> {
    this.#ws.atClose(() => this.#ws.removeCgroup(this.#cgroupParent));
    const path = (name: string) => join(this.#directory, name);
    const config = this.#ws.newFile(JSON.stringify({ "deprecated-key-path": path("key.json"), ...settings }));
    const flags = {
      "config-file": config,
      "data-root": path("data"),
      "exec-root": path("exec"),
      pidfile: path("docker.pid"),
      host: this.#host,
      "storage-driver": "vfs",
      "cgroup-parent": `/${this.#cgroupParent}`,
      "add-runtime": `tested=${runtime}`,
    };
    const daemon = ["dockerd", ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`)];
    const inNamespace = ["unshare", "--net", "--mount", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];
    await startDaemon(this.#ws, [...inNamespace, ...daemon], ["docker", "--host", this.#host, "version"]);
    this.#ws.atClose(() => this.#removeAll());
    const result = this.call("import", makeRootfsTar(this.#ws), this.image);
    assert.equal(result.status, 0, result.stderr);
  }

  /** The client's command line and environment, for those that start it themselves. */
  commandLine(...args: string[]): { command: string[]; env: NodeJS.ProcessEnv } {
    return { command: ["docker", "--host", this.#host, ...args], env: this.#environment() };
  }

  call(...args: string[]): Result {
    return execute("docker", ["--host", this.#host, ...args], { timeoutMs: 40_000, env: this.#environment() });
  }

  callWithInput(input: string, ...args: string[]): Result {
    return execute("docker", ["--host", this.#host, ...args], { timeoutMs: 40_000, env: this.#environment(), input });
  }

  /** With a terminal as stdin and stdout. */
  onTerminal(...args: string[]): Result {
    const quoted = ["docker", "--host", this.#host, ...args]
      .map((arg) => `'${arg.replaceAll("'", "'\\''")}'`)
      .join(" ");
    return execute("script", ["-qec", quoted, "/dev/null"], { timeoutMs: 40_000, env: this.#environment() });
  }

  launch(...args: string[]): Running {
    return launch("docker", ["--host", this.#host, ...args], { env: this.#environment() });
  }

  /** `docker run --rm` with the runtime under test. */
  run(...args: string[]): Result {
    return this.call("run", "--rm", "--runtime", "tested", ...args);
  }

  /** `docker run --detach`: the container's id. */
  detach(flags: readonly string[], ...args: string[]): string {
    const result = this.call("run", "--detach", "--runtime", "tested", ...flags, this.image, ...args);
    assert.equal(result.status, 0, result.stderr);
    return result.stdout.trim();
  }

  /** A detached container that stays. */
  start(...flags: string[]): string {
    return this.detach(flags, "sleep", "1000");
  }

  /** A file of a container's cgroup, of cgroup v1 in the controller's hierarchy. */
  readCgroup(id: string, controller: string, file: string): string {
    return readFileSync(join("/sys/fs/cgroup", controller, this.#cgroupParent, id, file), "utf8").trim();
  }

  /** A namespace of the daemon's: what containers get as the host's. */
  namespace(type: string): string {
    return readlinkSync(`/proc/${readFileSync(join(this.#directory, "docker.pid"), "utf8").trim()}/ns/${type}`);
  }

  #environment(): NodeJS.ProcessEnv {
    return { ...process.env, DOCKER_CONFIG: join(this.#directory, "client") };
  }

  #removeAll(): void {
    const ids = this.call("ps", "--all", "--quiet").stdout.split("\n").filter(Boolean);
    if (ids.length > 0) this.call("rm", "--force", ...ids);
  }
}
