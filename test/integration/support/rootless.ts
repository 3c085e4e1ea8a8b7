// SPDX-License-Identifier: Apache-2.0
// A user who is not root and not in the host's /etc/passwd: where files of /etc are needed, other ones lie over them in a
// mount namespace of the command's own.

import { chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Config } from "./config.ts";
import { execute, type Options, type Result } from "./process.ts";
import { runtimePath } from "./runtime.ts";
import type { Workspace } from "./workspace.ts";

/** Nobody's on Debian and Ubuntu: between the users and the ranges for containers. */
export const uid = 64321;
/** The first of the ids that /etc/subuid and /etc/subgid give to the user, and how many. */
export const [firstId, idCount] = [3_000_000, 65536];

export class User {
  readonly #ws: Workspace;
  readonly #directory: string;
  readonly #program: string;

  constructor(ws: Workspace) {
    this.#ws = ws;
    this.#directory = ws.newDirectory();
    this.#program = join(this.#directory, "runtime");
    // The build's directory need not be open to everybody.
    execute("install", ["-m", "0755", runtimePath, this.#program]);
    for (const name of ["state", "run"]) {
      mkdirSync(join(this.#directory, name), { mode: 0o700 });
      chownSync(join(this.#directory, name), uid, uid);
    }
    const entry = `ertuser:x:${uid}:${uid}::/:/bin/sh\n`;
    writeFileSync(join(this.#directory, "passwd"), readFileSync("/etc/passwd", "utf8") + entry);
    for (const name of ["subuid", "subgid"]) {
      writeFileSync(join(this.#directory, name), `ertuser:${firstId}:${idCount}\n`);
    }
  }

  /** Calls the runtime as the user; `helpers`: with newuidmap in $PATH, and ids for it. */
  run(
    args: readonly string[],
    { helpers = true, groups = [] as number[], ...options }: Options & { helpers?: boolean; groups?: number[] } = {},
  ): Result {
    const etc = ["passwd", "subuid", "subgid"].map(
      (name) => `touch /etc/${name}; mount --bind ${this.#directory}/${name} /etc/${name}`,
    );
    const path = helpers ? "/usr/sbin:/usr/bin:/sbin:/bin" : "/nowhere";
    const grouping = groups.length > 0 ? `--groups ${groups.join(",")}` : "--clear-groups";
    const become = `/usr/bin/setpriv --reuid ${uid} --regid ${uid} ${grouping} /usr/bin/env PATH=${path} XDG_RUNTIME_DIR=${this.#directory}/run "$@"`;
    const script = `${etc.join("; ")}; exec ${become}`;
    const root = ["--root", join(this.#directory, "state")];
    const command = ["--mount", "--propagation", "private", "sh", "-c", script, "sh", this.#program, ...root, ...args];
    return execute("unshare", command, { cwd: "/", ...options });
  }

  /** A bundle of the user's that runs a script. */
  bundle(script: string, change?: (config: Config) => void): { id: string; directory: string } {
    const { id, directory } = this.#ws.bundle();
    rmSync(join(directory, "config.json"));
    chownSync(directory, uid, uid);
    const rootfs = this.#ws.newRootfs();
    execute("chown", ["-R", `${uid}:${uid}`, rootfs]);
    const made = this.run(["spec", "--rootless", "--bundle", directory]);
    if (made.status !== 0) throw new Error(made.stderr);
    const config: Config = JSON.parse(readFileSync(join(directory, "config.json"), "utf8"));
    config.process.terminal = false;
    config.process.args = ["/bin/sh", "-c", script];
    config.root = { path: rootfs, readonly: false };
    change?.(config);
    writeFileSync(join(directory, "config.json"), JSON.stringify(config));
    return { id, directory };
  }
}
