// SPDX-License-Identifier: Apache-2.0
// What a start will do, as pure data. planLaunch() (src/plan/launch.ts) computes it; src/lifecycle carries it out:
// the host side by host functions, `operations` by edgerun-init.
import type { Operation } from "./operations.ts";

/** One write(2) of `value` to a file of a cgroup. */
export type CgroupWrite = {
  file: string;
  value: string;
  /** Where kernels differ: the file to write when `file` is not there; "" where nothing is to be written then. */
  ifAbsent?: string;
  /** What to write to `ifAbsent`, where that file counts on another scale. */
  valueIfAbsent?: string;
};

/** A controller that a limit can't do without, and the JSON path of that limit. */
export type ControllerNeed = { controller: string; jsonPath: string };

/** What only a directory of cgroup v2 has. */
export type UnifiedCgroup = {
  /** The hierarchy's mount point. Controllers are enabled from there down to the parent of the directory. */
  mountPoint: string;
  /** At most one for each controller. Others are enabled where they can be. */
  needs: ControllerNeed[];
  /** A BPF_PROG_TYPE_CGROUP_DEVICE program, two words for each instruction (device_program.ts); empty: none. */
  deviceProgram: number[];
};

/** One cgroup directory to create (with its parents) and join (cgroup v1: one per hierarchy; cgroup v2: the only one). */
export type CgroupPlan = {
  /** Absolute host path of the directory. */
  path: string;
  /** The hierarchy's controllers (cgroup v1); empty for cgroup v2. */
  controllers: string[];
  /**
   * Files that are empty in a new directory and must not be (v1 cpuset): for each level that is made, from the top
   * down, the text of the same file in its parent is written there. Before `writes`.
   */
  inherit: string[];
  /** In order. */
  writes: CgroupWrite[];
  /** With cgroup v2 only. */
  unified?: UnifiedCgroup;
};

/** Texts for /proc/PID/uid_map and gid_map. */
export type IdMaps = { uid: string; gid: string };

/** The source of a bind mount that the host side opens, and what becomes of the ids in it. */
export type SourcePlan = {
  /** Absolute host path. */
  path: string;
  recursive: boolean;
  /** null: as they are; "container": as in the container's own user namespace. */
  idMaps: IdMaps | "container" | null;
  /** Ids of the mounts below it, too. */
  mapRecursively: boolean;
};

/** A network interface of the host that the container gets. `newName` may be a template: "eth%d". */
export type InterfacePlan = { name: string; newName: string };

/** The resctrl group that the process is put into. */
export type ResctrlPlan = {
  /** Name of its directory. */
  group: string;
  /** It is made for the container, and goes with it. */
  isOwn: boolean;
  /** Lines that a group which is there already must have. */
  limits: string[];
  /** Lines that are written after them, whatever is there. */
  schemata: string[];
  /** Name of a directory below its mon_groups; "": none. */
  monitorGroup: string;
};

export type ResourceLimit = { type: string; resource: number; soft: bigint; hard: bigint };

/** A hook that runs in the runtime's namespaces, with exactly this environment. timeoutMs 0: none. */
export type HookPlan = { path: string; args: string[]; env: string[]; timeoutMs: number };

/** A seccomp filter, lowered for host.compileSeccomp; the wire form is described in src/plan/seccomp.ts. */
export type SeccompPlan = {
  words: number[];
  strings: string[];
  /** SECCOMP_FILTER_FLAG_* of seccomp(2). */
  flags: number;
  /** Who answers system calls with SCMP_ACT_NOTIFY: gets the listener and `metadata` at this socket. */
  listener: { path: string; metadata: string } | null;
};

export type LaunchPlan = {
  version: 1;
  /** CLONE_NEW* flags for the new process itself; the other namespaces come from `unshare` and `join_namespaces`. */
  cloneFlags: number;
  preserveFds: number;
  cgroups: CgroupPlan[];
  /** Where a user namespace is new. */
  idMaps: IdMaps | null;
  /** For `receive_sources`, in this order. */
  sources: SourcePlan[];
  resctrl: ResctrlPlan | null;
  /** Moved when init waits for it (`host_interfaces`). */
  interfaces: InterfacePlan[];
  oomScoreAdj: number | null;
  resourceLimits: ResourceLimit[];
  hooks: { prestart: HookPlan[]; createRuntime: HookPlan[]; poststart: HookPlan[]; poststop: HookPlan[] };
  /** Filled into the `load_seccomp` operation (whose filter is empty in the plan) after compilation. */
  seccomp: SeccompPlan | null;
  operations: Operation[];
  /** What the specification lets a runtime leave out, and was left out. Each line begins with its JSON path. */
  warnings: string[];
};

/** What the planner needs to know of the machine; read by readHostFacts() (src/host/facts.ts), fixed in golden tests. */
export type HostFacts = {
  /** cgroup v1 hierarchies and the cgroup2 mount as mounted: controllers as in the mount options. */
  cgroupMounts: { version: 1 | 2; mountPoint: string; root: string; controllers: string[] }[];
  /** Own cgroup per hierarchy, from /proc/self/cgroup: key is the controller list joined by ",", "" for v2. */
  ownCgroups: { controllers: string; path: string }[];
  /** In this user namespace, is uid 0 the host's root (identity map)? */
  initialUserNamespace: boolean;
  /** Are supplementary groups not to be changed in this user namespace? Absent: no. */
  groupsDenied?: boolean;
  /** Active LSMs, from /sys/kernel/security/lsm, or those with a /proc/self/attr directory. */
  securityModules: string[];
};
