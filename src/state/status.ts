// SPDX-License-Identifier: Apache-2.0
// A container's status, derived from the kernel each time: nothing that could be stale is stored.
//   creating -> created -> running <-> paused
//                  \________\____________\____> stopped
import type { Host } from "../host/functions.ts";
import type { ContainerState } from "../lifecycle/options.ts";
import type { ContainerRecord } from "./record.ts";

export type Status = ContainerState["status"];

/** The state in /proc/PID/stat of a process that has ended and is not reaped. */
export const zombie = "Z".charCodeAt(0);
const dead = "X".charCodeAt(0);

/** The kernel's boot id (random(4)). */
export function readBootId(host: Host): string {
  return host.readFile("/proc/sys/kernel/random/boot_id", 64).trim();
}

/** Is the container's first process alive, and still that process? */
export function isAlive(host: Host, record: ContainerRecord): boolean {
  if (record.pid === 0) return false;
  const info = host.processInfo(record.pid);
  if (info === null || info[0] !== record.startTime) return false;
  if (info[1] === zombie || info[1] === dead) return false;
  return record.bootId === readBootId(host);
}

/** The file that freezes a container, and the words that it takes; undefined if it has no freezer. */
export function findFreezer(record: ContainerRecord): { file: string; frozen: string; thawed: string } | undefined {
  const file = record.freezer;
  if (file === "") return undefined;
  return file.endsWith("/freezer.state")
    ? { file, frozen: "FROZEN", thawed: "THAWED" }
    : { file, frozen: "1", thawed: "0" };
}

export function isFrozen(host: Host, record: ContainerRecord): boolean {
  const freezer = findFreezer(record);
  if (freezer === undefined) return false;
  const state = host.readFileIfExists(freezer.file, 64);
  return state !== null && state.trim() !== freezer.thawed;
}

/** `root` is the state root. */
export function computeStatus(host: Host, root: string, record: ContainerRecord): Status {
  if (record.phase === "creating") return "creating";
  if (!isAlive(host, record)) return "stopped";
  if (isFrozen(host, record)) return "paused";
  return host.fileInfo(`${root}/${record.id}/start.sock`, 0) === null ? "running" : "created";
}
