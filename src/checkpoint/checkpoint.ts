// SPDX-License-Identifier: Apache-2.0
import { EdgerunError } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import { destroy } from "../lifecycle/delete.ts";
import type { CheckpointOptions, Context } from "../lifecycle/options.ts";
import type { Parts } from "../lifecycle/parts.ts";
import type { ContainerRecord } from "../state/record.ts";
import { computeStatus } from "../state/status.ts";
import { lockDirectory, readRecord, unlockDirectory } from "../state/store.ts";
import { type Criu, carryOut, endCriu, requireFeatures, startCriu } from "./criu.ts";
import { writeDescription } from "./description.ts";
import { type Dump, logFile, planDump, planPreDump } from "./dump_request.ts";
import { checkParentPath, findDirectories, makeDirectories } from "./images.ts";
import { explainFailure } from "./log.ts";
import { readMountinfo } from "./outside.ts";
import { refuseConfigAnnotation, refuseUnsupported } from "./request.ts";
import { writeStdioNames } from "./stdio.ts";

/**
 * `checkpoint`: the container's processes into images. Then it is deleted, unless it is to go on; CRIU has let it go on
 * wherever this fails.
 */
export function checkpoint(context: Context, options: CheckpointOptions, launch: ReturnType<Parts["launch"]>): number {
  const { host, root } = context;
  const directory = lockDirectory(host, root, options.id);
  try {
    const record = readRecord(host, root, options.id);
    checkStatus(context, record);
    const { spec, grants } = launch.readEffectiveConfig(host, directory);
    refuseUnsupported(spec);
    if (grants !== null) refuseConfigAnnotation(spec);
    if (options.statusFd >= 0) checkStatusFd(host, options.statusFd);
    makeDirectories(host, options);
    if (options.parentPath !== undefined) checkParentPath(host, options.imagePath, options.parentPath);
    save({ context, options, record, spec });
    if (!options.leaveRunning && !options.preDump) destroy(context, directory, record);
  } finally {
    unlockDirectory(host, directory);
  }
  return 0;
}

function checkStatus({ host, root }: Context, record: ContainerRecord): void {
  const status = computeStatus(host, root, record);
  if (status === "running" || status === "paused") return;
  throw new EdgerunError("CONTAINER_STATE", `Container cannot be checkpointed in ${status} state`); // runc's text
}

/** The mode bits of a link in /proc/self/fd tell how the file is open (proc(5)). */
function checkStatusFd(host: Host, fd: number): void {
  const info = host.fileInfo(`/proc/self/fd/${fd}`, 0);
  if (info === null) throw new EdgerunError("USAGE", `invalid --status-fd argument ${fd}: bad file descriptor`);
  if (((info[0] ?? 0) & 0o200) === 0) {
    throw new EdgerunError("USAGE", `invalid --status-fd argument ${fd}: not writable`);
  }
}

function save(dump: Dump): void {
  const { context, options } = dump;
  const { host } = context;
  const directories = findDirectories(host, options);
  const criu = startCriu(context, { directories, files: [], keepStdio: false });
  try {
    if (options.preDump) saveMemory(dump, criu);
    else saveEverything(dump, criu, directories.images);
  } catch (error) {
    throw explainFailure(host, error, `${directories.work}/${logFile}`);
  } finally {
    endCriu(host, criu);
  }
}

function saveMemory(dump: Dump, criu: Criu): void {
  const { host } = dump.context;
  requireFeatures(host, criu, { memoryTracking: true });
  carryOut(host, criu, planPreDump(dump), () => {});
}

function saveEverything(dump: Dump, criu: Criu, images: string): void {
  const { context, options, record, spec } = dump;
  const { host } = context;
  if (options.lazyPages) requireFeatures(host, criu, { lazyPages: true });
  const plan = planDump(dump);
  writeStdioNames(host, images, plan.stdio.names);
  carryOut(host, criu, plan.request, ({ script }) => {
    if (script === "post-dump") {
      // Everything is stopped now: what was described must still be so.
      if (readMountinfo(host, record.pid) !== plan.mountinfo) {
        throw new EdgerunError("CRIU", "the container's mounts changed while it was checkpointed");
      }
      writeDescription(host, images, { spec, mounts: plan.mounts, nullStdio: plan.stdio.nulls });
    } else if (script === "status-ready" && options.statusFd >= 0) {
      host.writeBytes(options.statusFd, Uint8Array.of(0));
      host.closeFd(options.statusFd); // its reader waits for the end
    }
  });
}
