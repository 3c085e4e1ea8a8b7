// SPDX-License-Identifier: Apache-2.0
// The config.json that `spec` writes: the same properties, values and order as runc's, for tools that edit it.
import type { Spec } from "./config.ts";
import type { Mount } from "./mounts.ts";

export type DefaultSpecOptions = {
  /** For `--rootless`: who will run the container. */
  rootless?: { readonly uid: number; readonly gid: number } | undefined;
  /** A cgroup namespace: where the host has only cgroup v2. */
  cgroupNamespace?: boolean;
};

/** The default spec: `sh` on a terminal, with hardly any capability, in namespaces of its own. */
export function defaultSpec({ rootless, cgroupNamespace = false }: DefaultSpecOptions = {}): Spec {
  const capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
  const spec: Spec = {
    ociVersion: "1.3.0",
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ["sh"],
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
      cwd: "/",
      capabilities: {
        bounding: [...capabilities],
        effective: [...capabilities],
        permitted: [...capabilities],
        ambient: [...capabilities],
      },
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024n, soft: 1024n }],
      noNewPrivileges: true,
    },
    root: { path: "rootfs", readonly: true },
    hostname: "runc",
    mounts: defaultMounts(rootless !== undefined),
    linux: {
      ...(rootless === undefined
        ? { resources: { devices: [{ allow: false, access: "rwm" }] } }
        : {
            uidMappings: [{ containerID: 0, hostID: rootless.uid, size: 1 }],
            gidMappings: [{ containerID: 0, hostID: rootless.gid, size: 1 }],
          }),
      namespaces: [{ type: "pid" }],
      maskedPaths: [
        "/proc/acpi",
        "/proc/asound",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/proc/sched_debug",
        "/sys/firmware",
        "/proc/scsi",
      ],
      readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
  };
  const namespaces = spec.linux!.namespaces!;
  if (rootless === undefined) namespaces.push({ type: "network" });
  namespaces.push({ type: "ipc" }, { type: "uts" }, { type: "mount" });
  if (cgroupNamespace) namespaces.push({ type: "cgroup" });
  if (rootless !== undefined) namespaces.push({ type: "user" });
  return spec;
}

/** The default spec as text, indented by tabs. */
export function printDefaultSpec(options: DefaultSpecOptions = {}): string {
  // The limits of the default rlimits are small: as numbers they lose nothing.
  return JSON.stringify(
    defaultSpec(options),
    (_name, value) => (typeof value === "bigint" ? Number(value) : value),
    "\t",
  );
}

/** A user namespace with one id has no group 5 (tty), and can mount sysfs only with a network namespace of its own. */
function defaultMounts(rootless: boolean): Mount[] {
  const flags = ["nosuid", "noexec", "nodev"];
  const devpts = ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"];
  return [
    { destination: "/proc", type: "proc", source: "proc" },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    { destination: "/dev/pts", type: "devpts", source: "devpts", options: rootless ? devpts : [...devpts, "gid=5"] },
    { destination: "/dev/shm", type: "tmpfs", source: "shm", options: [...flags, "mode=1777", "size=65536k"] },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: [...flags] },
    rootless
      ? { destination: "/sys", type: "none", source: "/sys", options: ["rbind", ...flags, "ro"] }
      : { destination: "/sys", type: "sysfs", source: "sysfs", options: [...flags, "ro"] },
    { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: [...flags, "relatime", "ro"] },
  ];
}
