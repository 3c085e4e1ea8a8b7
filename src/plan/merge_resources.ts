// SPDX-License-Identifier: Apache-2.0
// Changes of limits over the limits in force, as `update` needs them.
import type { LinuxBlockIo, LinuxResources } from "../spec/config.ts";

/**
 * The limits with the changes in them: what the changes leave out stays, entries of lists are replaced by what they are
 * about (a device, a page size, an interface).
 */
export function mergeResources(current: LinuxResources, changes: LinuxResources): LinuxResources {
  const merged: LinuxResources = { ...current };
  if (changes.memory !== undefined) merged.memory = { ...current.memory, ...changes.memory };
  if (changes.cpu !== undefined) merged.cpu = { ...current.cpu, ...changes.cpu };
  if (changes.pids !== undefined) merged.pids = { ...current.pids, ...changes.pids };
  if (changes.blockIO !== undefined) merged.blockIO = mergeBlockIo(current.blockIO ?? {}, changes.blockIO);
  if (changes.hugepageLimits !== undefined) {
    merged.hugepageLimits = mergeLists(current.hugepageLimits, changes.hugepageLimits, ({ pageSize }) => pageSize);
  }
  if (changes.network !== undefined) {
    merged.network = { ...current.network, ...changes.network };
    const priorities = mergeLists(current.network?.priorities, changes.network.priorities, ({ name }) => name);
    if (priorities.length > 0) merged.network.priorities = priorities;
  }
  if (changes.rdma !== undefined) merged.rdma = { ...current.rdma, ...changes.rdma };
  if (changes.unified !== undefined) merged.unified = { ...current.unified, ...changes.unified };
  return merged;
}

function mergeBlockIo(current: LinuxBlockIo, changes: LinuxBlockIo): LinuxBlockIo {
  const merged = { ...current, ...changes };
  const device = ({ major, minor }: { major: number; minor: number }): string => `${major}:${minor}`;
  const weights = mergeLists(current.weightDevice, changes.weightDevice, device);
  if (weights.length > 0) merged.weightDevice = weights;
  for (const name of [
    "throttleReadBpsDevice",
    "throttleWriteBpsDevice",
    "throttleReadIOPSDevice",
    "throttleWriteIOPSDevice",
  ] as const) {
    const rates = mergeLists(current[name], changes[name], device);
    if (rates.length > 0) merged[name] = rates;
  }
  return merged;
}

function mergeLists<T>(current: readonly T[] = [], changes: readonly T[] = [], key: (entry: T) => string): T[] {
  const changed = changes.map(key);
  return [...current.filter((entry) => !changed.includes(key(entry))), ...changes];
}
