// SPDX-License-Identifier: Apache-2.0
// `linux.seccomp` of config.json (runtime-spec 1.3, config-linux.md). Names are those of libseccomp.
import type { Decoded, Schema } from "../schema/schema.ts";

const action = {
  oneOf: [
    "SCMP_ACT_KILL",
    "SCMP_ACT_KILL_PROCESS",
    "SCMP_ACT_KILL_THREAD",
    "SCMP_ACT_TRAP",
    "SCMP_ACT_ERRNO",
    "SCMP_ACT_TRACE",
    "SCMP_ACT_ALLOW",
    "SCMP_ACT_LOG",
    "SCMP_ACT_NOTIFY",
  ],
} as const satisfies Schema;

const architecture = {
  oneOf: [
    "SCMP_ARCH_X86",
    "SCMP_ARCH_X86_64",
    "SCMP_ARCH_X32",
    "SCMP_ARCH_ARM",
    "SCMP_ARCH_AARCH64",
    "SCMP_ARCH_MIPS",
    "SCMP_ARCH_MIPS64",
    "SCMP_ARCH_MIPS64N32",
    "SCMP_ARCH_MIPSEL",
    "SCMP_ARCH_MIPSEL64",
    "SCMP_ARCH_MIPSEL64N32",
    "SCMP_ARCH_PPC",
    "SCMP_ARCH_PPC64",
    "SCMP_ARCH_PPC64LE",
    "SCMP_ARCH_S390",
    "SCMP_ARCH_S390X",
    "SCMP_ARCH_PARISC",
    "SCMP_ARCH_PARISC64",
    "SCMP_ARCH_RISCV64",
    "SCMP_ARCH_LOONGARCH64",
    "SCMP_ARCH_M68K",
    "SCMP_ARCH_SH",
    "SCMP_ARCH_SHEB",
  ],
} as const satisfies Schema;

const operator = {
  oneOf: [
    "SCMP_CMP_NE",
    "SCMP_CMP_LT",
    "SCMP_CMP_LE",
    "SCMP_CMP_EQ",
    "SCMP_CMP_GE",
    "SCMP_CMP_GT",
    "SCMP_CMP_MASKED_EQ",
  ],
} as const satisfies Schema;

/** A comparison with one argument of the system call; `valueTwo` is the datum of SCMP_CMP_MASKED_EQ. */
export const seccompArgSchema = {
  required: { index: { integer: [0, 5] }, value: "u64", op: operator },
  optional: { valueTwo: "u64" },
} as const satisfies Schema;

export const seccompSyscallSchema = {
  required: { names: { list: "nonempty_string", minItems: 1 }, action },
  optional: { errnoRet: "u16", args: { list: seccompArgSchema } },
} as const satisfies Schema;

export const seccompSchema = {
  required: { defaultAction: action },
  optional: {
    defaultErrnoRet: "u16",
    architectures: { list: architecture },
    flags: {
      list: {
        oneOf: [
          "SECCOMP_FILTER_FLAG_TSYNC",
          "SECCOMP_FILTER_FLAG_LOG",
          "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
          "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
        ],
      },
    },
    listenerPath: "string",
    listenerMetadata: "string",
    syscalls: { list: seccompSyscallSchema },
  },
} as const satisfies Schema;

export type SeccompAction = Decoded<typeof action>;
export type SeccompArchitecture = Decoded<typeof architecture>;
export type SeccompOperator = Decoded<typeof operator>;
export type SeccompArg = Decoded<typeof seccompArgSchema>;
export type SeccompSyscall = Decoded<typeof seccompSyscallSchema>;
export type Seccomp = Decoded<typeof seccompSchema>;
