// SPDX-License-Identifier: Apache-2.0
// What the benchmark makes on the host, and its removal: directories, bundles, containers.
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { printDefaultSpec } from "../src/spec/default.ts";
import { makeRootfs } from "../test/integration/support/rootfs.ts";
import { listCgroupMounts, releaseControllers, removeCgroups, takeControllers } from "./cgroups.ts";
import type { Runtime } from "./options.ts";
import { type Run, runOrThrow } from "./program.ts";
import { resolveProfile } from "./seccomp.ts";

export type Bundle = "true" | "sleep" | "seccomp";

/** Where everything of one benchmark is. Containers' ids and cgroups' names begin with `prefix`. */
export type Workspace = {
  prefix: string;
  /** Bundles and scratch files. */
  directory: string;
  rootfs: string;
  /** The state roots: below /run, where runtimes have theirs. */
  states: string;
  /** Controllers that were taken from cgroup v2 for as long as this lasts. */
  controllers: string[];
};

/** Makes the directories; the rest is made by the functions below, and all of it removed by removeWorkspace(). */
export function makeWorkspace(): Workspace {
  const prefix = `edgerun-bench-${process.pid}-`;
  const directory = mkdtempSync(join(tmpdir(), prefix));
  const states = mkdtempSync(join("/run", prefix));
  return { prefix, directory, states, rootfs: join(directory, "rootfs"), controllers: [] };
}

/** Makes the root file system, and the bundles without seccomp. */
export function writeBundles(workspace: Workspace): void {
  makeRootfs(workspace.rootfs);
  writeBundle(workspace, "true", ["true"]);
  writeBundle(workspace, "sleep", ["sleep", "1000"]);
}

/** Copies of the runtimes: the same programs from beginning to end, even if one is built anew in the meantime. */
export function copyRuntimes(workspace: Workspace, runtimes: readonly Runtime[]): Runtime[] {
  const directory = join(workspace.directory, "runtimes");
  mkdirSync(directory);
  return runtimes.map(({ name, path }) => {
    const copy = join(directory, name);
    copyFileSync(path, copy);
    chmodSync(copy, 0o755);
    return { name, path: copy };
  });
}

/** Makes the host's cgroups such that crun takes them; see takeControllers(). */
export async function prepareCgroups(workspace: Workspace, run: Run): Promise<void> {
  workspace.controllers.push(...(await takeControllers(workspace.directory, run)));
}

/** Makes the bundle with an engine's default seccomp profile. Throws when the profile can't be read. */
export function writeSeccompBundle(workspace: Workspace, profilePath: string): void {
  const profile = JSON.parse(readFileSync(profilePath, "utf8"));
  writeBundle(workspace, "seccomp", ["true"], (config) => {
    config.linux.seccomp = resolveProfile(profile, process.arch, config.process.capabilities.bounding);
  });
}

export function bundlePath(workspace: Workspace, name: Bundle): string {
  return join(workspace.directory, name);
}

/** The runtime's state root: a directory of its own. */
export function statePath(workspace: Workspace, runtime: Runtime): string {
  return join(workspace.states, runtime.name);
}

type Config = {
  process: { terminal: boolean; args: string[]; capabilities: { bounding: string[] } };
  root: { path: string };
  ociVersion: string;
  linux: { seccomp?: unknown };
};

/** The default config of `runc spec`, without a terminal. */
function writeBundle(workspace: Workspace, name: Bundle, args: string[], change?: (config: Config) => void): void {
  const cgroupNamespace = listCgroupMounts().every((mount) => mount.isV2);
  const config: Config = JSON.parse(printDefaultSpec({ cgroupNamespace }));
  config.ociVersion = "1.0.2"; // crun before 1.9 refuses newer ones
  config.process.terminal = false;
  config.process.args = args;
  config.root.path = workspace.rootfs;
  change?.(config);
  mkdirSync(bundlePath(workspace, name));
  writeFileSync(join(bundlePath(workspace, name), "config.json"), JSON.stringify(config, null, "\t"));
}

/** Deletes the containers of a runtime, whatever state they are in; failures are left to removeWorkspace(). */
export async function deleteContainers(workspace: Workspace, runtime: Runtime, run: Run): Promise<void> {
  const root = statePath(workspace, runtime);
  for (const name of readNames(root).filter((name) => name.startsWith(workspace.prefix))) {
    await run([runtime.path, "--root", root, "delete", "--force", name]);
  }
}

/** Removes everything: containers by their runtimes, then what these left: processes, cgroups, mounts, directories. */
export async function removeWorkspace(workspace: Workspace, runtimes: readonly Runtime[], run: Run): Promise<void> {
  for (const runtime of runtimes) await deleteContainers(workspace, runtime, run);
  await removeCgroups(workspace.prefix);
  await releaseControllers(workspace.directory, workspace.controllers, run);
  const mounted = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((path) => path.startsWith(`${workspace.directory}/`) || path.startsWith(`${workspace.states}/`));
  // Without these, removing the directories could reach into something else.
  for (const path of mounted.reverse()) await runOrThrow(run, ["umount", "--lazy", path]);
  for (const path of [workspace.directory, workspace.states]) rmSync(path, { recursive: true, force: true });
}

function readNames(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
