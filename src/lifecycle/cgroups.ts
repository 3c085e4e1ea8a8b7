// SPDX-License-Identifier: Apache-2.0
// The cgroup directories of a container: made and filled as the plan says, joined, frozen, removed.
import { EdgerunError, wrap } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import type { CgroupPlan, CgroupWrite, UnifiedCgroup } from "../plan/plan.ts";
import type { ContainerRecord } from "../state/record.ts";
import { findFreezer } from "../state/status.ts";
import { makeUnifiedCgroup } from "./unified_cgroup.ts";

const removeTimeoutMs = 5_000;
const freezeAttempts = 2_000;
const maxProcessListBytes = 4 << 20;

/**
 * Makes each directory and writes its files. A directory that is there (an engine may have made it) must be empty of
 * processes: limits for one container must not fall on another.
 * @throws EdgerunError CONTAINER_EXISTS, HOST
 */
export function createCgroups(host: Host, cgroups: readonly CgroupPlan[]): void {
  for (const { path, inherit, writes, unified } of cgroups) {
    if (unified === undefined) makeCgroup(host, path, inherit);
    else makeUnifiedCgroup(host, path, unified);
    for (const write of writes) writeLimit(host, path, write);
    if (unified !== undefined) attachDeviceProgram(host, path, unified);
  }
}

function writeLimit(host: Host, path: string, { file, value, ifAbsent, valueIfAbsent }: CgroupWrite): void {
  const isAbsent = ifAbsent !== undefined && host.fileInfo(`${path}/${file}`, 0) === null;
  const name = isAbsent ? ifAbsent : file;
  const text = isAbsent ? (valueIfAbsent ?? value) : value;
  if (name === "") return;
  try {
    host.writeFile(`${path}/${name}`, text);
  } catch (error) {
    throw wrap(`cannot set ${name} to "${text}"`, error);
  }
}

function attachDeviceProgram(host: Host, path: string, { deviceProgram }: UnifiedCgroup): void {
  if (deviceProgram.length === 0) return;
  try {
    host.attachDeviceProgram(path, deviceProgram);
  } catch (error) {
    throw wrap("cannot set device rules", error);
  }
}

function makeCgroup(host: Host, path: string, inherit: readonly string[]): void {
  try {
    host.makeDirectory(path, 0o755);
  } catch (error) {
    if (!(error instanceof EdgerunError)) throw error;
    if (error.errno === "ENOENT") {
      makeCgroup(host, path.slice(0, path.lastIndexOf("/")), inherit);
      makeCgroup(host, path, inherit);
      return;
    }
    if (error.errno !== "EEXIST") throw wrap("cannot make the container's cgroup", error);
  }
  for (const file of inherit) inheritValue(host, path, file);
}

/** A new cpuset of cgroup v1 is empty, and no process can join it: it takes its parent's values. */
function inheritValue(host: Host, path: string, file: string): void {
  if (host.readFile(`${path}/${file}`, 4096).trim() !== "") return;
  const parent = path.slice(0, path.lastIndexOf("/"));
  host.writeFile(`${path}/${file}`, host.readFile(`${parent}/${file}`, 4096).trim());
}

/** Refuses a start into a cgroup that has processes or is frozen, before anything of it is changed. */
export function checkCgroupsAreFree(host: Host, cgroups: readonly CgroupPlan[]): void {
  for (const { path } of cgroups) {
    const processes = host.readFileIfExists(`${path}/cgroup.procs`, maxProcessListBytes);
    if (processes === null) continue;
    if (processes !== "") {
      const count = host.listCgroupProcesses(path).length;
      throw new EdgerunError(
        "CONTAINER_STATE",
        `container's cgroup is not empty: ${count} process(es) found in "${path}"`,
      );
    }
    if (isFrozenCgroup(host, path)) {
      throw new EdgerunError("CONTAINER_STATE", `container's cgroup unexpectedly frozen: "${path}"`);
    }
  }
}

function isFrozenCgroup(host: Host, path: string): boolean {
  if (host.readFileIfExists(`${path}/freezer.state`, 64)?.trim() === "FROZEN") return true;
  return host.readFileIfExists(`${path}/cgroup.freeze`, 64)?.trim() === "1";
}

/** Moves a process into the cgroups. */
export function joinCgroups(host: Host, paths: readonly string[], pid: number): void {
  for (const path of paths) {
    try {
      host.writeFile(`${path}/cgroup.procs`, String(pid));
    } catch (error) {
      throw wrap("cannot join the container's cgroup", error);
    }
  }
}

/** Every process of a container, by its first cgroup and the cgroups that it made below; sorted. */
export function listContainerProcesses(host: Host, record: ContainerRecord): number[] {
  const path = record.cgroups[0];
  if (path === undefined) return record.pid === 0 ? [] : [record.pid];
  return host
    .listCgroupProcesses(path)
    .map(Number)
    .sort((a, b) => a - b);
}

/**
 * Freezes or thaws, and waits until the kernel says so. On failure the container is thawed again.
 * @throws EdgerunError UNSUPPORTED when the container has no freezer
 */
export function setFrozen(host: Host, record: ContainerRecord, frozen: boolean): void {
  const freezer = findFreezer(record);
  if (freezer === undefined) {
    throw new EdgerunError("UNSUPPORTED", `container "${record.id}" has no freezer cgroup`);
  }
  const wanted = frozen ? freezer.frozen : freezer.thawed;
  host.writeFile(freezer.file, wanted);
  for (let attempt = 0; attempt < freezeAttempts; attempt++) {
    if (hasReached(host, freezer.file, wanted)) return;
    // A process that was forking while it froze keeps a v1 cgroup in FREEZING until it is asked again.
    host.writeFile(freezer.file, wanted);
    host.sleep(5);
  }
  host.writeFile(freezer.file, freezer.thawed);
  throw new EdgerunError("CONTAINER_STATE", `container "${record.id}" could not be frozen: a process does not stop`);
}

/** freezer.state tells what has been reached; cgroup.freeze what is wanted, and cgroup.events the rest. */
function hasReached(host: Host, file: string, wanted: string): boolean {
  const directory = file.slice(0, file.lastIndexOf("/"));
  if (file !== `${directory}/cgroup.freeze`) return host.readFile(file, 64).trim() === wanted;
  return host.readFile(`${directory}/cgroup.events`, 4096).split("\n").includes(`frozen ${wanted}`);
}

/**
 * SIGKILL to every process of a cgroup and of those below it at once, so that none escapes by forking (cgroup v2,
 * Linux >= 5.14). Returns whether the kernel could.
 */
export function killCgroup(host: Host, path: string): boolean {
  try {
    host.writeFile(`${path}/cgroup.kill`, "1");
    return true;
  } catch (error) {
    // No such file, of an older kernel or of version 1; or the cgroup vanished meanwhile.
    if (error instanceof EdgerunError && (error.errno === "ENOENT" || error.errno === "ENODEV")) return false;
    throw error;
  }
}

/** Kills what is left in the cgroups and removes them. Safe to repeat. */
export function removeCgroups(host: Host, paths: readonly string[]): void {
  for (const path of paths) {
    try {
      host.removeCgroup(path, removeTimeoutMs);
    } catch (error) {
      throw wrap("unable to remove container's cgroup", error);
    }
  }
}
