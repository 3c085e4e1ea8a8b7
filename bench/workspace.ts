// SPDX-License-Identifier: Apache-2.0
// What the benchmark makes on the host, and its removal: directories, bundles, containers, cgroups, a mount.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { printDefaultSpec } from "../src/spec/default.ts";
import { makeRootfs } from "../test/integration/support/rootfs.ts";
import type { Runtime } from "./options.ts";
import { type Run, runOrThrow } from "./program.ts";
import { resolveProfile } from "./seccomp.ts";

export type Bundle = "true" | "sleep" | "seccomp";
type CgroupMount = { path: string; isV2: boolean };

/** Where everything of one benchmark is. Containers' ids and cgroups' names begin with `prefix`. */
export type Workspace = {
  prefix: string;
  /** Bundles and scratch files. */
  directory: string;
  rootfs: string;
  /** The state roots: below /run, where runtimes have theirs. */
  states: string;
};

/** Makes the directories and the bundles without seccomp. */
export function makeWorkspace(): Workspace {
  const prefix = `edgerun-bench-${process.pid}-`;
  const directory = mkdtempSync(join(tmpdir(), prefix));
  const states = mkdtempSync(join("/run", prefix));
  const workspace = { prefix, directory, states, rootfs: makeRootfs(join(directory, "rootfs")) };
  writeBundle(workspace, "true", ["true"]);
  writeBundle(workspace, "sleep", ["sleep", "1000"]);
  return workspace;
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

/** Every cgroup hierarchy that is mounted, once. */
export function listCgroupMounts(): CgroupMount[] {
  const mounts = new Map<string, CgroupMount>();
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").trimEnd().split("\n")) {
    const [left, right] = line.split(" - ");
    const type = right!.split(" ")[0]!;
    const [, , device, , path] = left!.split(" ");
    if (type === "cgroup" || type === "cgroup2") mounts.set(device!, { path: path!, isV2: type === "cgroup2" });
  }
  return [...mounts.values()];
}

/**
 * crun refuses a host that has controllers on both versions of cgroups. Where v1 is used, takes those that are on v2
 * away from it by mounting them as v1. To be called in a mount namespace of its own.
 */
export async function moveControllersToV1(workspace: Workspace, run: Run): Promise<void> {
  const mounts = listCgroupMounts();
  const v2 = mounts.find((mount) => mount.isV2);
  if (v2 === undefined || mounts.every((mount) => mount.isV2)) return;
  const controllers = readFileSync(join(v2.path, "cgroup.controllers"), "utf8").trim().split(" ");
  for (const controller of controllers.filter((name) => name !== "")) {
    const target = join(workspace.directory, `cgroup-${controller}`);
    mkdirSync(target);
    await runOrThrow(run, ["mount", "-t", "cgroup", "-o", controller, controller, target]);
  }
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
  for (const mount of listCgroupMounts()) {
    for (const path of findCgroups(mount.path, workspace.prefix)) await removeCgroup(path);
  }
  const mounted = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "")
    .filter((path) => path.startsWith(`${workspace.directory}/`) || path.startsWith(`${workspace.states}/`));
  // Without these, removing the directories could reach into something else.
  for (const path of mounted.reverse()) await runOrThrow(run, ["umount", "--lazy", path]);
  for (const path of [workspace.directory, workspace.states]) rmSync(path, { recursive: true, force: true });
}

/** Cgroups below a mount whose name has the prefix. */
function findCgroups(directory: string, prefix: string): string[] {
  return listDirectories(directory).flatMap((name) => {
    const path = join(directory, name);
    return name.startsWith(prefix) ? [path] : findCgroups(path, prefix);
  });
}

/** Kills what runs in a cgroup and removes it and those below; gives up after 2 seconds. */
async function removeCgroup(path: string): Promise<void> {
  for (const name of listDirectories(path)) await removeCgroup(join(path, name));
  for (let attempt = 0; attempt < 100; attempt++) {
    try {
      for (const pid of readFileSync(join(path, "cgroup.procs"), "utf8").trim().split("\n")) {
        if (Number(pid) > 0) process.kill(Number(pid), "SIGKILL");
      }
      rmdirSync(path);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      await sleep(20);
    }
  }
  console.error(`bench: cannot remove the cgroup "${path}"`);
}

function listDirectories(path: string): string[] {
  try {
    return readdirSync(path, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}

function readNames(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
