// SPDX-License-Identifier: Apache-2.0
// linux.seccomp, lowered for host.compileSeccomp(). The wire form, as u32 words:
//
//   default action, its errno
//   number of architectures, then for each the index of its name
//   number of rules, then for each
//     action, errno
//     number of system calls, then for each the index of its name
//     number of conditions, then for each
//       argument, operator, value low, high, second value low, high
//
// Names are indexes into `strings`, in which each stands once. Actions and operators are numbered below; the order of
// the operators is that of libseccomp's enum scmp_compare. All conditions of a rule must hold. Rules that say what the
// default action says are there as well: which system calls a profile knows counts (native/core/seccomp_newer.c).
import type { Seccomp, SeccompAction, SeccompArg, SeccompOperator, SeccompSyscall } from "../spec/config.ts";
import type { SeccompPlan } from "./plan.ts";
import { invalid } from "./refusal.ts";

const EPERM = 1;

const actions: { readonly [action in SeccompAction]: number } = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_KILL_PROCESS: 1,
  SCMP_ACT_TRAP: 2,
  SCMP_ACT_ERRNO: 3,
  SCMP_ACT_TRACE: 4,
  SCMP_ACT_ALLOW: 5,
  SCMP_ACT_LOG: 6,
  SCMP_ACT_NOTIFY: 7,
};

const operators: { readonly [operator in SeccompOperator]: number } = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
};

/** SECCOMP_FILTER_FLAG_* of seccomp(2). */
const SPEC_ALLOW = 0x4;
const NEW_LISTENER = 0x8;
const WAIT_KILLABLE_RECV = 0x20;
const filterFlags = {
  // Nothing to synchronize: the process that loads the filter has one thread. With a listener the kernel refuses it.
  SECCOMP_FILTER_FLAG_TSYNC: 0,
  SECCOMP_FILTER_FLAG_LOG: 0x2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: WAIT_KILLABLE_RECV,
} as const;

type Lowering = { words: number[]; strings: string[]; indexes: Map<string, number> };

/** @throws CONFIG_INVALID for user notification that can't work */
export function planSeccomp(seccomp: Seccomp): SeccompPlan {
  const lowering: Lowering = { words: [], strings: [], indexes: new Map() };
  const { words } = lowering;
  words.push(actions[seccomp.defaultAction], seccomp.defaultErrnoRet ?? absentErrno(seccomp.defaultAction));
  const architectures = seccomp.architectures ?? [];
  words.push(architectures.length);
  for (const name of architectures) words.push(stringIndex(lowering, name));
  const countAt = words.length;
  words.push(0);
  let rules = 0;
  for (const syscall of seccomp.syscalls ?? []) {
    for (const conditions of alternatives(syscall)) {
      lowerRule(lowering, syscall, conditions);
      rules++;
    }
  }
  words[countAt] = rules;
  const listener = planListener(seccomp);
  return { words, strings: lowering.strings, flags: planFlags(seccomp, listener !== null), listener };
}

/** Who answers the system calls of SCMP_ACT_NOTIFY; null where nothing asks. A path that nothing uses is ignored. */
function planListener(seccomp: Seccomp): SeccompPlan["listener"] {
  if (seccomp.defaultAction === "SCMP_ACT_NOTIFY") {
    throw invalid("linux.seccomp.defaultAction", "SCMP_ACT_NOTIFY cannot be used as default action");
  }
  let isAsked = false;
  for (const [index, { names, action }] of (seccomp.syscalls ?? []).entries()) {
    if (action !== "SCMP_ACT_NOTIFY") continue;
    isAsked = true;
    // It is by write(2) that the process hands the listener over, and reports failures, under the filter already.
    if (names.includes("write")) {
      throw invalid(`linux.seccomp.syscalls[${index}]`, "SCMP_ACT_NOTIFY cannot be used for the write syscall");
    }
  }
  if (!isAsked) return null;
  const path = seccomp.listenerPath ?? "";
  if (path === "") {
    throw invalid("linux.seccomp.listenerPath", "is not set, and SCMP_ACT_NOTIFY needs a socket to notify");
  }
  return { path, metadata: seccomp.listenerMetadata ?? "" };
}

/** What a kernel has to know for a flag of a profile: seccomp(2) takes some only together with others. */
export function kernelFlags(name: keyof typeof filterFlags): number {
  const flag = filterFlags[name];
  return flag === WAIT_KILLABLE_RECV ? flag | NEW_LISTENER : flag;
}

/** Without a list, speculation stays as it is outside of the filter: the default of runc and crun. */
function planFlags(seccomp: Seccomp, hasListener: boolean): number {
  let flags = hasListener ? NEW_LISTENER : 0;
  if (seccomp.flags === undefined) return flags | SPEC_ALLOW;
  for (const flag of seccomp.flags) flags |= filterFlags[flag];
  if (!hasListener && (flags & WAIT_KILLABLE_RECV) !== 0) {
    throw invalid("linux.seccomp.flags", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs a rule with SCMP_ACT_NOTIFY");
  }
  return flags;
}

/** Of several conditions on the same argument one is enough, so each becomes a rule of its own; others are a conjunction. */
function alternatives({ args = [] }: SeccompSyscall): SeccompArg[][] {
  let seen = 0;
  for (const { index } of args) {
    if ((seen & (1 << index)) !== 0) return args.map((arg) => [arg]);
    seen |= 1 << index;
  }
  return [args];
}

function lowerRule(lowering: Lowering, syscall: SeccompSyscall, conditions: readonly SeccompArg[]): void {
  const { words } = lowering;
  const { names, action } = syscall;
  words.push(actions[action], syscall.errnoRet ?? absentErrno(action), names.length);
  for (const name of names) words.push(stringIndex(lowering, name));
  words.push(conditions.length);
  for (const { index, op, value, valueTwo } of conditions) {
    words.push(index, operators[op]);
    pushLong(words, value);
    pushLong(words, valueTwo ?? 0n);
  }
}

function pushLong(words: number[], value: bigint): void {
  words.push(Number(value & 0xffffffffn), Number(value >> 32n));
}

function stringIndex({ strings, indexes }: Lowering, text: string): number {
  const known = indexes.get(text);
  if (known !== undefined) return known;
  indexes.set(text, strings.length);
  strings.push(text);
  return strings.length - 1;
}

/** What an action returns where the bundle does not say it. */
function absentErrno(action: SeccompAction): number {
  return action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE" ? EPERM : 0;
}
