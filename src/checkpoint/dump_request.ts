// SPDX-License-Identifier: Apache-2.0
// What CRIU is told to save.
import { readHostFacts } from "../host/facts.ts";
import type { Host } from "../host/functions.ts";
import type { CheckpointOptions, Context } from "../lifecycle/options.ts";
import { planLaunch } from "../plan/launch.ts";
import type { Operation } from "../plan/operations.ts";
import { noService } from "../plan/service.ts";
import type { Spec } from "../spec/config.ts";
import type { ContainerRecord } from "../state/record.ts";
import { notifyDirectoryPath } from "../state/store.ts";
import { type DescribedMount, describeMounts, listNamedMounts, mountName } from "./description.ts";
import { type CriuOptions, type CriuRequest, requestTypes } from "./messages.ts";
import { type MountEntry, parseMounts } from "./mount_table.ts";
import { listSources, readMountinfo, readMounts } from "./outside.ts";
import { commonOptions, listOutsideNamespaces } from "./request.ts";
import { describeStdio, type Stdio } from "./stdio.ts";

export const logFile = "dump.log";

/** A container that is to be saved. */
export type Dump = { context: Context; options: CheckpointOptions; record: ContainerRecord; spec: Spec };

/** A request, and what it says of the container. */
export type DumpPlan = {
  request: CriuRequest;
  /** As it was read: what is saved must still be so. */
  mountinfo: string;
  mounts: DescribedMount[];
  stdio: Stdio;
};

/** Memory only: no file is looked at. */
export function planPreDump(dump: Dump): CriuRequest {
  return { type: requestTypes.preDump, options: { ...dumpOptions(dump), external: describeNamespaces(dump) } };
}

/** @throws EdgerunError UNSUPPORTED for a mount that could not be restored as it is */
export function planDump(dump: Dump): DumpPlan {
  const { host } = dump.context;
  const { pid } = dump.record;
  const mountinfo = readMountinfo(host, pid);
  const entries = parseMounts(mountinfo);
  const hostEntries = readMounts(host, "self");
  const mounts = describeContainerMounts(dump, entries, hostEntries);
  const stdio = describeStdio(host, pid, entries, hostEntries);
  const options: CriuOptions = {
    ...dumpOptions(dump),
    external: [...describeNamespaces(dump), ...stdio.external],
    externalMounts: listNamedMounts(mounts).map((mount) => ({ key: mount.point, val: mountName(mount) })),
  };
  return { request: { type: requestTypes.dump, options }, mountinfo, mounts, stdio };
}

function dumpOptions({ context, options, record, spec }: Dump): CriuOptions {
  const { freezer } = record;
  return {
    ...commonOptions(context.host, options, spec, logFile),
    pid: record.pid,
    root: record.rootfs,
    leaveRunning: options.leaveRunning,
    tcpSkipInFlight: options.tcpSkipInFlight,
    linkRemap: options.linkRemap,
    freezeCgroup: freezer === "" ? undefined : freezer.slice(0, freezer.lastIndexOf("/")),
    pageServer: options.pageServer,
    parentImage: options.parentPath,
    trackMemory: options.parentPath === undefined ? undefined : true,
  };
}

/** `net[INODE]:KEY`: CRIU takes it for the container's namespace of that kind, and a restore names another by the key. */
function describeNamespaces({ context, record, spec }: Dump): string[] {
  return listOutsideNamespaces(spec).map(({ key, procName }) => {
    const inode = context.host.fileInfo(`/proc/${record.pid}/ns/${procName}`, 1)?.[5] ?? 0;
    return `${procName}[${inode}]:${key}`;
  });
}

function describeContainerMounts(
  { context, record, spec }: Dump,
  entries: readonly MountEntry[],
  hostEntries: readonly MountEntry[],
): DescribedMount[] {
  const { host } = context;
  const { id, bundle, rootfs } = record;
  const notifyDirectory = findNotifyDirectory(host, context.root, id);
  const options = {
    noPivot: false,
    noNewKeyring: false,
    preserveFds: 0,
    service: { ...noService, notifyDirectory },
    cgroupManager: record.cgroups.length > 0 ? "cgroupfs" : "disabled",
    privileged: true,
  } as const;
  const plan = planLaunch({ spec, id, bundle, rootfs, facts: readHostFacts(host), options });
  const planned = plan.cgroups.map(({ path }) => path);
  const operations = plan.operations.map((operation) => withCgroup(operation, planned, record.cgroups));
  return describeMounts(entries, listSources(host, hostEntries, record, operations));
}

function findNotifyDirectory(host: Host, root: string, id: string): string {
  const path = notifyDirectoryPath(root, id);
  return host.fileInfo(path, 0) === null ? "" : path;
}

/** The cgroups that the container has: relative ones were below those of the command that created it. */
function withCgroup(operation: Operation, planned: readonly string[], actual: readonly string[]): Operation {
  if (operation.op !== "mount_bind") return operation;
  const source = actual[planned.indexOf(operation.source)];
  return source === undefined ? operation : { ...operation, source };
}
