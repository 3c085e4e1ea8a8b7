// SPDX-License-Identifier: Apache-2.0
// Resource limits by name and number: asm-generic/resource.h, which x86, ARM and RISC-V use unchanged.

const rlimitNames: readonly string[] = [
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

/** The number of a resource for prlimit(2), or undefined where Linux has none of that name. */
export function rlimitNumber(type: string): number | undefined {
  const number = rlimitNames.indexOf(type);
  return number < 0 ? undefined : number;
}
