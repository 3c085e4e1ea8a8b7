// SPDX-License-Identifier: Apache-2.0
// process of config.json (or process.json): what the container's process is, and how it becomes that.

import { capabilityMask, capabilityNames } from "../spec/capabilities.ts";
import type { Capabilities, IoPriority, Linux, Process, Rlimit, Scheduler } from "../spec/config.ts";
import { rlimitNumber } from "../spec/rlimits.ts";
import type { Operation } from "./operations.ts";
import { planMemoryPolicy } from "./placement.ts";
import type { ResourceLimit, SeccompPlan } from "./plan.ts";
import { invalid, unsupported, warning } from "./refusal.ts";

/**
 * execve(2) ends with the stack's limit as it was at its beginning: for what the host side sets, init's must be over.
 * @param visible the id maps are written by somebody who is not root
 */
export function planAnnouncement(limits: readonly Rlimit[], visible: boolean): Operation[] {
  const isNeeded = visible || limits.some(({ type }) => type === "RLIMIT_STACK");
  return isNeeded ? [{ op: "announce", visible: visible ? 1 : 0 }] : [];
}

/** process.rlimits, with the numbers for prlimit(2). */
export function planResourceLimits(limits: readonly Rlimit[]): ResourceLimit[] {
  return limits.map(({ type, soft, hard }) => ({ type, resource: rlimitNumber(type)!, soft, hard }));
}

/** personality(2). */
const PER_LINUX = 0;
const PER_LINUX32 = 8;

/** scheduler, ioPriority, linux.personality and memoryPolicy: while the process may still raise its own priority. */
export function planScheduling(process: Process, linux: Linux): Operation[] {
  const operations: Operation[] = [];
  const { personality } = linux;
  if (personality !== undefined) {
    operations.push({ op: "set_personality", value: personality.domain === "LINUX32" ? PER_LINUX32 : PER_LINUX });
  }
  if (process.scheduler !== undefined) operations.push(planScheduler(process.scheduler));
  if (process.ioPriority !== undefined) operations.push(planIoPriority(process.ioPriority));
  operations.push(...planMemoryPolicy(linux));
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
 * When the seccomp filter is loaded. Without noNewPrivileges that takes CAP_SYS_ADMIN: while the process has it. With
 * it, as late as possible; but somebody who is notified of system calls gets to know it before `create` returns.
 */
function seccompMoment(process: Process, seccomp: SeccompPlan | null): "never" | "privileged" | "ready" | "last" {
  if (seccomp === null) return "never";
  if (process.noNewPrivileges !== true) return "privileged";
  return seccomp.listener === null ? "last" : "ready";
}

/** From a process with every right to the one that config.json describes, ready to exec but not yet started. */
export function planCredentials(
  process: Process,
  seccomp: SeccompPlan | null,
  preserveFds: number,
  groupsDenied: boolean,
  warnings: string[],
): Operation[] {
  const { user, cwd, args, capabilities = {} } = process;
  const groups = user.additionalGids ?? [];
  if (groupsDenied && groups.length > 0) {
    const text = "the user namespace maps no group but its user's own: nobody in it may set others";
    throw unsupported("process.user.additionalGids", text);
  }
  const moment = seccompMoment(process, seccomp);
  const operations: Operation[] = [];
  if (process.noNewPrivileges === true) operations.push({ op: "no_new_privileges" });
  operations.push(...planHome(process), { op: "change_directory", path: cwd, retry: 0 });
  if (moment === "privileged") operations.push(...planFilter(seccomp!, preserveFds));
  operations.push(
    { op: "limit_capability_bounds", bounding: capabilityMask(capabilities.bounding ?? []) },
    {
      op: "set_user",
      uid: user.uid,
      gid: user.gid,
      groups,
      umask: user.umask ?? 0o022,
      keepGroups: groupsDenied ? 1 : 0,
    },
    {
      op: "set_capabilities",
      effective: capabilityMask(capabilities.effective ?? []),
      permitted: capabilityMask(capabilities.permitted ?? []),
      inheritable: capabilityMask(capabilities.inheritable ?? []),
      ambient: capabilityMask(grantableAmbient(capabilities, warnings)),
    },
    { op: "change_directory", path: cwd, retry: 1 },
    ...(args.length === 0 ? [] : [planSearch(args[0]!, process.env)]),
    ...(moment === "ready" ? planFilter(seccomp!, preserveFds) : []),
    { op: "ready" },
  );
  return operations;
}

function planSearch(name: string, env: readonly string[] = []): Operation {
  return { op: "find_program", name, searchPath: environmentValue(env, "PATH") ?? "" };
}

/**
 * The kernel raises only ambient capabilities that are both permitted and inheritable. The specification wants those
 * that can't be granted left out with a warning; the default config.json of engines has some.
 */
function grantableAmbient(capabilities: Capabilities, warnings: string[]): string[] {
  const { ambient = [], permitted = [], inheritable = [] } = capabilities;
  const [granted, left]: [string[], string[]] = [[], []];
  for (const name of capabilityNames) {
    if (!ambient.includes(name)) continue;
    (permitted.includes(name) && inheritable.includes(name) ? granted : left).push(name);
  }
  if (left.length > 0) {
    warnings.push(warning("process.capabilities.ambient", `not both permitted and inheritable: ${left.join(", ")}`));
  }
  return granted;
}

/** What is left after `start`; startContainer hooks come before it. */
export function planExecution(process: Process, seccomp: SeccompPlan | null, preserveFds: number): Operation[] {
  const moment = seccompMoment(process, seccomp);
  const operations: Operation[] = [];
  if (moment === "never") operations.push(planClosing(preserveFds));
  if (moment === "last") operations.push(...planFilter(seccomp!, preserveFds));
  if (process.args.length === 0) operations.push({ op: "exit" });
  else operations.push({ op: "exec", args: process.args, env: planEnvironment(process) });
  return operations;
}

/** What init opens later is close-on-exec from the start. */
function planClosing(preserveFds: number): Operation {
  return { op: "close_descriptors", first: 3 + preserveFds };
}

/**
 * The filter is compiled, and filled in, by the lifecycle: LaunchPlan.seccomp. Descriptors come first: a profile that
 * is older than close_range(2) does not allow it.
 */
function planFilter({ flags }: SeccompPlan, preserveFds: number): Operation[] {
  return [planClosing(preserveFds), { op: "load_seccomp", filter: new Uint8Array(0), flags }];
}

/** process.env; of several values for a name the last one counts. */
function planEnvironment({ env = [] }: Process): string[] {
  const byName = new Map<string, string>();
  for (const entry of env) {
    const end = entry.indexOf("=");
    byName.set(end < 0 ? entry : entry.slice(0, end), entry);
  }
  if (byName.get("HOME") === "HOME=") byName.delete("HOME");
  return [...byName.values()];
}

/** Programs expect HOME; where it is missing or empty, the container's passwd file is asked, as runc does. */
function planHome({ env = [], user }: Process): Operation[] {
  return (environmentValue(env, "HOME") ?? "") === "" ? [{ op: "set_home", uid: user.uid }] : [];
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
