// SPDX-License-Identifier: Apache-2.0
// Creating a container: what `create` and `run` have in common.
import { rfc3339 } from "../cli/time.ts";
import { EdgerunError, wrap } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import { planLaunchEntry } from "../plan/launch.ts";
import type { LaunchPlan } from "../plan/plan.ts";
import type { Spec } from "../spec/config.ts";
import { writeEffectiveConfig } from "../state/effective_config.ts";
import type { ContainerRecord } from "../state/record.ts";
import { readBootId } from "../state/status.ts";
import {
  claimDirectory,
  notifyDirectoryPath,
  removeDirectory,
  type StateDirectory,
  startSocketPath,
  unlockDirectory,
  updateRecord,
  writeIntent,
} from "../state/store.ts";
import { writeStoredManifest } from "../state/stored_manifest.ts";
import { type Bundle, planBundle, readBundle } from "./bundle.ts";
import { checkCgroupsAreFree, createCgroups, joinCgroups } from "./cgroups.ts";
import { hookState, runHooks } from "./hooks.ts";
import { writeIdMaps } from "./id_maps.ts";
import {
  abandonInit,
  announcesItself,
  awaitAnnouncement,
  awaitFork,
  awaitReady,
  fillSeccomp,
  type InitProcess,
  launchInit,
  sendPlan,
  tellInit,
} from "./init.ts";
import type { MovedInterfaces } from "./interfaces.ts";
import type { Context, CreateOptions } from "./options.ts";
import { sendListener } from "./seccomp_agent.ts";
import { checkDescriptors, readServiceManager, type ServiceManager } from "./service_manager.ts";
import { handSources } from "./sources.ts";
import { listTeardown, runEach } from "./teardown.ts";

/** A container that is set up and waits for its start. */
export type Created = {
  directory: StateDirectory;
  record: ContainerRecord;
  init: InitProcess;
  /** The terminal's master for a foreground `run`; -1 where there is none, or where its owner has it. */
  terminalFd: number;
  /** Network interfaces that go back if the creation fails. */
  moved?: MovedInterfaces;
};

/** `create`: leaves the container waiting for `start`. */
export function create(context: Context, options: CreateOptions): number {
  const { host } = context;
  const service = readServiceManager(context.request);
  checkDescriptors(host, service.listenFds, options.preserveFds);
  const bundle = readBundle(context, options);
  checkTerminal(bundle.spec, options, true);
  const created = createContainer(context, options, bundle, service, true);
  unlockDirectory(host, created.directory);
  return 0;
}

/** A terminal needs somebody who holds its master: the caller's socket, or ourselves in the foreground. */
export function checkTerminal(spec: Spec, options: { consoleSocket: string | undefined }, detach: boolean): void {
  const terminal = spec.process.terminal === true;
  const socket = options.consoleSocket !== undefined;
  if (terminal && detach && !socket) {
    throw new EdgerunError("USAGE", "cannot allocate tty if edgerun will detach without setting console socket");
  }
  if (socket && !(terminal && detach)) {
    throw new EdgerunError("USAGE", "cannot use console socket if edgerun will not detach or allocate tty");
  }
}

/**
 * Sets a container up to the point where it waits for its start. On failure nothing is left of it.
 * @param waitForStart a later `start` will start it; otherwise the caller does
 */
export function createContainer(
  context: Context,
  options: CreateOptions,
  bundle: Bundle,
  service: ServiceManager,
  waitForStart: boolean,
): Created {
  const { host, root } = context;
  const preserveFds = service.listenFds + options.preserveFds;
  const notifyDirectory = service.notifyAddress === "" ? "" : notifyDirectoryPath(root, options.id);
  // Init enters its namespaces while the rest is planned and recorded, and mounts while the cgroups are made.
  const entry = planLaunchEntry(bundle.spec, context.request.uid === 0);
  const init = launchInit(host, [...entry.operations, { op: "receive_plan" }], entry.cloneFlags, preserveFds);
  let plan: LaunchPlan;
  let record: ContainerRecord;
  let directory: StateDirectory;
  try {
    plan = planBundle(context, bundle, { ...options, preserveFds, service: { ...service, notifyDirectory } });
    record = newRecord(context, options, bundle, plan);
    directory = claimContainer(context, options.id, plan);
  } catch (error) {
    abandonInit(host, init);
    throw error;
  }
  const created: Created = { directory, record, init, terminalFd: -1 };
  try {
    if (notifyDirectory !== "") host.makeDirectory(notifyDirectory, 0o755);
    const startSocket = waitForStart ? startSocketPath(directory) : "";
    sendPlan(host, init, fillSeccomp(context, plan).slice(entry.operations.length), startSocket);
    if (forksBeforeGo(plan.operations)) created.init = awaitFork(host, init);
    identifyProcess(host, record, created.init);
    // `run` starts the process itself, or takes it along when it is killed: there is no phase in between to record.
    if (!waitForStart) record.phase = "created";
    if (bundle.authorization.network !== null) record.link = context.lifecycle.chooseLink(context, record.id);
    claimResctrl(context, plan, record);
    writeIntent(host, directory, record);
    if (announcesItself(plan.operations)) awaitAnnouncement(host, created.init);
    setUp(context, options, bundle, plan, created);
    if (waitForStart) {
      record.phase = "created";
      updateRecord(host, directory, record);
    }
    writePidFile(host, options.pidFile, created.init.pid);
    sendPidfd(host, options.pidfdSocket, created.init.pidfd, "standard");
    created.moved?.keep();
    return created;
  } catch (error) {
    undoCreate(context, created);
    throw wrap("unable to start container process", error);
  }
}

/** The id, and the right to the plan's cgroups. On failure nothing is left. */
export function claimContainer({ host, request, root }: Context, id: string, plan: LaunchPlan): StateDirectory {
  const directory = claimDirectory(host, request, root, id);
  try {
    checkCgroupsAreFree(host, plan.cgroups);
  } catch (error) {
    removeDirectory(host, directory); // and not the cgroups: they are somebody else's
    unlockDirectory(host, directory);
    throw error;
  }
  return directory;
}

function claimResctrl({ host, lifecycle }: Context, { resctrl }: LaunchPlan, record: ContainerRecord): void {
  if (resctrl === null) return;
  const special = lifecycle.special();
  record.resctrl = special.claimResctrlGroup(host, special.findResctrl(host), resctrl);
}

function joinResctrl({ host, lifecycle }: Context, { resctrl }: LaunchPlan, pid: number): void {
  if (resctrl === null) return;
  const special = lifecycle.special();
  special.makeResctrlGroup(host, special.findResctrl(host), resctrl, pid);
}

/** Everything with effects, up to the point where the process waits for its start. */
function setUp(context: Context, options: CreateOptions, bundle: Bundle, plan: LaunchPlan, created: Created): void {
  const { host } = context;
  const { directory, record, init } = created;
  const { manifest, grants } = bundle.authorization;
  manifest?.commit();
  prepareProcess(context, init, plan);
  tellInit(host, init, "go", init.pid);
  makeCgroups(host, init, plan);
  joinResctrl(context, plan, init.pid);
  if (manifest !== null) writeStoredManifest(host, directory, manifest.text);
  writeEffectiveConfig(host, directory, { spec: bundle.spec, grants });
  awaitReady(host, init, {
    runHooks: () => {
      // They were part of `start` when they had a meaning of their own (runtime-spec 1.0).
      runHooks(host, "prestart", plan.hooks.prestart, hookState(record, "created"));
      runHooks(host, "createRuntime", plan.hooks.createRuntime, hookState(record, "creating"));
    },
    handSources: () => handSources(host, init, plan),
    moveInterfaces: () => {
      created.moved = context.lifecycle.special().moveInterfaces(host, plan.interfaces, init.pid);
    },
    takeTerminal: (masterFd) => {
      created.terminalFd = handTerminalOver(host, options.consoleSocket, masterFd);
    },
    giveListener: (listenerFd) => {
      sendListener(host, plan.seccomp, listenerFd, record.pid, hookState(record, "creating"));
    },
  });
  const { network } = bundle.authorization;
  if (network !== null) context.lifecycle.connectNetwork(context, directory, record, network);
}

/** The first record of a container: nothing runs in it yet. */
export function newRecord(
  context: Context,
  options: Pick<CreateOptions, "id" | "noNewKeyring">,
  bundle: Bundle,
  plan: LaunchPlan,
): ContainerRecord {
  const { host, request } = context;
  const [seconds = 0, nanoseconds = 0] = host.clock();
  const { spec, authorization } = bundle;
  return {
    version: 1,
    id: options.id,
    ociVersion: spec.ociVersion,
    bundle: bundle.bundle,
    rootfs: bundle.rootfs,
    created: rfc3339(seconds, nanoseconds),
    owner: request.uid,
    bootId: readBootId(host),
    phase: "creating",
    pid: 0,
    startTime: 0,
    sharesPidNamespace: !ownsPidNamespace(spec),
    noNewKeyring: options.noNewKeyring,
    cgroups: plan.cgroups.map(({ path }) => path),
    freezer: findFreezerFile(plan),
    poststart: plan.hooks.poststart,
    poststop: plan.hooks.poststop,
    annotations: spec.annotations ?? {},
    manifestDigest: authorization.manifest?.digest ?? "",
    manifestKeyIds: authorization.manifest?.keyIds ?? [],
  };
}

function findFreezerFile({ cgroups }: LaunchPlan): string {
  const cgroup = cgroups.find(({ controllers, unified }) => unified !== undefined || controllers.includes("freezer"));
  if (cgroup === undefined) return "";
  return `${cgroup.path}/${cgroup.unified === undefined ? "freezer.state" : "cgroup.freeze"}`;
}

function ownsPidNamespace(spec: Spec): boolean {
  return (spec.linux?.namespaces ?? []).some(({ type, path }) => type === "pid" && path === undefined);
}

/** A joined pid namespace is entered by a fork, which the plan has before its wait for `go`. */
export function forksBeforeGo(operations: LaunchPlan["operations"]): boolean {
  for (const { op } of operations) {
    if (op === "fork") return true;
    if (op === "wait_go") return false;
  }
  return false;
}

function identifyProcess(host: Host, record: ContainerRecord, init: InitProcess): void {
  record.pid = init.pid;
  record.startTime = host.processInfo(init.pid)?.[0] ?? 0;
}

/** Makes the cgroups and lets init join them; where it can't see them, moves it. */
function makeCgroups(host: Host, init: InitProcess, plan: LaunchPlan): void {
  createCgroups(host, plan.cgroups);
  if (!plan.operations.some(({ op }) => op === "join_cgroup")) {
    joinCgroups(
      host,
      plan.cgroups.map(({ path }) => path),
      init.pid,
    );
  }
  tellInit(host, init, "cgroups", 0);
}

/**
 * What only the host side can do for the process: the id maps of its user namespace, its OOM score, and
 * its resource limits, which a process in a user namespace can't raise. While it still has our uid: another's takes
 * CAP_SYS_RESOURCE (prlimit(2)).
 */
export function prepareProcess({ host, request }: Context, init: InitProcess, plan: LaunchPlan): void {
  const { idMaps, oomScoreAdj, resourceLimits } = plan;
  if (idMaps !== null) writeIdMaps(host, request, init.pid, idMaps);
  if (oomScoreAdj !== null) {
    try {
      host.writeFile(`/proc/${init.pid}/oom_score_adj`, String(oomScoreAdj));
    } catch (error) {
      throw wrap(`cannot set the OOM score adjustment ${oomScoreAdj}`, error);
    }
  }
  for (const { type, resource, soft, hard } of resourceLimits) {
    try {
      host.setResourceLimit(init.pid, resource, soft.toString(), hard.toString());
    } catch (error) {
      throw wrap(`cannot set ${type} to soft ${soft}, hard ${hard}`, error);
    }
  }
}

/** Sends the master to the console socket; without one it stays with us. */
export function handTerminalOver(host: Host, consoleSocket: string | undefined, masterFd: number): number {
  if (consoleSocket === undefined) {
    host.prepareTerminal(masterFd);
    return masterFd;
  }
  host.sendDescriptor(consoleSocket, masterFd, "/dev/ptmx");
  host.closeFd(masterFd);
  return -1;
}

/** For a caller that wants to hold the process itself, not its number; the texts are runc's. */
export function sendPidfd(host: Host, socket: string | undefined, pidfd: number, text: "standard" | "setns"): void {
  if (socket !== undefined) host.sendDescriptor(socket, pidfd, text);
}

/** The pid in decimal, without a newline: engines read exactly that. */
export function writePidFile(host: Host, path: string | undefined, pid: number): void {
  if (path !== undefined) host.replaceFile(path, String(pid), 0o644, 0);
}

/** Takes everything back that a failed creation did. */
function undoCreate(context: Context, { directory, record, init, moved }: Created): void {
  const { host } = context;
  runEach(context, `undoing the creation of "${record.id}"`, [
    () => moved?.undo(),
    () => abandonInit(host, init),
    ...listTeardown(context, directory, record),
    () => unlockDirectory(host, directory),
  ]);
}
