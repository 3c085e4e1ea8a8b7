// SPDX-License-Identifier: Apache-2.0
// `exec`: another process in a running container.
import { EdgerunError, wrap } from "../errors.ts";
import { readHostFacts } from "../host/facts.ts";
import type { Host } from "../host/functions.ts";
import { planExec } from "../plan/exec.ts";
import { listUnenforcedLabels } from "../plan/labels.ts";
import type { LaunchPlan } from "../plan/plan.ts";
import type { Capabilities, Process, Spec } from "../spec/config.ts";
import { decodeProcess } from "../spec/decode.ts";
import { readEffectiveConfig } from "../state/effective_config.ts";
import type { ContainerRecord } from "../state/record.ts";
import { computeStatus } from "../state/status.ts";
import { lockDirectory, readRecord, unlockDirectory } from "../state/store.ts";
import { refuseUnenforced } from "./bundle.ts";
import { forksBeforeGo, handTerminalOver, prepareProcess, sendPidfd, writePidFile } from "./create.ts";
import { findExecCgroups } from "./exec_cgroups.ts";
import { hookState } from "./hooks.ts";
import {
  abandonInit,
  announcesItself,
  awaitAnnouncement,
  awaitFork,
  awaitReady,
  fillSeccomp,
  type InitProcess,
  launchInit,
  startProgram,
  tellInit,
} from "./init.ts";
import type { Context, ExecOptions } from "./options.ts";
import { sendListener } from "./seccomp_agent.ts";
import { checkDescriptors } from "./service_manager.ts";

const maxProcessBytes = 4 << 20;

/** Runs the process; in the foreground returns its exit code, detached 0. */
export function exec(context: Context, options: ExecOptions): number {
  const { host } = context;
  checkDescriptors(host, 0, options.preserveFds);
  const { init, terminalFd } = launchProcess(context, options);
  if (options.detach) return 0;
  return host.superviseProcess(init.pid, init.pidfd, terminalFd, -1, "");
}

/** Under the container's lock: the process is in the container, and started, or nothing is left of it. */
function launchProcess(context: Context, options: ExecOptions): { init: InitProcess; terminalFd: number } {
  const { host, root, log } = context;
  const directory = lockDirectory(host, root, options.id);
  try {
    const record = readRecord(host, root, options.id);
    checkExecutable(host, root, record, options.ignorePaused);
    const { spec, grants } = readEffectiveConfig(host, directory);
    const asked = readProcess(context, options, spec);
    const process = grants === null ? asked : context.lifecycle.limitProcess(asked, grants);
    checkTerminal(process, options);
    const facts = readHostFacts(host);
    refuseUnenforced(listUnenforcedLabels(process, {}, facts));
    const plan = planExec({
      spec,
      process,
      id: record.id,
      initPid: record.pid,
      cgroups: findExecCgroups(host, record, options.cgroups, facts),
      facts,
      options: { noNewKeyring: record.noNewKeyring, preserveFds: options.preserveFds, privileged: record.owner === 0 },
    });
    for (const warning of plan.warnings) log.debug(warning);
    return startInContainer(context, plan, record, options);
  } finally {
    unlockDirectory(host, directory);
  }
}

function checkExecutable(host: Host, root: string, record: ContainerRecord, ignorePaused: boolean): void {
  const status = computeStatus(host, root, record);
  if (status === "stopped" || status === "creating") {
    throw new EdgerunError("CONTAINER_STATE", "cannot exec in a stopped container");
  }
  if (status === "paused" && !ignorePaused) {
    throw new EdgerunError("CONTAINER_STATE", "cannot exec in a paused container (use --ignore-paused to override)");
  }
}

function checkTerminal(process: Process, options: ExecOptions): void {
  const hasSocket = options.consoleSocket !== undefined;
  if (options.detach && process.terminal === true && !hasSocket) {
    throw new EdgerunError("USAGE", "cannot allocate tty if edgerun will detach without setting console socket");
  }
  if (hasSocket && !(options.detach && process.terminal === true)) {
    throw new EdgerunError("USAGE", "cannot use console socket if edgerun will not detach or allocate tty");
  }
}

/** A process.json decides alone; otherwise it is the container's own process, changed by the flags. */
function readProcess(context: Context, options: ExecOptions, spec: Spec): Process {
  const { host, log } = context;
  if (options.process !== undefined) {
    const { process, warnings } = decodeProcess(host.readJson(options.process, maxProcessBytes), options.process);
    for (const warning of warnings) log.warn(warning);
    return process;
  }
  if (options.args.length === 0) throw new EdgerunError("USAGE", "process args cannot be empty");
  const base = spec.process;
  const user = { ...base.user };
  if (options.user !== undefined) {
    user.uid = options.user.uid;
    if (options.user.gid !== undefined) user.gid = options.user.gid;
  }
  if (options.additionalGids.length > 0) {
    user.additionalGids = [...(user.additionalGids ?? []), ...options.additionalGids];
  }
  const process: Process = {
    ...base,
    args: options.args,
    env: [...(base.env ?? []), ...options.env],
    user,
    terminal: options.tty ?? false,
  };
  delete process.consoleSize;
  if (options.cwd !== undefined) process.cwd = options.cwd;
  if (options.noNewPrivs !== undefined) process.noNewPrivileges = options.noNewPrivs;
  if (options.apparmor !== undefined) process.apparmorProfile = options.apparmor;
  if (options.processLabel !== undefined) process.selinuxLabel = options.processLabel;
  if (options.caps.length > 0) process.capabilities = addCapabilities(base.capabilities ?? {}, options.caps);
  return decodeProcess(process as Parameters<typeof decodeProcess>[0], "exec").process;
}

/** Added to what the process may use; never inheritable or ambient, which the flag does not say (CVE-2022-29162). */
function addCapabilities(base: Capabilities, names: readonly string[]): Capabilities {
  const added = (set: readonly string[] | undefined) => [...(set ?? []), ...names];
  return {
    ...base,
    bounding: added(base.bounding),
    effective: added(base.effective),
    permitted: added(base.permitted),
  };
}

function startInContainer(
  context: Context,
  plan: LaunchPlan,
  record: ContainerRecord,
  options: ExecOptions,
): { init: InitProcess; terminalFd: number } {
  const { host } = context;
  let init = launchInit(host, fillSeccomp(context, plan), plan.cloneFlags, plan.preserveFds);
  let terminalFd = -1;
  try {
    if (forksBeforeGo(plan.operations)) init = awaitFork(host, init);
    if (announcesItself(plan.operations)) awaitAnnouncement(host, init);
    prepareProcess(context, init, plan);
    if (plan.resctrl !== null) {
      const special = context.lifecycle.special();
      special.joinResctrlGroup(host, special.findResctrl(host), plan.resctrl, init.pid);
    }
    tellInit(host, init, "go", init.pid);
    awaitReady(host, init, {
      runHooks: () => {
        throw new EdgerunError("INIT", "an exec'd process has no hooks");
      },
      handSources: () => {
        throw new EdgerunError("INIT", "an exec'd process has no mounts");
      },
      moveInterfaces: () => {
        throw new EdgerunError("INIT", "an exec'd process has no network interfaces");
      },
      takeTerminal: (masterFd) => {
        terminalFd = handTerminalOver(host, options.consoleSocket, masterFd);
      },
      giveListener: (listenerFd) => {
        sendListener(host, plan.seccomp, listenerFd, init.pid, hookState(record, "running"));
      },
    });
    sendPidfd(host, options.pidfdSocket, init.pidfd, "setns");
    startProgram(host, init.controlFd);
    writePidFile(host, options.pidFile, init.pid);
    return { init, terminalFd };
  } catch (error) {
    abandonInit(host, init);
    throw wrap("unable to start container process", error);
  }
}
