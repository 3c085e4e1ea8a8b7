// SPDX-License-Identifier: Apache-2.0
// What CRIU is told to restore.
import { EdgerunError } from "../errors.ts";
import { parseOwnCgroups } from "../host/facts.ts";
import type { Host } from "../host/functions.ts";
import type { RestoreOptions } from "../lifecycle/options.ts";
import type { Spec } from "../spec/config.ts";
import { type Criu, firstFileDescriptor } from "./criu.ts";
import { type Description, listNamedMounts, mountName } from "./description.ts";
import type { Directories } from "./images.ts";
import { type CriuOptions, type CriuRequest, requestTypes } from "./messages.ts";
import { listSources, readMounts, type Source } from "./outside.ts";
import { commonOptions, listOutsideNamespaces } from "./request.ts";
import { type Restoring, rootPath } from "./restore_steps.ts";
import { readInheritedStdio } from "./stdio.ts";

export const logFile = "restore.log";
/** The first whose --lsm-profile and --lsm-mount-context work. */
const lsmVersion = 31600;
const maxCgroupBytes = 64 << 10;

/** The files to start CRIU with: namespaces of others that the container is put back into, and the null device. */
export function listFiles(spec: Spec, description: Description | null): string[] {
  const namespaces = listOutsideNamespaces(spec).map(({ path }) => path);
  return needsNull(description) ? [...namespaces, "/dev/null"] : namespaces;
}

function needsNull(description: Description | null): description is Description {
  return description !== null && description.nullStdio.length > 0;
}

export function planRequest(restoring: Restoring, criu: Criu, directories: Directories): CriuRequest {
  const { context, options, bundle, description, directory } = restoring;
  const { host } = context;
  const { spec } = bundle;
  requireLsmVersion(criu, options);
  const criuOptions: CriuOptions = {
    ...commonOptions(host, options, spec, logFile),
    root: rootPath(directory),
    restoreSibling: true, // a child of ours, not of CRIU
    evasiveDevices: true,
    tcpClose: options.tcpClose,
    lsmProfile: options.lsmProfile,
    lsmMountContext: options.lsmMountContext,
    cgroupRoots: readCgroupRoots(host, criu.pid),
    joinNamespaces: listJoinedNamespaces(spec),
    inheritDescriptors: [...inheritFiles(spec, description), ...readInheritedStdio(host, directories.images)],
    externalMounts: nameMounts(restoring),
  };
  return { type: requestTypes.restore, options: criuOptions };
}

function requireLsmVersion({ version }: Criu, { lsmProfile, lsmMountContext }: RestoreOptions): void {
  if (version >= lsmVersion) return;
  for (const [flag, value] of [
    ["--lsm-profile", lsmProfile],
    ["--lsm-mount-context", lsmMountContext],
  ] as const) {
    if (value !== undefined) throw new EdgerunError("UNSUPPORTED", `${flag} requires at least CRIU 3.16`);
  }
}

/** Where CRIU is: in the container's cgroups. The container's own are restored below that, whatever they were called. */
function readCgroupRoots(host: Host, pid: number): { ctrl: string; path: string }[] {
  const own = parseOwnCgroups(host.readFile(`/proc/${pid}/cgroup`, maxCgroupBytes));
  return own.map(({ controllers, path }) => ({ ctrl: controllers, path }));
}

/** What listFiles() lists, by the names that the images have for it. */
function inheritFiles(spec: Spec, description: Description | null): { key: string; fd: number }[] {
  const namespaces = listOutsideNamespaces(spec).map(({ key }, index) => ({ key, fd: firstFileDescriptor + index }));
  if (!needsNull(description)) return namespaces;
  const fd = firstFileDescriptor + namespaces.length;
  return [...namespaces, ...description.nullStdio.map((key) => ({ key, fd }))];
}

/** Joined namespaces of the kinds that are in the images; CRIU leaves those out that it is told to join. */
function listJoinedNamespaces(spec: Spec): { ns: string; nsFile: string }[] {
  const joined: { ns: string; nsFile: string }[] = [];
  for (const { type, path } of spec.linux?.namespaces ?? []) {
    if (path !== undefined && (type === "ipc" || type === "uts" || type === "user")) {
      joined.push({ ns: type, nsFile: path });
    }
  }
  return joined;
}

/** The host path of each mount that the images have by name only. */
function nameMounts(restoring: Restoring): { key: string; val: string }[] {
  const { context, plan, description, record } = restoring;
  const { host } = context;
  const sources = listSources(host, readMounts(host, "self"), record, plan.operations);
  if (description === null) return nameForeignMounts(sources);
  const named = new Map<string, string>();
  for (const mount of listNamedMounts(description.mounts)) {
    const { target, below } = mount.origin!;
    const source = sources.find(({ origin }) => origin.target === target && origin.below === below);
    if (source === undefined) {
      throw new EdgerunError(
        "CONFIG_INVALID",
        `config.json: $.mounts: nothing to mount at "${mount.point}", where the checkpoint has what was at "${target}${below}"`,
      );
    }
    named.set(mountName(mount), source.hostPath);
  }
  return [...named].map(([key, val]) => ({ key, val }));
}

/** Images of another runtime name a mount by its destination. */
function nameForeignMounts(sources: readonly Source[]): { key: string; val: string }[] {
  const mounts = sources
    .filter(({ origin }) => origin.target.startsWith("/") && origin.below === "")
    .map(({ origin, hostPath }) => ({ key: origin.target, val: hostPath }));
  return [...mounts, { key: "/dev/null", val: "/dev/null" }];
}
