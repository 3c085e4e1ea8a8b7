// SPDX-License-Identifier: Apache-2.0
// The host's cgroup hierarchies: what crun needs of them, and what containers left in them.
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Run, runOrThrow } from "./program.ts";

export type CgroupMount = { path: string; isV2: boolean; options: string[] };

const ATTEMPTS = 50;
const RELEASE_ATTEMPTS = 15;
const MAX_MOUNTS = 5;
const PAUSE_MS = 20;

/** Every cgroup hierarchy that is mounted, once. */
export function listCgroupMounts(): CgroupMount[] {
  const mounts = new Map<string, CgroupMount>();
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").trimEnd().split("\n")) {
    const [left, right] = line.split(" - ");
    const [type, , options] = right!.split(" ");
    const [, , device, , path] = left!.split(" ");
    if (type !== "cgroup" && type !== "cgroup2") continue;
    mounts.set(device!, { path: path!, isV2: type === "cgroup2", options: options!.split(",") });
  }
  return [...mounts.values()];
}

/**
 * crun refuses a host that has controllers on both versions of cgroups. Where v1 is used, mounts those that are not
 * seen there in a directory as v1, which takes them away from v2. To be called in a mount namespace of its own.
 * Returns the controllers, for releaseControllers().
 */
export async function takeControllers(directory: string, run: Run): Promise<string[]> {
  const mounts = listCgroupMounts();
  const v2 = mounts.find((mount) => mount.isV2);
  if (v2 === undefined || mounts.every((mount) => mount.isV2)) return [];
  const onV2 = readFileSync(join(v2.path, "cgroup.controllers"), "utf8").trim().split(" ");
  // Those on a v1 hierarchy that is mounted elsewhere are on v2 again as soon as that mount ends.
  const elsewhere = listControllers().filter(
    ({ name, hierarchy }) => hierarchy !== 0 && !mounts.some(({ options }) => options.includes(name)),
  );
  const names = [...onV2.filter((name) => name !== ""), ...elsewhere.map(({ name }) => name)];
  for (const name of names) {
    mkdirSync(join(directory, name));
    await mountController(directory, name, run);
  }
  return names;
}

/**
 * Gives controllers back to v2. A v1 hierarchy outlives its last mount when a cgroup in it is not gone yet, and removed
 * ones take a moment: then it is mounted and unmounted again. Not for ever: somebody else may have it mounted too.
 */
export async function releaseControllers(directory: string, names: readonly string[], run: Run): Promise<void> {
  for (const name of names) {
    for (let attempt = 1; ; attempt++) {
      await runOrThrow(run, ["umount", join(directory, name)]);
      if ((await isReleased(name)) || attempt === MAX_MOUNTS) break;
      await mountController(directory, name, run);
    }
  }
}

/** Waits a little for a controller to leave its v1 hierarchy, whose end takes a moment too; says whether it did. */
async function isReleased(name: string): Promise<boolean> {
  for (let attempt = 0; attempt < RELEASE_ATTEMPTS; attempt++) {
    if (listControllers().every((controller) => controller.name !== name || controller.hierarchy === 0)) return true;
    await sleep(PAUSE_MS);
  }
  return false;
}

async function mountController(directory: string, name: string, run: Run): Promise<void> {
  await runOrThrow(run, ["mount", "-t", "cgroup", "-o", name, name, join(directory, name)]);
}

/** The kernel's controllers, with the number of the v1 hierarchy that each is on; 0 for none. */
function listControllers(): { name: string; hierarchy: number }[] {
  const [, ...lines] = readFileSync("/proc/cgroups", "utf8").trimEnd().split("\n");
  return lines.map((line) => {
    const [name, hierarchy] = line.split("\t");
    return { name: name!, hierarchy: Number(hierarchy) };
  });
}

/** Removes every cgroup whose name begins with the prefix; processes in it are killed. */
export async function removeCgroups(prefix: string): Promise<void> {
  for (const mount of listCgroupMounts()) {
    for (const path of findCgroups(mount.path, prefix)) await removeCgroup(path);
  }
}

function findCgroups(directory: string, prefix: string): string[] {
  return listDirectories(directory).flatMap((name) => {
    const path = join(directory, name);
    return name.startsWith(prefix) ? [path] : findCgroups(path, prefix);
  });
}

async function removeCgroup(path: string): Promise<void> {
  for (const name of listDirectories(path)) await removeCgroup(join(path, name));
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    try {
      for (const pid of readFileSync(join(path, "cgroup.procs"), "utf8").trim().split("\n")) {
        if (Number(pid) > 0) process.kill(Number(pid), "SIGKILL");
      }
      rmdirSync(path);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return;
      await sleep(PAUSE_MS);
    }
  }
  console.error(`bench: cannot remove the cgroup "${path}"`);
}

function listDirectories(path: string): string[] {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  } catch {
    return [];
  }
}
