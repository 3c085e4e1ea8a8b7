// SPDX-License-Identifier: Apache-2.0
// The cgroups that a program leaves behind: the one thing that its namespaces don't end.
import { readdirSync, readFileSync, rmdirSync } from "node:fs";
import { basename, join } from "node:path";

/** The suite names containers by UUID, and has fixed cgroup paths for those with one. */
const NAME_OF_THE_SUITE = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|^cgrouptest$/;

/** The paths of all cgroups, in every hierarchy that is mounted. */
export function listCgroups(): Set<string> {
  const found = new Set<string>();
  for (const mount of listHierarchies()) addChildren(mount, found);
  return found;
}

/**
 * Removes the suite's cgroups that are not in `before`, after their processes ended, and parents made for them.
 * Others may make cgroups at the same time, so the name must be one of the suite's. Returns paths that stayed.
 */
export function removeNewCgroups(before: ReadonlySet<string>): string[] {
  const added = [...listCgroups()].filter((path) => !before.has(path)).sort();
  const named = added.filter((path) => NAME_OF_THE_SUITE.test(basename(path)));
  const isOurs = (path: string) =>
    named.some((name) => `${path}/`.startsWith(`${name}/`) || name.startsWith(`${path}/`));
  // Children sort after their parents.
  return added
    .filter(isOurs)
    .reverse()
    .filter((path) => !removeCgroup(path));
}

function listHierarchies(): string[] {
  const mounts = new Map<string, string>();
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").trimEnd().split("\n")) {
    const [left = "", right = ""] = line.split(" - ");
    const [, , device = "", , path = ""] = left.split(" ");
    if (right.startsWith("cgroup")) mounts.set(device, path);
  }
  return [...mounts.values()];
}

function addChildren(directory: string, found: Set<string>): void {
  for (const entry of readEntries(directory)) {
    if (!entry.isDirectory()) continue;
    const path = join(directory, entry.name);
    found.add(path);
    addChildren(path, found);
  }
}

/** Entries of a directory; none if it is gone meanwhile. */
function readEntries(directory: string) {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch {
    return [];
  }
}

function removeCgroup(path: string): boolean {
  try {
    rmdirSync(path);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}
