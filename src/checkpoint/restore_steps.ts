// SPDX-License-Identifier: Apache-2.0
// What a restore does beside CRIU: before it, and at the stages that CRIU tells of.
import { readHostFacts } from "../host/facts.ts";
import type { Host } from "../host/functions.ts";
import type { Bundle } from "../lifecycle/bundle.ts";
import { createCgroups, joinCgroups } from "../lifecycle/cgroups.ts";
import { hookState, runHooks } from "../lifecycle/hooks.ts";
import { abandonInit, awaitReady, launchInit } from "../lifecycle/init.ts";
import type { MovedInterfaces } from "../lifecycle/interfaces.ts";
import type { Context, RestoreOptions } from "../lifecycle/options.ts";
import type { Parts } from "../lifecycle/parts.ts";
import type { Notifications } from "../lifecycle/service_manager.ts";
import { computeOwnDirectories } from "../plan/cgroups.ts";
import { CLONE_NEWNET, CLONE_NEWNS } from "../plan/constants.ts";
import { planMountPoints } from "../plan/mount_points.ts";
import type { Operation } from "../plan/operations.ts";
import type { CgroupPlan, LaunchPlan } from "../plan/plan.ts";
import type { Spec } from "../spec/config.ts";
import { findNamespace } from "../spec/linux.ts";
import type { ContainerRecord } from "../state/record.ts";
import { type StateDirectory, updateRecord } from "../state/store.ts";
import type { Criu, Notification } from "./criu.ts";
import type { Description } from "./description.ts";
import { listSources, readMounts } from "./outside.ts";
import { verifyMounts } from "./verify_mounts.ts";

/** A restore that is under way. */
export type Restoring = {
  context: Context;
  launch: ReturnType<Parts["launch"]>;
  options: RestoreOptions;
  bundle: Bundle;
  plan: LaunchPlan;
  /** null: the images are of another runtime. */
  description: Description | null;
  directory: StateDirectory;
  /** pid and startTime are filled in when there is a process. */
  record: ContainerRecord;
  criu: Criu | undefined;
  /** Network interfaces that go back if the restore fails. */
  moved: MovedInterfaces | undefined;
  notifications: Notifications;
  /** The terminal's master in the foreground; -1 where there is none. */
  terminalFd: number;
  pidfd: number;
};

/** Where CRIU finds the root file system, in its own mount namespace; on the host an empty directory. */
export function rootPath(directory: StateDirectory): string {
  return `${directory.path}/root`;
}

const processLimit = "pids.max";

/** CRIU needs processes of its own in the container's cgroups while it works, more than the container may be allowed. */
export function withoutProcessLimit(cgroup: CgroupPlan): CgroupPlan {
  return { ...cgroup, writes: cgroup.writes.filter(({ file }) => file !== processLimit) };
}

/** Sets the limit that was left out, after CRIU has gone back to where it came from: it has programs to run still. */
function limitProcesses({ context, plan, criu }: Restoring): void {
  const { host } = context;
  const own = computeOwnDirectories(readHostFacts(host));
  plan.cgroups.forEach(({ path, controllers, writes }, index) => {
    const limits = writes.filter(({ file }) => file === processLimit);
    if (limits.length === 0) return;
    joinCgroups(host, [own[index]!.path], criu!.pid);
    createCgroups(host, [{ path, controllers, inherit: [], writes: limits }]);
  });
}

/** Makes what a start would make in the root file system, by a process that goes away with all that it mounts. */
export function makeMountPoints(host: Host, operations: readonly Operation[]): void {
  runOperations(host, planMountPoints(operations));
}

function runOperations(host: Host, operations: readonly Operation[]): void {
  const init = launchInit(host, operations, 0, 0);
  try {
    awaitReady(host, init, {
      runHooks: doNothing,
      handSources: doNothing,
      moveInterfaces: doNothing,
      takeTerminal: doNothing,
      giveListener: doNothing,
    });
  } finally {
    abandonInit(host, init);
  }
}

function doNothing(): void {}

/** Each is answered when this returns; an exception ends the restore. */
export function handleNotification(restoring: Restoring, { script, pid, fd }: Notification): void {
  const { context, launch, options } = restoring;
  switch (script) {
    case "setup-namespaces":
      setUpNamespaces(restoring, pid);
      break;
    case "orphan-pts-master":
      restoring.terminalFd = launch.handTerminalOver(context.host, options.consoleSocket, fd);
      break;
    case "post-restore":
      recordProcesses(restoring, pid);
      break;
  }
}

/** The first process is in its namespaces, and holds nothing yet: sockets are made when this is done. */
function setUpNamespaces(restoring: Restoring, pid: number): void {
  const { context, bundle, plan, directory, record } = restoring;
  const { host, lifecycle } = context;
  identifyProcess(host, record, pid);
  const enter: Operation = { op: "join_namespaces", types: [CLONE_NEWNET], sources: [`/proc/${pid}/ns/net`] };
  const isNewNetwork = createsNetwork(bundle.spec);
  if (isNewNetwork) runOperations(host, [enter, { op: "bring_loopback_up" }, { op: "ready" }]);
  if (plan.interfaces.length > 0) restoring.moved = lifecycle.special().moveInterfaces(host, plan.interfaces, pid);
  runHooks(host, "prestart", plan.hooks.prestart, hookState(record, "created"));
  runHooks(host, "createRuntime", plan.hooks.createRuntime, hookState(record, "creating"));
  const sysctls = plan.operations.filter(isNetworkSysctl);
  if (isNewNetwork && sysctls.length > 0) runOperations(host, [enter, ...sysctls, { op: "ready" }]);
  const { network } = bundle.authorization;
  if (network !== null) lifecycle.connectNetwork(context, directory, record, network);
}

function createsNetwork({ linux = {} }: Spec): boolean {
  const network = findNamespace(linux, "network");
  return network !== undefined && network.path === undefined;
}

/** Those of other namespaces are in the images. */
function isNetworkSysctl(operation: Operation): boolean {
  return operation.op === "set_sysctl" && operation.path.startsWith("net/");
}

/** Everything is there, and still stopped. */
function recordProcesses(restoring: Restoring, pid: number): void {
  const { context, launch, bundle, plan, description, directory, record } = restoring;
  const { host } = context;
  setRootAttributes(host, plan.operations, pid);
  if (description !== null) {
    const sources = listSources(host, readMounts(host, "self"), record, plan.operations);
    verifyMounts(readMounts(host, pid), description.mounts, sources);
  }
  limitProcesses(restoring);
  identifyProcess(host, record, pid);
  record.phase = "created";
  launch.writeEffectiveConfig(host, directory, {
    spec: withTimeNamespace(host, bundle.spec, pid),
    grants: bundle.authorization.grants,
  });
  updateRecord(host, directory, record);
}

/**
 * CRIU makes the root mount anew, without the attributes that it had: a root that was read-only would be writable. Open
 * files that had been removed are back, so nothing has to be made in it any more.
 */
function setRootAttributes(host: Host, operations: readonly Operation[], pid: number): void {
  const attributes = operations.filter(({ op }) => op === "root_attributes");
  if (attributes.length === 0) return;
  runOperations(host, [
    { op: "join_namespaces", types: [CLONE_NEWNS], sources: [`/proc/${pid}/ns/mnt`] },
    { op: "open_root", source: "/", attach: 0, propagation: 0 },
    ...attributes,
    { op: "ready" },
  ]);
}

function identifyProcess(host: Host, record: ContainerRecord, pid: number): void {
  record.pid = pid;
  record.startTime = host.processInfo(pid)?.[0] ?? 0;
}

/** CRIU puts processes into a time namespace, so that their clocks go on; those of `exec` belong there, too. */
function withTimeNamespace(host: Host, spec: Spec, pid: number): Spec {
  const { linux = {} } = spec;
  const own = host.fileInfo("/proc/self/ns/time", 1);
  const restored = host.fileInfo(`/proc/${pid}/ns/time`, 1);
  if (own?.[5] === restored?.[5] || findNamespace(linux, "time") !== undefined) return spec;
  return { ...spec, linux: { ...linux, namespaces: [...(linux.namespaces ?? []), { type: "time" }] } };
}
