// SPDX-License-Identifier: Apache-2.0
// process of config.json (or process.json): what the container's process is, and how it becomes that.
import type { IoPriority, Linux, Process, Rlimit, Scheduler } from "../spec/config.ts";
import { computeCapabilities } from "./capabilities.ts";
import type { Operation } from "./operations.ts";
import type { HostFacts, ResourceLimit } from "./plan.ts";
import { invalid, unsupported } from "./refusal.ts";

/** The numbers of Linux, except for MIPS, SPARC and Alpha. */
const resources = [
  "RLIMIT_CPU",
  "RLIMIT_FSIZE",
  "RLIMIT_DATA",
  "RLIMIT_STACK",
  "RLIMIT_CORE",
  "RLIMIT_RSS",
  "RLIMIT_NPROC",
  "RLIMIT_NOFILE",
  "RLIMIT_MEMLOCK",
  "RLIMIT_AS",
  "RLIMIT_LOCKS",
  "RLIMIT_SIGPENDING",
  "RLIMIT_MSGQUEUE",
  "RLIMIT_NICE",
  "RLIMIT_RTPRIO",
  "RLIMIT_RTTIME",
];

/** @throws CONFIG_INVALID for a type that is unknown or given twice, or a soft limit above the hard one */
export function planResourceLimits(limits: readonly Rlimit[]): ResourceLimit[] {
  return limits.map(({ type, soft, hard }, index) => {
    const jsonPath = `process.rlimits[${index}]`;
    const resource = resources.indexOf(type);
    if (resource < 0) throw invalid(`${jsonPath}.type`, `"${type}" is not a resource limit of Linux`);
    if (limits.findIndex((other) => other.type === type) !== index) {
      throw invalid(`${jsonPath}.type`, `"${type}" is given twice`);
    }
    if (soft > hard) throw invalid(`${jsonPath}.soft`, `${soft} exceeds the hard limit, ${hard}`);
    return { type, resource, soft, hard };
  });
}

/**
 * process.apparmorProfile and selinuxLabel; they take effect at exec.
 * @throws UNSUPPORTED where that security module is not active
 */
export function planLabels(process: Process, facts: HostFacts): Operation[] {
  const operations: Operation[] = [];
  const profile = process.apparmorProfile ?? "";
  if (profile !== "" && facts.securityModules.includes("apparmor")) {
    operations.push({ op: "set_lsm_label", attribute: "apparmor/exec", label: `exec ${profile}` });
  } else if (profile !== "" && profile !== "unconfined") {
    throw unsupported("process.apparmorProfile", "AppArmor is not enabled on this host");
  }
  const label = process.selinuxLabel ?? "";
  if (label !== "") {
    if (!facts.securityModules.includes("selinux")) {
      throw unsupported("process.selinuxLabel", "SELinux is not enabled on this host");
    }
    operations.push(
      // The label of keyrings, until exec resets it.
      { op: "set_lsm_label", attribute: "keycreate", label },
      { op: "set_lsm_label", attribute: "exec", label },
    );
  }
  return operations;
}

/** scheduler, ioPriority, linux.personality: while the process may still raise its own priority. */
export function planScheduling(process: Process, linux: Linux): Operation[] {
  const operations: Operation[] = [];
  const { personality } = linux;
  if (personality !== undefined) {
    if ((personality.flags ?? []).length > 0) {
      throw unsupported("linux.personality.flags", "personality flags are not in this version");
    }
    operations.push({ op: "set_personality", value: personality.domain === "LINUX32" ? 8 : 0 });
  }
  if (process.scheduler !== undefined) operations.push(planScheduler(process.scheduler));
  if (process.ioPriority !== undefined) operations.push(planIoPriority(process.ioPriority));
  if (process.execCPUAffinity !== undefined) {
    throw unsupported("process.execCPUAffinity", "is not in this version");
  }
  return operations;
}

/** Values of sched_setattr(2). */
const policies = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
} as const;
const schedulerFlags = {
  SCHED_FLAG_RESET_ON_FORK: 0x1,
  SCHED_FLAG_RECLAIM: 0x2,
  SCHED_FLAG_DL_OVERRUN: 0x4,
  SCHED_FLAG_KEEP_POLICY: 0x8,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
} as const;

function planScheduler(scheduler: Scheduler): Operation {
  const { nice = 0, priority = 0 } = scheduler;
  if (priority < 0) throw invalid("process.scheduler.priority", `expected 0 or more, found ${priority}`);
  let flags = 0;
  for (const flag of scheduler.flags ?? []) flags |= schedulerFlags[flag];
  return {
    op: "set_scheduler",
    policy: policies[scheduler.policy],
    nice: nice >>> 0,
    priority,
    flags,
    runtime: safeNumber(scheduler.runtime, "process.scheduler.runtime"),
    deadline: safeNumber(scheduler.deadline, "process.scheduler.deadline"),
    period: safeNumber(scheduler.period, "process.scheduler.period"),
  };
}

/** Nanoseconds: 2^53 of them are 104 days, far above what the kernel takes. */
function safeNumber(value: bigint | undefined, jsonPath: string): number {
  const number = Number(value ?? 0n);
  if (!Number.isSafeInteger(number)) throw invalid(jsonPath, `${value} nanoseconds are too many`);
  return number;
}

const ioClasses = { IOPRIO_CLASS_RT: 1, IOPRIO_CLASS_BE: 2, IOPRIO_CLASS_IDLE: 3 } as const;

function planIoPriority({ class: ioClass, priority }: IoPriority): Operation {
  return { op: "set_io_priority", value: (ioClasses[ioClass] << 13) | priority };
}

/**
 * From a process with every right to the one that config.json describes, ready to exec but not yet started.
 * Without noNewPrivileges the seccomp filter needs CAP_SYS_ADMIN, so it is loaded before capabilities are given up;
 * with it, planExecution() loads it as late as possible.
 */
export function planCredentials(process: Process, hasSeccomp: boolean, warnings: string[]): Operation[] {
  const { user, cwd, args } = process;
  const noNewPrivileges = process.noNewPrivileges === true;
  const masks = computeCapabilities(process.capabilities ?? {}, warnings);
  const operations: Operation[] = [];
  if (noNewPrivileges) operations.push({ op: "no_new_privileges" });
  else if (hasSeccomp) operations.push(emptyFilter());
  operations.push(
    { op: "limit_capability_bounds", bounding: masks.bounding },
    {
      op: "set_user",
      uid: user.uid,
      gid: user.gid,
      groups: user.additionalGids ?? [],
      umask: user.umask ?? 0o022,
      keepGroups: 0,
    },
    {
      op: "set_capabilities",
      effective: masks.effective,
      permitted: masks.permitted,
      inheritable: masks.inheritable,
      ambient: masks.ambient,
    },
    { op: "change_directory", path: cwd, create: 0 },
    { op: "find_program", name: args[0]!, searchPath: environmentValue(process.env ?? [], "PATH") ?? "" },
    { op: "ready" },
  );
  return operations;
}

/** What is left after `start`; startContainer hooks come before it. */
export function planExecution(process: Process, hasSeccomp: boolean, preserveFds: number): Operation[] {
  const operations: Operation[] = [];
  if (hasSeccomp && process.noNewPrivileges === true) operations.push(emptyFilter());
  operations.push(
    { op: "close_descriptors", first: 3 + preserveFds },
    { op: "exec", args: process.args, env: planEnvironment(process) },
  );
  return operations;
}

/** The filter is compiled, and filled in, by the lifecycle: LaunchPlan.seccomp. */
function emptyFilter(): Operation {
  return { op: "load_seccomp", filter: new Uint8Array(0), flags: 0 };
}

/**
 * process.env; of several values for a name the last one counts. Programs expect HOME: where it is missing, it is that
 * of root or `/` (the container's passwd file is not asked).
 */
function planEnvironment({ env = [], user }: Process): string[] {
  const byName = new Map<string, string>();
  for (const entry of env) {
    const end = entry.indexOf("=");
    byName.set(end < 0 ? entry : entry.slice(0, end), entry);
  }
  if (!byName.has("HOME")) byName.set("HOME", user.uid === 0 ? "HOME=/root" : "HOME=/");
  return [...byName.values()];
}

function environmentValue(env: readonly string[], name: string): string | undefined {
  const prefix = `${name}=`;
  const entry = env.findLast((text) => text.startsWith(prefix));
  return entry?.slice(prefix.length);
}

/** The terminal of a process, or nothing. Columns and rows 0: as the kernel makes it. */
export function planTerminal(process: Process, console: boolean): Operation[] {
  if (process.terminal !== true) return [];
  return [
    {
      op: "open_terminal",
      columns: process.consoleSize?.width ?? 0,
      rows: process.consoleSize?.height ?? 0,
      uid: process.user.uid,
      console: console ? 1 : 0,
    },
  ];
}
