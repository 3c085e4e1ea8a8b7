// SPDX-License-Identifier: Apache-2.0
// Linux capabilities by name and number (linux/capability.h).
import { EdgerunError } from "../errors.ts";
import { quote } from "../schema/describe.ts";

/** All 41, in bit order: the index of a name is its number. */
export const capabilityNames: readonly string[] = [
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_DAC_READ_SEARCH",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_SETGID",
  "CAP_SETUID",
  "CAP_SETPCAP",
  "CAP_LINUX_IMMUTABLE",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_BROADCAST",
  "CAP_NET_ADMIN",
  "CAP_NET_RAW",
  "CAP_IPC_LOCK",
  "CAP_IPC_OWNER",
  "CAP_SYS_MODULE",
  "CAP_SYS_RAWIO",
  "CAP_SYS_CHROOT",
  "CAP_SYS_PTRACE",
  "CAP_SYS_PACCT",
  "CAP_SYS_ADMIN",
  "CAP_SYS_BOOT",
  "CAP_SYS_NICE",
  "CAP_SYS_RESOURCE",
  "CAP_SYS_TIME",
  "CAP_SYS_TTY_CONFIG",
  "CAP_MKNOD",
  "CAP_LEASE",
  "CAP_AUDIT_WRITE",
  "CAP_AUDIT_CONTROL",
  "CAP_SETFCAP",
  "CAP_MAC_OVERRIDE",
  "CAP_MAC_ADMIN",
  "CAP_SYSLOG",
  "CAP_WAKE_ALARM",
  "CAP_BLOCK_SUSPEND",
  "CAP_AUDIT_READ",
  "CAP_PERFMON",
  "CAP_BPF",
  "CAP_CHECKPOINT_RESTORE",
];

/**
 * The bit mask of a set of capabilities: a safe integer below 2^41, as in the plan's u64 fields.
 *
 * @throws EdgerunError CONFIG_INVALID for a name that is not in capabilityNames
 */
export function capabilityMask(names: readonly string[]): number {
  // Bit operations are on 32 bits: two halves.
  let low = 0;
  let high = 0;
  for (const name of names) {
    const bit = capabilityNames.indexOf(name);
    if (bit < 0) throw new EdgerunError("CONFIG_INVALID", `unknown capability ${quote(name)}`);
    if (bit < 32) low |= 1 << bit;
    else high |= 1 << (bit - 32);
  }
  return high * 0x1_0000_0000 + (low >>> 0);
}
