// SPDX-License-Identifier: Apache-2.0
// Groups of the resctrl file system: cache and memory bandwidth for a container's processes, and their monitoring.
import { EdgerunError, wrap } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import type { ResctrlPlan } from "../plan/plan.ts";

const maxMountinfo = 16 << 20;
const maxSchemata = 64 << 10;
const jsonPath = "config.json: $.linux.intelRdt";

/** Where resctrl is mounted. @throws EdgerunError UNSUPPORTED */
export function findResctrl(host: Host): string {
  for (const line of host.readFile("/proc/self/mountinfo", maxMountinfo).split("\n")) {
    if (line.includes(" - resctrl ")) return line.split(" ")[4]!;
  }
  throw new EdgerunError("UNSUPPORTED", `${jsonPath}: this host has no resctrl file system mounted`);
}

/**
 * What is to be removed with the container, in this order. Before anything is made.
 * @throws EdgerunError CONFIG_INVALID for a group that is missing, or there and nobody's to remove
 */
export function claimResctrlGroup(host: Host, root: string, plan: ResctrlPlan): string[] {
  const { group, isOwn, limits, schemata, monitorGroup } = plan;
  const path = `${root}/${group}`;
  const exists = host.fileInfo(path, 0) !== null;
  if (exists && isOwn) throw new EdgerunError("CONFIG_INVALID", `${jsonPath}: the group "${path}" is there already`);
  if (!exists && !isOwn && limits.length + schemata.length === 0) {
    throw new EdgerunError("CONFIG_INVALID", `${jsonPath}.closID: there is no group "${path}"`);
  }
  const directories = monitorGroup === "" ? [] : [`${path}/mon_groups/${monitorGroup}`];
  return isOwn ? [...directories, path] : directories;
}

/**
 * Makes the group, or finds that it is as config.json says, and puts the process into it.
 * @throws EdgerunError CONFIG_INVALID for a group that is other than asked for; HOST
 */
export function makeResctrlGroup(host: Host, root: string, plan: ResctrlPlan, pid: number): void {
  const { group, limits, schemata, monitorGroup } = plan;
  const path = `${root}/${group}`;
  const exists = host.fileInfo(path, 0) !== null;
  if (!exists) makeGroup(host, path);
  if (exists) requireLimits(host, path, limits);
  else writeSchemata(host, path, limits);
  writeSchemata(host, path, schemata);
  if (monitorGroup !== "") makeGroup(host, `${path}/mon_groups/${monitorGroup}`);
  joinResctrlGroup(host, root, plan, pid);
}

/** Puts a process, which has one thread, into the group. */
export function joinResctrlGroup(host: Host, root: string, { group, monitorGroup }: ResctrlPlan, pid: number): void {
  const path = `${root}/${group}`;
  const monitored = monitorGroup === "" ? [] : [`${path}/mon_groups/${monitorGroup}`];
  for (const directory of [path, ...monitored]) {
    try {
      host.writeFile(`${directory}/tasks`, `${pid}`);
    } catch (error) {
      throw wrap(`${jsonPath}: can't join the group "${directory}"`, error);
    }
  }
}

function makeGroup(host: Host, path: string): void {
  try {
    host.makeDirectory(path, 0o755);
  } catch (error) {
    throw wrap(`${jsonPath}: can't make the group "${path}"`, error);
  }
}

function writeSchemata(host: Host, path: string, lines: readonly string[]): void {
  if (lines.length === 0) return;
  try {
    host.writeFile(`${path}/schemata`, `${lines.join("\n")}\n`);
  } catch (error) {
    throw wrap(`${jsonPath}: can't set the schemata of "${path}" to "${lines.join(", ")}"`, error);
  }
}

/** The kernel writes them with spaces and leading zeros of its own. */
function requireLimits(host: Host, path: string, limits: readonly string[]): void {
  if (limits.length === 0) return;
  const present = host.readFile(`${path}/schemata`, maxSchemata).split("\n").map(normalize);
  const other = limits.find((line) => !present.includes(normalize(line)));
  if (other === undefined) return;
  throw new EdgerunError("CONFIG_INVALID", `${jsonPath}: the group "${path}" is there, and has not "${other}"`);
}

function normalize(line: string): string {
  const [resource = "", ...rest] = line.trim().split(":");
  const domains = rest.join(":").split(";");
  return `${resource}:${domains.map(normalizeDomain).join(";")}`;
}

/** "0=00ff" and "0= ff" are the same. */
function normalizeDomain(domain: string): string {
  const [cache = "", value = ""] = domain.trim().split("=");
  let digits = value.trim();
  while (digits.length > 1 && digits.startsWith("0")) digits = digits.slice(1);
  return `${cache.trim()}=${digits}`;
}
