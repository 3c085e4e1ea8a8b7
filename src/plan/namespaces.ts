// SPDX-License-Identifier: Apache-2.0
// linux.namespaces: which are new, which are joined, and in which step of a start each one is entered.
import type { Linux, NamespaceType } from "../spec/config.ts";
import { findNamespace } from "../spec/linux.ts";
import {
  CLONE_NEWCGROUP,
  CLONE_NEWIPC,
  CLONE_NEWNET,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWTIME,
  CLONE_NEWUSER,
  CLONE_NEWUTS,
} from "./constants.ts";
import { formatIdMap } from "./id_maps.ts";
import type { Operation } from "./operations.ts";
import type { IdMaps } from "./plan.ts";

/** The CLONE_NEW* flag of a namespace type. */
export function namespaceFlag(type: NamespaceType): number {
  switch (type) {
    case "pid":
      return CLONE_NEWPID;
    case "network":
      return CLONE_NEWNET;
    case "mount":
      return CLONE_NEWNS;
    case "ipc":
      return CLONE_NEWIPC;
    case "uts":
      return CLONE_NEWUTS;
    case "user":
      return CLONE_NEWUSER;
    case "cgroup":
      return CLONE_NEWCGROUP;
    case "time":
      return CLONE_NEWTIME;
  }
}

/** The namespaces of a container, by what becomes of them. A type in neither part is shared with the runtime. */
export type Namespaces = {
  /** CLONE_NEW* flags of those that are new. */
  created: number;
  /** CLONE_NEW* flags of those that are joined. */
  joined: number;
  /** In the order in which they are joined. */
  joins: { type: NamespaceType; source: string }[];
  /** For /proc/self/timens_offsets; empty: none. */
  timeOffsets: string;
};

/** Does the container have a namespace of this type that is not the runtime's? */
export function hasNamespace(namespaces: Namespaces, flag: number): boolean {
  return ((namespaces.created | namespaces.joined) & flag) !== 0;
}

// The user namespace comes last: in it we may no longer join what the host's root may.
const joinOrder: readonly NamespaceType[] = ["network", "ipc", "uts", "cgroup", "pid", "time", "mount", "user"];

/** Reads linux.namespaces. */
export function computeNamespaces(linux: Linux): Namespaces {
  const namespaces: Namespaces = { created: 0, joined: 0, joins: [], timeOffsets: formatTimeOffsets(linux) };
  for (const { type, path } of linux.namespaces ?? []) {
    if (path === undefined) namespaces.created |= namespaceFlag(type);
    else namespaces.joined |= namespaceFlag(type);
  }
  for (const type of joinOrder) {
    const source = findNamespace(linux, type)?.path;
    if (source !== undefined) namespaces.joins.push({ type, source });
  }
  return namespaces;
}

function formatTimeOffsets(linux: Linux): string {
  return Object.entries(linux.timeOffsets ?? {})
    .map(([clock, { secs, nanosecs }]) => `${clock} ${secs ?? 0n} ${nanosecs ?? 0}`)
    .join("\n");
}

/** Entering every namespace of a running container (exec): all that it does not share with the runtime. */
export function computeRunningNamespaces(linux: Linux, initPid: number): Namespaces {
  const own = computeNamespaces(linux);
  const all = own.created | own.joined;
  const joins = joinOrder
    .filter((type) => (all & namespaceFlag(type)) !== 0)
    .map((type) => ({ type, source: `/proc/${initPid}/ns/${procName(type)}` }));
  return { created: 0, joined: all, joins, timeOffsets: "" };
}

function procName(type: NamespaceType): string {
  if (type === "mount") return "mnt";
  return type === "network" ? "net" : type;
}

/**
 * The flags for clone(2) of the new process. A process can't enter a new pid namespace, only be born in it; a new user
 * namespace must own all the others. Where something comes before these two, they are made by planEntry():
 * - the namespaces of others, which are the host's, must be joined before the user namespace is made;
 * - the pid namespace must be made below a user namespace that is joined;
 * - a process can't enter a new time namespace either (before Linux 6.1 not even by execve(2)).
 */
export function computeCloneFlags({ created, joined }: Namespaces): number {
  let atClone = CLONE_NEWUSER | CLONE_NEWPID;
  if (joined !== 0 && (created & CLONE_NEWUSER) !== 0) atClone = 0;
  if ((joined & CLONE_NEWUSER) !== 0 || (created & CLONE_NEWTIME) !== 0) atClone &= ~CLONE_NEWPID;
  return created & atClone;
}

/**
 * The first operations: join, unshare what a fork must come after, fork, unshare the rest. None of it needs the host
 * side, so it runs while the host side makes cgroups.
 */
export function planEntry(namespaces: Namespaces): Operation[] {
  const { created, joined, joins, timeOffsets } = namespaces;
  const operations: Operation[] = [];
  if (joins.length > 0) {
    operations.push({
      op: "join_namespaces",
      types: joins.map(({ type }) => namespaceFlag(type)),
      sources: joins.map(({ source }) => source),
    });
  }
  const left = created & ~computeCloneFlags(namespaces);
  // The host side writes the id maps of a process that is there when it hears of the fork.
  const beforeFork = left & (CLONE_NEWUSER | CLONE_NEWTIME);
  if (beforeFork !== 0) operations.push({ op: "unshare", flags: beforeFork });
  if (timeOffsets !== "") operations.push({ op: "time_offsets", text: timeOffsets });
  const atFork = left & CLONE_NEWPID;
  if (beforeFork !== 0 || (joined & CLONE_NEWPID) !== 0 || atFork !== 0) operations.push({ op: "fork", flags: atFork });
  const flags = left & ~(beforeFork | atFork | computeLateFlags(namespaces));
  if (flags !== 0) operations.push({ op: "unshare", flags });
  if ((created & CLONE_NEWNET) !== 0) operations.push({ op: "bring_loopback_up" });
  return operations;
}

/**
 * The operations right after `go`, when id maps are written and cgroups are joined: the process becomes root of its user
 * namespace, and makes the namespaces for which that comes first.
 */
export function planLateEntry(namespaces: Namespaces): Operation[] {
  const operations: Operation[] = [];
  if (hasNamespace(namespaces, CLONE_NEWUSER)) operations.push({ op: "set_ids_in_userns" });
  const flags = computeLateFlags(namespaces);
  if (flags !== 0) operations.push({ op: "unshare", flags });
  return operations;
}

/**
 * The root of a cgroup namespace is the cgroup that its maker is in. The queue directory of an ipc namespace belongs to
 * the user that its maker is: made before the ids are set, nobody in the user namespace would own it.
 */
function computeLateFlags(namespaces: Namespaces): number {
  const late = hasNamespace(namespaces, CLONE_NEWUSER) ? CLONE_NEWCGROUP | CLONE_NEWIPC : CLONE_NEWCGROUP;
  return namespaces.created & late;
}

/**
 * Texts for /proc/PID/uid_map and gid_map; null where no user namespace is new.
 * A joined one has its maps: those of the bundle, which engines write there too, are not used.
 */
export function planIdMaps(linux: Linux, { created }: Namespaces): IdMaps | null {
  if ((created & CLONE_NEWUSER) === 0) return null;
  return { uid: formatIdMap(linux.uidMappings ?? []), gid: formatIdMap(linux.gidMappings ?? []) };
}
