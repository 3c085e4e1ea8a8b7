// SPDX-License-Identifier: Apache-2.0
// `update`: other limits for a running container.
import { parseDecimal } from "../cli/grammar.ts";
import { EdgerunError } from "../errors.ts";
import { readHostFacts } from "../host/facts.ts";
import type { Host, Json } from "../host/functions.ts";
import { mergeResources } from "../plan/merge_resources.ts";
import { planUpdate, selectChanges } from "../plan/update.ts";
import type { LinuxResources } from "../spec/config.ts";
import { decodeResources } from "../spec/decode.ts";
import { readEffectiveConfig, replaceEffectiveConfig } from "../state/effective_config.ts";
import { computeStatus } from "../state/status.ts";
import { lockDirectory, readRecord, type StateDirectory, unlockDirectory } from "../state/store.ts";
import { writeLimits } from "./limit_writes.ts";
import { nameSource } from "./name_source.ts";
import type { Context, UpdateOptions } from "./options.ts";

const maxResourcesBytes = 4 << 20;

/**
 * Changes the limits that are given, all of them or none, and the record of what is in force. On an enrolled host the
 * container's grants bound them as at its start; what was clamped is a warning.
 * @throws EdgerunError CONTAINER_STATE, CONFIG_INVALID, UNSUPPORTED, DENIED, HOST
 */
export function update(context: Context, options: UpdateOptions): number {
  const { host, root } = context;
  refuseIntelRdt(options);
  const asked = readAsked(context, options);
  const directory = lockDirectory(host, root, options.id);
  try {
    changeLimits(context, directory, selectChanges(asked.resources), asked.label);
  } finally {
    unlockDirectory(host, directory);
  }
  return 0;
}

/** @throws EdgerunError UNSUPPORTED, with runc's texts */
function refuseIntelRdt({ l3CacheSchema, memBwSchema }: UpdateOptions): void {
  if (l3CacheSchema !== "") {
    throw new EdgerunError("UNSUPPORTED", "Intel RDT/CAT: l3 cache schema is not enabled");
  }
  if (memBwSchema !== "") {
    throw new EdgerunError("UNSUPPORTED", "Intel RDT/MBA: memory bandwidth schema is not enabled");
  }
}

function readAsked(context: Context, options: UpdateOptions): { resources: LinuxResources; label: string } {
  const { host, log } = context;
  const path = options.resources;
  if (path === undefined) return { resources: options.changes, label: "update" };
  const label = path === "-" ? "standard input" : path;
  const { resources, warnings } = decodeResources(host.parseJson(readText(host, path), label), label);
  for (const warning of warnings) log.warn(warning);
  return { resources, label };
}

/** A file; or a pipe, by the names that a shell has for one. */
function readText(host: Host, path: string): string {
  if (path === "-" || path === "/dev/stdin") return host.readFd(0, maxResourcesBytes);
  const fd = path.startsWith("/dev/fd/") ? parseDecimal(path.slice("/dev/fd/".length), 0x7fffffff) : undefined;
  return fd === undefined ? host.readFile(path, maxResourcesBytes) : host.readFd(fd, maxResourcesBytes);
}

function changeLimits(context: Context, directory: StateDirectory, asked: LinuxResources, label: string): void {
  const { host, root, log } = context;
  const record = readRecord(host, root, directory.id);
  const status = computeStatus(host, root, record);
  if (status === "stopped" || status === "creating") {
    throw new EdgerunError("CONTAINER_STATE", "container not running");
  }
  const config = readEffectiveConfig(host, directory);
  const linux = config.spec.linux ?? {};
  const current = linux.resources ?? {};
  const changes = config.grants === null ? asked : limitChanges(context, current, asked, config.grants);
  const plan = nameSource(label, "config.json: $.linux.resources", () =>
    planUpdate({ current, changes, cgroups: record.cgroups, facts: readHostFacts(host) }),
  );
  for (const warning of plan.warnings) log.warn(warning);
  if (changes.memory?.checkBeforeUpdate === true) checkMemoryInUse(host, record.cgroups, changes);
  const spec = { ...config.spec, linux: { ...linux, resources: plan.resources } };
  writeLimits(
    host,
    plan.writes,
    () => replaceEffectiveConfig(host, directory, { spec, grants: config.grants }),
    (error) => log.warn(`a former limit could not be put back: ${String(error)}`),
  );
}

/** What is granted of the changes: as at the start, the sum of what would be in force is judged. */
function limitChanges(context: Context, current: LinuxResources, asked: LinuxResources, grants: Json): LinuxResources {
  const wanted = mergeResources(current, asked);
  // Under grants a container has no swap: the limit of both is the one of memory, and goes with it.
  if (asked.memory?.limit !== undefined)
    wanted.memory = { ...wanted.memory, swap: asked.memory.swap ?? asked.memory.limit };
  const { resources, decisions } = context.lifecycle.limitUpdate(wanted, grants);
  for (const decision of decisions) {
    const { subject, granted, verdict, rule } = decision;
    if (verdict === "granted" || decision.asked === granted) continue;
    context.log.warn(`${subject}: asked ${decision.asked}, ${verdict}: ${granted} (${rule})`);
  }
  const { memory, cpu, pids, unified, ...changes } = asked;
  if (memory !== undefined) Object.assign(changes, { memory: resources.memory });
  if (cpu !== undefined) Object.assign(changes, { cpu: resources.cpu });
  if (pids !== undefined) Object.assign(changes, { pids: resources.pids });
  if (unified !== undefined && resources.unified !== undefined) Object.assign(changes, { unified });
  return changes;
}

/**
 * memory.checkBeforeUpdate (cgroup v2): a limit below what is in use would end processes.
 * @throws EdgerunError CONTAINER_STATE, with runc's text
 */
function checkMemoryInUse(host: Host, cgroups: readonly string[], { memory = {} }: LinuxResources): void {
  const text = host.readFileIfExists(`${cgroups[0] ?? ""}/memory.current`, 64);
  if (text === null) return;
  const usage = BigInt(text.trim());
  const limits = [
    ["memory+swap", memory.swap],
    ["memory", memory.limit],
  ] as const;
  for (const [name, limit = 0n] of limits) {
    if (limit > 0n && limit <= usage) {
      throw new EdgerunError("CONTAINER_STATE", `rejecting ${name} limit ${limit} <= usage ${usage}`);
    }
  }
}
