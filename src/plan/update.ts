// SPDX-License-Identifier: Apache-2.0
// What `update` writes to the cgroups of a running container.
import type { LinuxMemory, LinuxResources } from "../spec/config.ts";
import { type ControllerWrites, missingController, planLimits } from "./cgroup_v1.ts";
import { planUnifiedLimits } from "./cgroup_v2.ts";
import { cgroupVersion, findControllerDirectory } from "./cgroups.ts";
import { mergeResources } from "./merge_resources.ts";
import type { CgroupWrite, HostFacts } from "./plan.ts";
import { invalid, unsupported } from "./refusal.ts";

export type UpdateInput = {
  /** The limits in force. */
  current: LinuxResources;
  /** As readChanges() gives them. */
  changes: LinuxResources;
  /** The container's cgroup directories. */
  cgroups: readonly string[];
  facts: HostFacts;
};

/** One write to a file in a cgroup directory. */
export type LimitWrite = CgroupWrite & { directory: string };

export type UpdatePlan = {
  /** In an order that the kernel takes from new directories; from old ones it may need others first. */
  writes: LimitWrite[];
  /** The limits in force afterwards. */
  resources: LinuxResources;
  warnings: string[];
};

/**
 * What is to change, of what a caller asks for: engines write 0 and "" for "not set". Rules for devices never change
 * (as with runc: others may have changed them meanwhile). Without a limit of memory there is none of memory and swap.
 */
export function selectChanges({ devices: _, ...asked }: LinuxResources): LinuxResources {
  const memory = dropUnset(asked.memory ?? {}, ["limit", "reservation", "swap"]);
  if (memory.limit === -1n && memory.swap === undefined) memory.swap = -1n;
  const changes: LinuxResources = {
    ...asked,
    memory,
    cpu: dropUnset(asked.cpu ?? {}, ["shares", "quota", "period", "realtimeRuntime", "realtimePeriod", "cpus", "mems"]),
    pids: dropUnset(asked.pids ?? {}, ["limit"]),
    blockIO: dropUnset(asked.blockIO ?? {}, ["weight", "leafWeight"]),
    network: dropUnset(asked.network ?? {}, ["classID"]),
  };
  for (const name of Object.keys(changes) as (keyof LinuxResources)[]) {
    if (Object.keys(changes[name] ?? {}).length === 0) delete changes[name];
  }
  return changes;
}

function dropUnset<T extends object>(values: T, names: readonly (keyof T)[]): T {
  const set = { ...values };
  for (const name of names) {
    const value: unknown = set[name];
    if (value === "" || value === 0 || value === 0n) delete set[name];
  }
  return set;
}

/** @throws EdgerunError UNSUPPORTED for what this host can't limit, CONFIG_INVALID for what contradicts itself */
export function planUpdate({ current, changes, cgroups, facts }: UpdateInput): UpdatePlan {
  if (cgroups.length === 0) throw unsupported("linux.resources", "the container has no cgroups of its own");
  const warnings: string[] = [];
  if (cgroupVersion(facts) === 2) {
    const directory = cgroups[0]!;
    const limits = planUnifiedLimits(completeForUnified(current, changes), warnings);
    return {
      writes: limits.flatMap(({ writes }) => writes.map((write) => ({ ...write, directory }))),
      resources: mergeResources(current, keepSwapAmount(current.memory ?? {}, changes)),
      warnings,
    };
  }
  const resources = mergeResources(current, changes);
  checkMemoryAndSwap(resources.memory ?? {});
  const limits = planLimits(changes, warnings);
  return { writes: limits.flatMap((limit) => placeWrites(limit, cgroups, facts)), resources, warnings };
}

/** Where each controller's directory is: in the hierarchy that has it. */
function placeWrites(limit: ControllerWrites, cgroups: readonly string[], facts: HostFacts): LimitWrite[] {
  const { controller, jsonPath, writes } = limit;
  if (writes.length === 0) return [];
  const directory = findControllerDirectory(cgroups, facts, controller);
  if (directory === undefined) throw missingController(jsonPath, controller);
  return writes.map((write) => ({ ...write, directory }));
}

/** Version 1 keeps both limits, and refuses one of memory above the one of memory and swap. */
function checkMemoryAndSwap({ limit = 0n, swap = 0n }: LinuxMemory): void {
  if (limit > 0n && swap > 0n && swap < limit) {
    throw invalid(
      "linux.resources.memory.limit",
      `${limit} is more than memory and swap may have together (${swap}): change that limit, too`,
    );
  }
}

/** Version 2 has one file where version 1 has two: what is given can't be written without its other half. */
function completeForUnified(current: LinuxResources, changes: LinuxResources): LinuxResources {
  const completed = { ...changes };
  const { memory, cpu } = changes;
  if (memory?.swap !== undefined && memory.limit === undefined && current.memory?.limit !== undefined) {
    completed.memory = { ...memory, limit: current.memory.limit };
  }
  if (cpu?.quota !== undefined || cpu?.period !== undefined) {
    const { quota = 0n, period = 0n } = { ...current.cpu, ...cpu };
    completed.cpu = { ...cpu, quota, period };
  }
  return completed;
}

/**
 * Version 2 limits swap alone, and runc leaves that as it is when only the limit of memory changes: so the limit of both
 * together changes by as much.
 */
function keepSwapAmount({ limit = 0n, swap = 0n }: LinuxMemory, changes: LinuxResources): LinuxResources {
  const memory = changes.memory ?? {};
  if (memory.limit === undefined || memory.swap !== undefined || limit <= 0n || swap <= 0n) return changes;
  return { ...changes, memory: { ...memory, swap: memory.limit + (swap - limit) } };
}
