// SPDX-License-Identifier: Apache-2.0
// What CRIU is told in the same way at a checkpoint and at a restore.
import { EdgerunError } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import type { CriuFlags } from "../lifecycle/options.ts";
import { CLONE_NEWNET } from "../plan/constants.ts";
import type { NamespaceType, Spec } from "../spec/config.ts";
import { findNamespace } from "../spec/linux.ts";
import { imagesDescriptor, workDescriptor } from "./criu.ts";
import { type CriuOptions, cgroupModes, networkLocks } from "./messages.ts";

const configAnnotation = "org.criu.config";
/** The first that is there counts: hosts that were set up for runc have the second. */
const configFiles = ["/etc/criu/edgerun.conf", "/etc/criu/runc.conf"];
/** Everything that CRIU has to say: its log is the only way to learn why it failed. */
const logLevel = 4;

export function commonOptions(host: Host, flags: CriuFlags, spec: Spec, logFile: string): CriuOptions {
  return {
    imagesDirFd: imagesDescriptor,
    workDirFd: workDescriptor,
    logLevel,
    logFile,
    notifyScripts: true,
    orphanPtsMaster: true,
    manageCgroups: true,
    manageCgroupsMode: cgroupModes[flags.manageCgroupsMode],
    // A network namespace comes back empty: its devices are those of whoever configures it, by hooks for example.
    emptyNamespaces: CLONE_NEWNET,
    tcpEstablished: flags.tcpEstablished,
    extUnixSk: flags.extUnixSk,
    shellJob: flags.shellJob,
    fileLocks: flags.fileLocks,
    autoDedup: flags.autoDedup,
    lazyPages: flags.lazyPages,
    networkLock: flags.networkLock === undefined ? undefined : networkLocks[flags.networkLock],
    configFile: findConfigFile(host, spec),
  };
}

/** A file whose settings take precedence over ours: the one that the annotation names; empty: none. */
function findConfigFile(host: Host, spec: Spec): string | undefined {
  const named = spec.annotations?.[configAnnotation];
  if (named !== undefined) return named === "" ? undefined : named;
  return configFiles.find((path) => host.fileInfo(path, 1) !== null);
}

/** On an enrolled host the bundle has no say in how CRIU works. @throws EdgerunError DENIED */
export function refuseConfigAnnotation(spec: Spec): void {
  if (spec.annotations?.[configAnnotation] === undefined) return;
  throw new EdgerunError(
    "DENIED",
    `config.json: $.annotations["${configAnnotation}"]: a manifest can't grant it: criu is configured by ${configFiles[0]} alone`,
  );
}

/** Namespaces that CRIU can put a container back into by a descriptor. */
const inheritable: readonly NamespaceType[] = ["network", "pid"];

/** Namespaces of others, which the container joined and a checkpoint leaves out. */
export type OutsideNamespace = { key: string; procName: string; path: string };

export function listOutsideNamespaces(spec: Spec): OutsideNamespace[] {
  const outside: OutsideNamespace[] = [];
  for (const type of inheritable) {
    const path = findNamespace(spec.linux ?? {}, type)?.path;
    // The keys are those of runc and crun: the images can be exchanged.
    if (path !== undefined && type === "network") outside.push({ key: "extRootNetNS", procName: "net", path });
    if (path !== undefined && type === "pid") outside.push({ key: "extRootPidNS", procName: "pid", path });
  }
  return outside;
}

/** What CRIU can't carry over, and would leave out without a word. @throws EdgerunError UNSUPPORTED with the JSON path */
export function refuseUnsupported(spec: Spec): void {
  const { linux = {}, process } = spec;
  if (findNamespace(linux, "mount") === undefined) {
    throw unsupported("linux.namespaces", "a container without a mount namespace of its own");
  }
  for (const type of ["mount", "cgroup", "time"] as const) {
    if (findNamespace(linux, type)?.path !== undefined) {
      throw unsupported("linux.namespaces", `a container in a joined ${type} namespace`);
    }
  }
  if (process.ioPriority !== undefined) throw unsupported("process.ioPriority", "an I/O priority");
  if (linux.memoryPolicy !== undefined) throw unsupported("linux.memoryPolicy", "a memory policy");
  if (linux.intelRdt !== undefined) throw unsupported("linux.intelRdt", "a resctrl group");
  if (linux.seccomp?.listenerPath !== undefined) throw unsupported("linux.seccomp.listenerPath", "a seccomp listener");
}

function unsupported(path: string, what: string): EdgerunError {
  return new EdgerunError("UNSUPPORTED", `config.json: $.${path}: ${what} can't be checkpointed or restored`);
}
