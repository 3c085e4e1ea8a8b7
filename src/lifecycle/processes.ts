// SPDX-License-Identifier: Apache-2.0
// Ending a container's processes.
import { EdgerunError } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import type { ContainerRecord } from "../state/record.ts";
import { findFreezer, isAlive, isFrozen } from "../state/status.ts";
import { killCgroup, listContainerProcesses } from "./cgroups.ts";

export const SIGKILL = 9;
const killAttempts = 2_000;

/** Sends a signal to one process; one that is gone is no error. */
export function signalIfAlive(host: Host, pid: number, signal: number): void {
  const info = host.processInfo(pid);
  if (info === null) return;
  try {
    host.signalProcess(pid, info[0] ?? 0, signal);
  } catch (error) {
    if (!(error instanceof EdgerunError && error.errno === "ESRCH")) throw error;
  }
}

/** Sends a signal to every process in the container's cgroups. SIGKILL reaches frozen ones when they are thawed. */
export function signalAll(host: Host, record: ContainerRecord, signal: number): void {
  if (signal === SIGKILL && killByCgroup(host, record)) return;
  for (const pid of listContainerProcesses(host, record)) signalIfAlive(host, pid, signal);
  if (signal === SIGKILL) thaw(host, record);
}

/** By cgroup.kill, where there is one: it reaches frozen processes, too. Returns whether it did. */
function killByCgroup(host: Host, { cgroups }: ContainerRecord): boolean {
  return cgroups[0] !== undefined && killCgroup(host, cgroups[0]);
}

/** Lets frozen processes run on. */
export function thaw(host: Host, record: ContainerRecord): void {
  const freezer = findFreezer(record);
  if (freezer !== undefined && isFrozen(host, record)) host.writeFile(freezer.file, freezer.thawed);
}

/** SIGKILL to whatever is in a cgroup; removing it waits for their end. */
export function killAll(host: Host, cgroup: string): void {
  if (killCgroup(host, cgroup)) return;
  for (const pid of host.listCgroupProcesses(cgroup)) signalIfAlive(host, Number(pid), SIGKILL);
}

/** SIGKILL to everything in the container, without waiting for its end. Returns what was in its cgroups. */
export function killAtOnce(host: Host, record: ContainerRecord): number[] {
  if (isAlive(host, record)) signalIfAlive(host, record.pid, SIGKILL);
  const rest = record.cgroups.length > 0 ? listContainerProcesses(host, record) : [];
  if (rest.length === 0 || killByCgroup(host, record)) return rest;
  for (const pid of rest) signalIfAlive(host, pid, SIGKILL);
  thaw(host, record);
  return rest;
}

/**
 * Kills everything in the container and waits for its end: by the cgroup, not by the first process, which may be gone
 * while others of a shared pid namespace run on (runc #4047).
 * @throws EdgerunError CONTAINER_STATE naming the processes that did not end
 */
export function killAndWait(host: Host, record: ContainerRecord): void {
  for (let attempt = 0; attempt < killAttempts; attempt++) {
    if (killAtOnce(host, record).length === 0 && !isAlive(host, record)) return;
    host.sleep(attempt < 20 ? 1 : 10);
  }
  const rest = listContainerProcesses(host, record).join(", ");
  throw new EdgerunError("CONTAINER_STATE", `container "${record.id}" still has processes after SIGKILL: ${rest}`);
}
