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
// the operators is that of libseccomp's enum scmp_compare. All conditions of a rule must hold.
import type { Seccomp, SeccompAction, SeccompArg, SeccompOperator, SeccompSyscall } from "../spec/config.ts";
import type { SeccompPlan } from "./plan.ts";
import { unsupported } from "./refusal.ts";

const EPERM = 1;
const ACTION_ERRNO = 3;

function actionNumber(action: SeccompAction, jsonPath: string): number {
  switch (action) {
    case "SCMP_ACT_KILL":
    case "SCMP_ACT_KILL_THREAD":
      return 0;
    case "SCMP_ACT_KILL_PROCESS":
      return 1;
    case "SCMP_ACT_TRAP":
      return 2;
    case "SCMP_ACT_ERRNO":
      return ACTION_ERRNO;
    case "SCMP_ACT_TRACE":
      return 4;
    case "SCMP_ACT_ALLOW":
      return 5;
    case "SCMP_ACT_LOG":
      return 6;
    case "SCMP_ACT_NOTIFY":
      throw unsupported(jsonPath, "SCMP_ACT_NOTIFY is not in this version");
  }
}

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
const filterFlags = {
  SECCOMP_FILTER_FLAG_TSYNC: 0x1,
  SECCOMP_FILTER_FLAG_LOG: 0x2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 0x4,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 0x20,
} as const;

type Lowering = { words: number[]; strings: string[]; indexes: Map<string, number> };

/**
 * Rules that say what the default action says are left out (libseccomp refuses them).
 * @throws UNSUPPORTED for user notification
 */
export function planSeccomp(seccomp: Seccomp): SeccompPlan {
  const base = "linux.seccomp";
  if ((seccomp.listenerPath ?? "") !== "") throw unsupported(`${base}.listenerPath`, "is not in this version");
  const lowering: Lowering = { words: [], strings: [], indexes: new Map() };
  const { words } = lowering;
  const defaultAction = actionNumber(seccomp.defaultAction, `${base}.defaultAction`);
  const defaultErrno = seccomp.defaultErrnoRet ?? absentErrno(defaultAction);
  words.push(defaultAction, defaultErrno);
  const architectures = seccomp.architectures ?? [];
  words.push(architectures.length);
  for (const name of architectures) words.push(stringIndex(lowering, name));
  const countAt = words.length;
  words.push(0);
  let rules = 0;
  for (const [index, syscall] of (seccomp.syscalls ?? []).entries()) {
    const action = actionNumber(syscall.action, `${base}.syscalls[${index}].action`);
    const errno = syscall.errnoRet ?? absentErrno(action);
    if (action === defaultAction && errno === defaultErrno) continue;
    for (const conditions of alternatives(syscall)) {
      lowerRule(lowering, action, errno, syscall.names, conditions);
      rules++;
    }
  }
  words[countAt] = rules;
  let flags = 0;
  for (const flag of seccomp.flags ?? []) flags |= filterFlags[flag];
  return { words, strings: lowering.strings, flags };
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

function lowerRule(
  lowering: Lowering,
  action: number,
  errno: number,
  names: readonly string[],
  conditions: readonly SeccompArg[],
): void {
  const { words } = lowering;
  words.push(action, errno, names.length);
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

/** The value that an action returns where the bundle gives none. */
function absentErrno(action: number): number {
  return action === ACTION_ERRNO ? EPERM : 0;
}
