// SPDX-License-Identifier: Apache-2.0
// What a container's mounts show of the host. CRIU can't restore these by itself: at a checkpoint it is given a name for
// each, at a restore the host path for each name.
//
// A mount is told by what it shows (device and path of the file system), never by resolving the destination that
// config.json names: the container may have moved directories and links since, so that one bind mount takes the
// place, and the access rights, of another one (CVE-2026-119101 of runc was a name of that kind).
import { EdgerunError } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import type { Operation } from "../plan/operations.ts";
import type { ContainerRecord } from "../state/record.ts";
import { contains, isSamePlace, join, locate, type MountEntry, type Place, parseMounts } from "./mount_table.ts";

/** Which part of the launch plan a mount comes from. */
export type Origin = {
  /**
   * The operation's target as in config.json; "" the root file system itself; "mask" what hides a file; "cgroup" a
   * cgroup of the container, which it sees as the root of that hierarchy.
   */
  target: string;
  /** Below the source, where the host has another mount in it: "/sub"; else "". For "cgroup", which of them. */
  below: string;
};

/** A host path that the plan mounts, and what it shows. */
export type Source = { origin: Origin; hostPath: string; place: Place };

/** A host with ten thousand mounts has about 2 MiB of it. */
const maxMountinfoBytes = 16 << 20;

export function readMounts(host: Host, pid: number | "self"): MountEntry[] {
  return parseMounts(readMountinfo(host, pid));
}

export function readMountinfo(host: Host, pid: number | "self"): string {
  return host.readFile(`/proc/${pid}/mountinfo`, maxMountinfoBytes);
}

export const rootTarget = "";
export const maskTarget = "mask";
export const cgroupTarget = "cgroup";

/**
 * Every host path that a start by this plan mounts, and where it leads on this host now. One that is gone is left out:
 * a mount that shows it will match nothing.
 */
export function listSources(
  host: Host,
  hostMounts: readonly MountEntry[],
  { rootfs, cgroups }: Pick<ContainerRecord, "rootfs" | "cgroups">,
  operations: readonly Operation[],
): Source[] {
  const sources: Source[] = [];
  const add = (target: string, path: string, recursive: boolean, below = ""): void => {
    const hostPath = resolvePath(host, path);
    if (hostPath === undefined) return;
    const place = locate(hostMounts, hostPath);
    if (place !== undefined) sources.push({ origin: { target, below }, hostPath, place });
    if (recursive) addMountsBelow(sources, hostMounts, target, hostPath);
  };
  add(rootTarget, rootfs, true);
  for (const operation of operations) {
    if (operation.op === "mount_bind") add(operation.target, operation.source, operation.recursive !== 0);
    else if (operation.op === "bind_device") add(operation.target, operation.source, false);
  }
  if (operations.some(({ op }) => op === "mask_path")) add(maskTarget, "/dev/null", false);
  // Last: where a cgroup is bind-mounted, that counts.
  cgroups.forEach((path, index) => {
    add(cgroupTarget, path, false, String(index));
  });
  return sources;
}

function resolvePath(host: Host, path: string): string | undefined {
  try {
    return host.realPath(path);
  } catch (error) {
    if (error instanceof EdgerunError) return undefined;
    throw error;
  }
}

function addMountsBelow(sources: Source[], hostMounts: readonly MountEntry[], target: string, hostPath: string): void {
  for (const { point, place } of hostMounts) {
    if (point === hostPath || !contains(hostPath, point)) continue;
    const seen = locate(hostMounts, point);
    if (seen === undefined || !isSamePlace(seen, place)) continue; // another one hides it
    sources.push({
      origin: { target, below: point.slice(hostPath === "/" ? 0 : hostPath.length) },
      hostPath: point,
      place,
    });
  }
}

/** The source that a mount shows; where several show the same, the one whose target it is at. */
export function findSource(sources: readonly Source[], { place, point }: MountEntry): Source | undefined {
  const same = sources.filter((source) => isSamePlace(source.place, place));
  return same.find(({ origin }) => join(origin.target, origin.below) === point) ?? same[0];
}
