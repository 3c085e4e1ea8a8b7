// SPDX-License-Identifier: Apache-2.0
// What a process may be: capabilities, privileges, resource limits, precedence over others. For the container's first
// process, and for every process that `exec` adds.
import type { Grants } from "../manifest/schema.ts";
import type { Capabilities, Process, Rlimit } from "../spec/config.ts";
import type { Decision } from "./decision.ts";

/** The process as far as it is granted. Nothing here is denied: each part can be taken away, or made smaller. */
export function limitProcess(process: Process, grants: Grants, decisions: Decision[]): Process {
  const limited = {
    ...process,
    capabilities: limitCapabilities(process.capabilities ?? {}, grants, decisions),
    noNewPrivileges: true,
    rlimits: limitRlimits(process.rlimits ?? [], grants, decisions),
  };
  if (process.noNewPrivileges !== true) {
    decisions.push({
      subject: "privilege noNewPrivileges",
      asked: process.noNewPrivileges === undefined ? "-" : "false",
      granted: "true",
      verdict: "clamped",
      rule: "base: no new privileges",
    });
  }
  return limitPrecedence(limited, decisions);
}

const capabilitySets = ["bounding", "effective", "permitted", "inheritable", "ambient"] as const;

function limitCapabilities(asked: Capabilities, grants: Grants, decisions: Decision[]): Capabilities {
  const granted = grants.capabilities ?? [];
  const result: Capabilities = {};
  const setsOf = new Map<string, string[]>();
  for (const set of capabilitySets) {
    const names = asked[set] ?? [];
    result[set] = names.filter((name) => granted.includes(name));
    for (const name of new Set(names)) setsOf.set(name, [...(setsOf.get(name) ?? []), set]);
  }
  for (const [name, sets] of setsOf) {
    const given = granted.includes(name);
    decisions.push({
      subject: `capability ${name}`,
      asked: sets.join(" "),
      granted: given ? sets.join(" ") : "-",
      verdict: given ? "granted" : "dropped",
      rule: "grants.capabilities",
    });
  }
  return result;
}

type Ceiling = { value: bigint; rule: string };

/** RLIMIT_* to the key of grants.limits. */
const limitKeys = {
  RLIMIT_NOFILE: "openFiles",
  RLIMIT_FSIZE: "fileSizeBytes",
  RLIMIT_MEMLOCK: "lockedMemoryBytes",
  RLIMIT_MSGQUEUE: "messageQueueBytes",
  RLIMIT_SIGPENDING: "pendingSignals",
  RLIMIT_STACK: "stackBytes",
  RLIMIT_CORE: "coreBytes",
} as const;

/**
 * Always set, even where the bundle has no such limit, so that the engine's own is not inherited; being zero they never
 * raise one. Cores would go to the host's flash or to its core_pattern program.
 */
const zeroLimits = ["RLIMIT_CORE", "RLIMIT_NICE", "RLIMIT_RTPRIO"] as const;

/** The most that a limit may be; undefined: as the bundle says. */
function findCeiling(type: string, grants: Grants): Ceiling | undefined {
  const key = type in limitKeys ? limitKeys[type as keyof typeof limitKeys] : undefined;
  const granted = key === undefined ? undefined : grants.limits?.[key];
  if (granted !== undefined) return { value: BigInt(granted), rule: `grants.limits.${key}` };
  const base = (value: bigint): Ceiling => ({ value, rule: "base: resource limits" });
  switch (type) {
    case "RLIMIT_CORE":
    case "RLIMIT_NICE":
    case "RLIMIT_RTPRIO":
      return base(0n);
    case "RLIMIT_NOFILE": // the kernel's own default for the hard limit (INR_OPEN_MAX)
      return base(4096n);
    case "RLIMIT_MSGQUEUE": // the kernel's own default (MQ_BYTES_MAX)
      return base(819200n);
    case "RLIMIT_NPROC":
      return { value: BigInt(grants.pids.limit), rule: "grants.pids.limit" };
    case "RLIMIT_MEMLOCK":
      return { value: BigInt(grants.memory.limitBytes), rule: "grants.memory.limitBytes" };
    default:
      return undefined;
  }
}

function limitRlimits(asked: readonly Rlimit[], grants: Grants, decisions: Decision[]): Rlimit[] {
  const limited = asked.map((rlimit) => {
    const ceiling = findCeiling(rlimit.type, grants);
    if (ceiling === undefined || (rlimit.hard <= ceiling.value && rlimit.soft <= ceiling.value)) return rlimit;
    const { value } = ceiling;
    const smaller = { ...rlimit, soft: min(rlimit.soft, value), hard: min(rlimit.hard, value) };
    decisions.push({
      subject: `rlimit ${rlimit.type}`,
      asked: formatRlimit(rlimit),
      granted: formatRlimit(smaller),
      verdict: "clamped",
      rule: ceiling.rule,
    });
    return smaller;
  });
  for (const type of listRequiredLimits(grants)) {
    const ceiling = findCeiling(type, grants);
    if (ceiling === undefined || asked.some((rlimit) => rlimit.type === type)) continue;
    const limit = { type, soft: ceiling.value, hard: ceiling.value };
    limited.push(limit);
    if (!ceiling.rule.startsWith("grants.")) continue;
    const granted = formatRlimit(limit);
    decisions.push({ subject: `rlimit ${type}`, asked: "-", granted, verdict: "clamped", rule: ceiling.rule });
  }
  return limited;
}

function listRequiredLimits({ limits = {} }: Grants): string[] {
  const granted = Object.entries(limitKeys).flatMap(([type, key]) => (limits[key] === undefined ? [] : [type]));
  return [...new Set([...zeroLimits, ...granted])];
}

/** Neither realtime scheduling nor a place behind others in the queue of the OOM killer: other apps pay for both. */
function limitPrecedence(process: Process, decisions: Decision[]): Process {
  const { scheduler, ioPriority, ...rest } = process;
  const limited: Process = rest;
  const rule = "base: no precedence over others";
  if (scheduler !== undefined) {
    const ordinary = ["SCHED_OTHER", "SCHED_BATCH", "SCHED_IDLE"].includes(scheduler.policy);
    if (ordinary && (scheduler.nice ?? 0) >= 0) limited.scheduler = scheduler;
    else {
      const asked = `${scheduler.policy}, nice ${scheduler.nice ?? 0}`;
      decisions.push({ subject: "priority scheduler", asked, granted: "-", verdict: "dropped", rule });
    }
  }
  if (ioPriority !== undefined) {
    if (ioPriority.class !== "IOPRIO_CLASS_RT") limited.ioPriority = ioPriority;
    else {
      decisions.push({ subject: "priority I/O", asked: ioPriority.class, granted: "-", verdict: "dropped", rule });
    }
  }
  if (process.oomScoreAdj !== undefined && process.oomScoreAdj < 0) {
    limited.oomScoreAdj = 0;
    const asked = `${process.oomScoreAdj}`;
    decisions.push({ subject: "priority oomScoreAdj", asked, granted: "0", verdict: "clamped", rule });
  }
  return limited;
}

function min(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}

function formatRlimit({ soft, hard }: Rlimit): string {
  return `${formatLimit(soft)}:${formatLimit(hard)}`;
}

/** RLIM_INFINITY is all ones. */
function formatLimit(value: bigint): string {
  return value === 18446744073709551615n ? "unlimited" : `${value}`;
}
