// SPDX-License-Identifier: Apache-2.0
// What `create` and `run` will do, computed from the effective spec and the host's facts. Pure: the same input gives
// the same plan, byte for byte.
import type { Linux, Spec } from "../spec/config.ts";
import {
  type CgroupDirectory,
  type CgroupManager,
  computeCgroupDirectories,
  computeOwnDirectories,
  planCgroups,
  planWithoutCgroups,
} from "./cgroups.ts";
import { CLONE_NEWCGROUP, CLONE_NEWNS, CLONE_NEWUSER, MOUNT_ATTR_RDONLY, MS_REC, MS_SLAVE } from "./constants.ts";
import { planDevices } from "./devices.ts";
import { planHostHooks, planInnerHooks } from "./hooks.ts";
import { planNewKeyring } from "./keyring.ts";
import { planLabels, planMountLabel } from "./labels.ts";
import { propagationFlags } from "./mount_options.ts";
import { planMounts } from "./mounts.ts";
import {
  computeCloneFlags,
  computeNamespaces,
  hasNamespace,
  type Namespaces,
  planEntry,
  planIdMaps,
  planLateEntry,
} from "./namespaces.ts";
import type { Operation } from "./operations.ts";
import { cleanPath } from "./paths.ts";
import type { HostFacts, InterfacePlan, LaunchPlan } from "./plan.ts";
import {
  planAnnouncement,
  planCredentials,
  planExecution,
  planResourceLimits,
  planScheduling,
  planTerminal,
} from "./process.ts";
import { invalid, unsupported } from "./refusal.ts";
import { planResctrl } from "./resctrl.ts";
import { checkMappedUser, checkRootless, deniesGroups } from "./rootless.ts";
import { planSeccomp } from "./seccomp.ts";
import { addService, planListenPid, type ServiceOptions } from "./service.ts";
import { planSources, type Sources } from "./sources.ts";
import { planSysctls } from "./sysctl.ts";

/** What the command line decides about a process. */
export type ProcessOptions = {
  /** Keep the caller's session keyring. */
  noNewKeyring: boolean;
  /** How many descriptors from 3 on stay open in the container. */
  preserveFds: number;
  /** We are root, of the host or of our user namespace: we may do for init what it may not do itself. */
  privileged: boolean;
};

export type LaunchOptions = ProcessOptions & {
  /** MS_MOVE and chroot instead of pivot_root (a root on a ramfs). */
  noPivot: boolean;
  cgroupManager: CgroupManager;
  service: ServiceOptions;
};

export type LaunchInput = {
  /** As decodeSpec() accepts it, after policy. */
  spec: Spec;
  id: string;
  /** Absolute, links resolved. */
  bundle: string;
  /** root.path: absolute, links resolved. */
  rootfs: string;
  facts: HostFacts;
  options: LaunchOptions;
};

/**
 * @throws EdgerunError UNSUPPORTED for what this version or this host can't do, CONFIG_INVALID for what contradicts
 * itself; both name the JSON path
 */
export function planLaunch({ spec: asked, id, bundle, rootfs, facts, options }: LaunchInput): LaunchPlan {
  const warnings: string[] = [];
  const spec = addService(asked, options.service, warnings);
  const { process, linux = {} } = spec;
  refuseUnsupported(options);
  const namespaces = computeNamespaces(linux);
  const hasCgroups = options.cgroupManager !== "disabled";
  const directories = hasCgroups ? computeCgroupDirectories(linux, id, facts) : [];
  const cgroups = hasCgroups
    ? planCgroups(linux, directories, facts, warnings)
    : planWithoutCgroups(linux.resources ?? {}, warnings);
  const hooks = planHostHooks(spec);
  const hasHostHooks = hooks.prestart.length + hooks.createRuntime.length > 0;
  const seccomp = linux.seccomp === undefined ? null : planSeccomp(linux.seccomp);
  const rootless = !(options.privileged && facts.initialUserNamespace);
  if ((namespaces.created & CLONE_NEWUSER) !== 0) checkMappedUser(process.user, linux);
  const inUserNamespace = hasNamespace(namespaces, CLONE_NEWUSER);
  const ownMounts = hasNamespace(namespaces, CLONE_NEWNS);
  const sources = planSources(inUserNamespace, options.privileged && (namespaces.created & CLONE_NEWNS) !== 0);
  const mounts = planMounts(spec.mounts ?? [], {
    bundle,
    namespaces,
    facts,
    cgroups: hasCgroups ? directories : computeOwnDirectories(facts),
    mountLabel: planMountLabel(linux, facts),
    linux,
    sources,
    warnings,
  });
  const devices = planDevices(spec, facts.initialUserNamespace && !inUserNamespace, sources);
  const receiveSources = planReceiving(sources);
  const interfaces = planInterfaces(linux);

  // In a user namespace first of all: the host's cgroups can be joined only with the credentials of the start.
  const lateEntry = planCgroupEntry(namespaces, directories);
  const operations: Operation[] = [
    // Beside the host side, which plans what follows and writes the record (planLaunchEntry()).
    ...planEntry(namespaces),
    ...planAnnouncement(process.rlimits ?? [], rootless && (namespaces.created & CLONE_NEWUSER) !== 0),
    ...planRoot(spec, rootfs, ownMounts, options),
    { op: "wait_go" },
    ...(inUserNamespace ? [...lateEntry, ...receiveSources] : []),
    // What the container sees; all of it below the root's descriptor. Beside the host side, which makes cgroups.
    ...mounts.early,
    ...(inUserNamespace ? [] : [...lateEntry, ...receiveSources]),
    ...mounts.operations,
    ...devices,
    ...(interfaces.length > 0 ? [{ op: "host_interfaces" } as const] : []),
    ...(hasHostHooks ? [{ op: "host_hooks" } as const] : []),
    ...planInnerHooks(spec, "createContainer", { id, bundle }),
    // What needs the runtime's own procfs.
    ...planSysctls(linux),
    ...planLabels(process, facts),
    ...planNewKeyring(id, options.noNewKeyring),
    // Nothing is made in the root after this.
    ...planWorkingDirectory(process.cwd),
    ...mounts.late,
    ...(linux.maskedPaths ?? []).map((path) => ({ op: "mask_path", target: cleanPath(path) }) as const),
    ...(linux.readonlyPaths ?? []).map((path) => ({ op: "readonly_path", target: cleanPath(path) }) as const),
    ...planSwitch(spec, ownMounts, options),
    ...planNames(spec),
    ...planTerminal(process, ownMounts),
    ...planScheduling(process, linux),
    ...planCredentials(process, seccomp, options.preserveFds, deniesGroups(linux, facts, options.privileged), warnings),
    ...planListenPid(options.service),
    // After `start`.
    ...planInnerHooks(spec, "startContainer", { id, bundle }),
    ...planExecution(process, seccomp, options.preserveFds),
  ];
  return {
    version: 1,
    cloneFlags: computeCloneFlags(namespaces),
    preserveFds: options.preserveFds,
    cgroups,
    idMaps: planIdMaps(linux, namespaces),
    sources: sources.handed,
    interfaces,
    resctrl: planResctrl(linux, id),
    oomScoreAdj: process.oomScoreAdj ?? null,
    resourceLimits: planResourceLimits(process.rlimits ?? []),
    hooks,
    seccomp,
    operations,
    warnings,
  };
}

/** What a start needs to know first: the new process, and the first operations of planLaunch(), which need nothing else. */
export type EntryPlan = { cloneFlags: number; operations: Operation[] };

/** Plans the entry into the namespaces, beside which the rest can be planned. */
export function planLaunchEntry({ linux = {} }: Spec, privileged: boolean): EntryPlan {
  const namespaces = computeNamespaces(linux);
  if (!privileged) checkRootless(linux, namespaces);
  return { cloneFlags: computeCloneFlags(namespaces), operations: planEntry(namespaces) };
}

/** What config.json may ask for and this version does not carry out. Left out, it would be a weaker container. */
function refuseUnsupported(options: LaunchOptions): void {
  if (options.cgroupManager === "systemd")
    throw unsupported("linux.cgroupsPath", "systemd's cgroups are not in this version");
}

/**
 * Without a mount namespace of its own the container shares the host's mounts: nothing about them may change. Its own
 * are made in a detached clone of its root, which only it has, and which ends with it.
 * The host's mounts are slaves in the new namespace, so that what is unmounted on the host does not live on in here;
 * linux.rootfsPropagation asks for more where it is "shared".
 */
function planRoot(spec: Spec, rootfs: string, ownMounts: boolean, options: LaunchOptions): Operation[] {
  const wanted = spec.linux?.rootfsPropagation;
  if (!ownMounts) {
    if (wanted !== undefined) throw invalid("linux.rootfsPropagation", "needs a mount namespace");
    return [{ op: "open_root", source: rootfs, attach: (spec.mounts ?? []).length > 0 ? 2 : 0, propagation: 0 }];
  }
  if (options.noPivot && (wanted === "private" || wanted === "rprivate")) {
    throw unsupported("linux.rootfsPropagation", `"${wanted}" is not safe without pivot_root`);
  }
  const propagation = wanted === undefined ? 0 : propagationFlags(wanted)!;
  const ofHost = wanted === "shared" || wanted === "rshared" ? propagation | MS_REC : MS_SLAVE | MS_REC;
  return [
    { op: "set_propagation", flags: ofHost },
    { op: "open_root", source: rootfs, attach: 1, propagation },
  ];
}

/**
 * Into the cgroups, and what must come after that. A process in a joined mount namespace may not see the host's
 * cgroups, and one in a joined cgroup namespace may not move out of that: the host side moves it.
 */
function planCgroupEntry(namespaces: Namespaces, directories: readonly CgroupDirectory[]): Operation[] {
  const movesItself = (namespaces.joined & (CLONE_NEWNS | CLONE_NEWCGROUP)) === 0;
  const joins = movesItself ? planCgroupJoins(directories.map(({ path }) => path)) : [];
  return [{ op: "wait_cgroups" }, ...joins, ...planLateEntry(namespaces)];
}

/** After the cgroups are there: they are shown, too, and the host side has nothing else to do then. */
function planReceiving({ handed }: Sources): Operation[] {
  return handed.length === 0 ? [] : [{ op: "receive_sources", count: handed.length }];
}

/** Moving into cgroups, given as host paths. */
export function planCgroupJoins(paths: readonly string[]): Operation[] {
  return paths.map((source) => ({ op: "join_cgroup", source }));
}

function planInterfaces({ netDevices = {} }: Linux): InterfacePlan[] {
  return Object.entries(netDevices).map(([name, { name: newName = "" }]) => ({ name, newName: newName || name }));
}

/** process.cwd is made where it is missing, while the root can still be written to. */
function planWorkingDirectory(cwd: string): Operation[] {
  const target = cleanPath(cwd);
  return target === "/" ? [] : [{ op: "make_directory", target, mode: 0o755 }];
}

function planSwitch({ root }: Spec, ownMounts: boolean, options: LaunchOptions): Operation[] {
  if (!ownMounts) {
    if (root.readonly === true) throw invalid("root.readonly", "needs a mount namespace");
    return [{ op: "chroot" }];
  }
  const operations: Operation[] = [];
  if (root.readonly === true) operations.push({ op: "root_attributes", attributesSet: MOUNT_ATTR_RDONLY });
  operations.push({ op: "pivot_root", noPivot: options.noPivot ? 1 : 0 });
  return operations;
}

function planNames({ hostname = "", domainname = "" }: Spec): Operation[] {
  const operations: Operation[] = [];
  if (hostname !== "") operations.push({ op: "set_hostname", name: hostname });
  if (domainname !== "") operations.push({ op: "set_domainname", name: domainname });
  return operations;
}
