// SPDX-License-Identifier: Apache-2.0
// The mounts of a process as the kernel tells them, /proc/PID/mountinfo (proc(5)): what is mounted where, whatever
// names the container has given to its directories since.
import { unescapeOctal } from "../host/facts.ts";

/** A file system, by device number, and a path in it: what two mounts have in common that show the same. */
export type Place = { device: string; path: string };

export type MountEntry = {
  id: number;
  parent: number;
  /** What it shows. */
  place: Place;
  /** Where it is, seen from the process's root. */
  point: string;
  /** Of the mount itself: "ro,nosuid,relatime". */
  options: string;
  type: string;
  /** Of the file system. */
  superOptions: string;
};

/** In the kernel's order: a mount comes after the one that it is mounted on. */
export function parseMounts(mountinfo: string): MountEntry[] {
  const mounts: MountEntry[] = [];
  for (const line of mountinfo.split("\n")) {
    const fields = line.split(" ");
    // Optional fields (shared:1, master:2) end with a dash.
    const dash = fields.indexOf("-", 6);
    if (dash < 0) continue;
    mounts.push({
      id: Number(fields[0]),
      parent: Number(fields[1]),
      place: { device: fields[2] ?? "", path: unescapeOctal(fields[3] ?? "") },
      point: unescapeOctal(fields[4] ?? ""),
      options: fields[5] ?? "",
      type: fields[dash + 1] ?? "",
      superOptions: fields[dash + 3] ?? "",
    });
  }
  return mounts;
}

/**
 * Where a path without links leads: from the root, at each mount point on the way, to what is mounted there.
 * undefined: the table has no root.
 */
export function locate(mounts: readonly MountEntry[], path: string): Place | undefined {
  let at = mounts.find(
    ({ point, parent }) => point === "/" && !mounts.some(({ id }) => id === parent && id !== parent),
  );
  at ??= mounts.find(({ point }) => point === "/");
  if (at === undefined) return undefined;
  for (let next: MountEntry | undefined = at; next !== undefined; ) {
    at = next;
    next = undefined;
    for (const mount of mounts) {
      if (mount.parent !== at.id || mount.id === at.id || !contains(mount.point, path)) continue;
      if (next === undefined || mount.point.length < next.point.length) next = mount;
    }
  }
  return { device: at.place.device, path: join(at.place.path, path.slice(at.point === "/" ? 0 : at.point.length)) };
}

/** Is the path the directory, or below it? */
export function contains(directory: string, path: string): boolean {
  return directory === "/" || path === directory || path.startsWith(`${directory}/`);
}

/** `below` is empty or begins with a slash. */
export function join(directory: string, below: string): string {
  if (below === "" || below === "/") return directory;
  return directory === "/" ? below : `${directory}${below}`;
}

export function isSamePlace(a: Place, b: Place): boolean {
  return a.device === b.device && a.path === b.path;
}
