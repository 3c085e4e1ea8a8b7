// SPDX-License-Identifier: Apache-2.0
// Reads what the kernel says about a process: /proc/self/status and /proc/self/mountinfo as printed by a container.

/** "Name:<tab>value" lines as an object. */
export function statusFields(text: string): Record<string, string> {
  return Object.fromEntries(
    text.split("\n").map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()]),
  );
}

export type MountEntry = {
  root: string;
  target: string;
  /** Per-mount flags: ro, nosuid, ... */
  options: string[];
  /** "shared:N", "master:N", ... */
  propagation: string[];
  type: string;
  source: string;
  superOptions: string[];
};

/** Parses mountinfo (proc(5)); the order is that of the mounts. */
export function parseMountinfo(text: string): MountEntry[] {
  return text
    .trim()
    .split("\n")
    .map((line) => {
      const fields = line.split(" ");
      const dash = fields.indexOf("-");
      return {
        root: fields[3]!,
        target: fields[4]!,
        options: fields[5]!.split(","),
        propagation: fields.slice(6, dash),
        type: fields[dash + 1]!,
        source: fields[dash + 2]!,
        superOptions: (fields[dash + 3] ?? "").split(","),
      };
    });
}

const capabilityNumbers: Record<string, number> = {
  CAP_CHOWN: 0,
  CAP_DAC_OVERRIDE: 1,
  CAP_KILL: 5,
  CAP_SETGID: 6,
  CAP_SETUID: 7,
  CAP_NET_BIND_SERVICE: 10,
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_SYS_ADMIN: 21,
  CAP_MKNOD: 27,
  CAP_AUDIT_WRITE: 29,
};

/** The mask of capabilities as /proc/PID/status prints it. */
export function capabilityMask(names: readonly string[]): string {
  const mask = names.reduce((sum, name) => sum | (1n << BigInt(capabilityNumbers[name]!)), 0n);
  return mask.toString(16).padStart(16, "0");
}
