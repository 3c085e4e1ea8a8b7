// SPDX-License-Identifier: Apache-2.0
// The config.json that tests start from: what `spec` of the runtimes in the field prints, without a terminal.

export type IdMapping = { containerID: number; hostID: number; size: number };
export type Mount = {
  destination: string;
  type?: string;
  source?: string;
  options?: string[];
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
};
export type Device = {
  path: string;
  type: string;
  major?: number;
  minor?: number;
  fileMode?: number;
  uid?: number;
  gid?: number;
};
export type Hook = { path: string; args?: string[]; env?: string[]; timeout?: number };
export type CapabilitySet = "bounding" | "effective" | "permitted" | "inheritable" | "ambient";
export type Process = {
  terminal: boolean;
  consoleSize?: { height: number; width: number };
  user: { uid: number; gid: number; umask?: number; additionalGids?: number[] };
  args: string[];
  env: string[];
  cwd: string;
  capabilities?: Partial<Record<CapabilitySet, string[]>>;
  rlimits?: { type: string; hard: number; soft: number }[];
  noNewPrivileges?: boolean;
  oomScoreAdj?: number;
  apparmorProfile?: string;
  selinuxLabel?: string;
};
export type DeviceRule = { allow: boolean; type?: string; major?: number; minor?: number; access?: string };
export type Resources = {
  devices?: DeviceRule[];
  memory?: {
    limit?: number;
    reservation?: number;
    swap?: number;
    swappiness?: number;
    disableOOMKiller?: boolean;
    kernelTCP?: number;
  };
  cpu?: { shares?: number; quota?: number; period?: number; cpus?: string; mems?: string };
  pids?: { limit: number };
  blockIO?: { weight?: number; throttleReadBpsDevice?: { major: number; minor: number; rate: number }[] };
  hugepageLimits?: { pageSize: string; limit: number }[];
};
export type SyscallRule = {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: { index: number; value: number; valueTwo?: number; op: string }[];
};
export type Seccomp = {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  flags?: string[];
  listenerPath?: string;
  listenerMetadata?: string;
  syscalls?: SyscallRule[];
};
export type Linux = {
  cgroupsPath?: string;
  resources?: Resources;
  namespaces: { type: string; path?: string }[];
  uidMappings?: IdMapping[];
  gidMappings?: IdMapping[];
  devices?: Device[];
  sysctl?: Record<string, string>;
  seccomp?: Seccomp;
  rootfsPropagation?: string;
  maskedPaths?: string[];
  readonlyPaths?: string[];
};
export type HookKind = "prestart" | "createRuntime" | "createContainer" | "startContainer" | "poststart" | "poststop";
export type Config = {
  ociVersion: string;
  process: Process;
  root: { path: string; readonly: boolean };
  hostname?: string;
  domainname?: string;
  mounts: Mount[];
  hooks?: Partial<Record<HookKind, Hook[]>>;
  annotations?: Record<string, string>;
  linux: Linux;
};

/** Changes a config before it is written. */
export type Change = (config: Config) => void;

export const maskedPaths = [
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
];
export const readonlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/** A fresh default config for a container that runs `sh`. */
export function defaultConfig(id: string, rootfs: string): Config {
  const capabilities = () => ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ["/bin/sh"],
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
      cwd: "/",
      capabilities: { bounding: capabilities(), effective: capabilities(), permitted: capabilities() },
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: rootfs, readonly: true },
    hostname: "meter",
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      {
        destination: "/dev",
        type: "tmpfs",
        source: "tmpfs",
        options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
      },
      {
        destination: "/dev/pts",
        type: "devpts",
        source: "devpts",
        options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
      },
      {
        destination: "/dev/shm",
        type: "tmpfs",
        source: "shm",
        options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
      },
      { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
      { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
      {
        destination: "/sys/fs/cgroup",
        type: "cgroup",
        source: "cgroup",
        options: ["nosuid", "noexec", "nodev", "relatime", "ro"],
      },
    ],
    linux: {
      cgroupsPath: `/${id}`,
      resources: { devices: [{ allow: false, access: "rwm" }] },
      namespaces: ["pid", "network", "ipc", "uts", "mount"].map((type) => ({ type })),
      maskedPaths: [...maskedPaths],
      readonlyPaths: [...readonlyPaths],
    },
  };
}

/** Lets the process run a shell script, with $0 "sh". */
export function setScript(config: Config, script: string): void {
  config.process.args = ["/bin/sh", "-c", script];
}

/** Gives the process these capabilities in the bounding, effective and permitted sets. */
export function setCapabilities(config: Config, names: readonly string[]): void {
  config.process.capabilities = { bounding: [...names], effective: [...names], permitted: [...names] };
}

/** Adds or replaces a namespace. */
export function setNamespace(config: Config, type: string, path?: string): void {
  config.linux.namespaces = config.linux.namespaces.filter((namespace) => namespace.type !== type);
  config.linux.namespaces.push(path === undefined ? { type } : { type, path });
}

/** Removes a namespace: the container shares the host's. */
export function dropNamespace(config: Config, type: string): void {
  config.linux.namespaces = config.linux.namespaces.filter((namespace) => namespace.type !== type);
}

/** Maps ids 0..65535 of a new user namespace to `hostId` and up. */
export function setUserNamespace(config: Config, hostId: number): void {
  setNamespace(config, "user");
  config.linux.uidMappings = [{ containerID: 0, hostID: hostId, size: 65536 }];
  config.linux.gidMappings = [{ containerID: 0, hostID: hostId, size: 65536 }];
}
