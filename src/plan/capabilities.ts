// SPDX-License-Identifier: Apache-2.0
// process.capabilities as the kernel's masks (capabilities(7)).
import type { Capabilities } from "../spec/config.ts";

/** In the order of their numbers (include/uapi/linux/capability.h). */
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

/** Masks as safe integers: bit n is the capability with the number n. */
export type CapabilityMasks = {
  bounding: number;
  effective: number;
  permitted: number;
  inheritable: number;
  ambient: number;
};

/**
 * The five sets; one that is absent is empty. The specification wants capabilities that can't be granted left out with
 * a warning: names that the kernel does not have, and ambient ones that are not both permitted and inheritable.
 */
export function computeCapabilities(capabilities: Capabilities, warnings: string[]): CapabilityMasks {
  const unknown: string[] = [];
  const bits = (names: readonly string[] = []): boolean[] => {
    const set: boolean[] = [];
    for (const name of names) {
      const number = capabilityNames.indexOf(name);
      if (number >= 0) set[number] = true;
      else if (!unknown.includes(name)) unknown.push(name);
    }
    return set;
  };
  const permitted = bits(capabilities.permitted);
  const inheritable = bits(capabilities.inheritable);
  const wanted = bits(capabilities.ambient);
  const ambient = wanted.map((set, number) => set && permitted[number] === true && inheritable[number] === true);
  const masks = {
    bounding: mask(bits(capabilities.bounding)),
    effective: mask(bits(capabilities.effective)),
    permitted: mask(permitted),
    inheritable: mask(inheritable),
    ambient: mask(ambient),
  };
  for (const name of unknown) warnings.push(`process.capabilities: "${name}" is not a capability of Linux`);
  const dropped = capabilityNames.filter((_, number) => wanted[number] === true && ambient[number] !== true);
  if (dropped.length > 0) {
    warnings.push(`process.capabilities.ambient: not permitted and inheritable: ${dropped.join(", ")}`);
  }
  return masks;
}

/** Bits above 31 rule out the bit operators, which work on 32 bits. */
function mask(bits: readonly (boolean | undefined)[]): number {
  let sum = 0;
  bits.forEach((set, number) => {
    if (set === true) sum += 2 ** number;
  });
  return sum;
}
