// SPDX-License-Identifier: Apache-2.0
import { wrap } from "../errors.ts";
import { type Bundle, planBundle, readBundle } from "../lifecycle/bundle.ts";
import { createCgroups, joinCgroups } from "../lifecycle/cgroups.ts";
import { deleteAfterRun } from "../lifecycle/delete.ts";
import type { Context, RestoreOptions } from "../lifecycle/options.ts";
import type { Parts } from "../lifecycle/parts.ts";
import { awaitReadiness, noNotifications, openNotifications } from "../lifecycle/service_manager.ts";
import { listTeardown, runEach } from "../lifecycle/teardown.ts";
import type { LaunchPlan } from "../plan/plan.ts";
import { notifyTarget } from "../plan/service.ts";
import { notifyDirectoryPath, unlockDirectory, writeIntent } from "../state/store.ts";
import { carryOut, endCriu, startCriu } from "./criu.ts";
import { type Description, readDescription } from "./description.ts";
import { requireStillGranted } from "./granted.ts";
import { type Directories, findDirectories, makeDirectories, openImagesTo, requireTrustedImages } from "./images.ts";
import { explainFailure } from "./log.ts";
import { refuseConfigAnnotation, refuseUnsupported } from "./request.ts";
import { listFiles, logFile, planRequest } from "./restore_request.ts";
import { handleNotification, makeMountPoints, type Restoring, rootPath, withoutProcessLimit } from "./restore_steps.ts";

/**
 * `restore`: a container from images. It is set up as a start would, but its processes are CRIU's work; in the
 * foreground its exit code is returned.
 */
export function restore(context: Context, options: RestoreOptions, launch: ReturnType<Parts["launch"]>): number {
  const { host, request } = context;
  const bundle = readBundle(context, { ...options, config: undefined });
  launch.checkTerminal(bundle.spec, options, options.detach);
  refuseUnsupported(bundle.spec);
  if (options.workPath !== undefined) makeDirectories(host, { ...options, imagePath: options.workPath });
  const directories = findDirectories(host, options);
  requireTrustedImages(host, request.uid, directories.images);
  const description = readDescription(host, directories.images);
  if (bundle.authorization.grants !== null) {
    refuseConfigAnnotation(bundle.spec);
    requireStillGranted(description, bundle.spec);
  }
  const plan = planRestore(context, options, bundle, description);
  const restoring: Restoring = {
    context,
    launch,
    options,
    bundle,
    plan,
    description,
    directory: launch.claimContainer(context, options.id, plan),
    record: launch.newRecord(context, { id: options.id, noNewKeyring: true }, bundle, plan),
    criu: undefined,
    moved: undefined,
    notifications: noNotifications,
    terminalFd: -1,
    pidfd: -1,
  };
  restoreContainer(restoring, directories);
  const { record, pidfd, terminalFd, notifications } = restoring;
  unlockDirectory(host, restoring.directory);
  if (options.detach) {
    awaitReadiness(context, notifications, pidfd, record.pid);
    return 0;
  }
  const exitCode = host.superviseProcess(record.pid, pidfd, terminalFd, notifications.fd, notifications.address);
  deleteAfterRun(context, record);
  return exitCode;
}

/** What a start would do. Where the container could notify a service manager, it can again, whether one listens or not. */
function planRestore(
  context: Context,
  { id }: RestoreOptions,
  bundle: Bundle,
  description: Description | null,
): LaunchPlan {
  const canNotify = description?.mounts.some(({ origin }) => origin?.target === notifyTarget) === true;
  const notifyDirectory = canNotify ? notifyDirectoryPath(context.root, id) : "";
  const service = { listenFds: 0, listenNames: "", notifyDirectory };
  return planBundle(context, bundle, { id, service, noPivot: false, noNewKeyring: true, preserveFds: 0 });
}

/** On failure nothing is left of it. */
function restoreContainer(restoring: Restoring, directories: Directories): void {
  const { context, launch, options, bundle, plan, record, directory } = restoring;
  const { host } = context;
  try {
    if (bundle.authorization.network !== null) record.link = context.lifecycle.chooseLink(context, record.id);
    writeIntent(host, directory, record);
    const { manifest } = bundle.authorization;
    manifest?.commit();
    if (manifest !== null) launch.writeStoredManifest(host, directory, manifest.text);
    host.makeDirectory(rootPath(directory), 0o700);
    prepareNotifications(restoring);
    openImagesTo(host, directories.images, bundle.spec);
    createCgroups(host, plan.cgroups.map(withoutProcessLimit));
    makeMountPoints(host, plan.operations);
    runCriu(restoring, directories);
    host.removeDirectory(rootPath(directory));
    restoring.pidfd = host.openProcess(record.pid);
    launch.writePidFile(host, options.pidFile, record.pid);
    restoring.moved?.keep();
  } catch (error) {
    undoRestore(restoring);
    throw wrap("unable to restore container", error);
  }
}

function prepareNotifications(restoring: Restoring): void {
  const { context, options, plan } = restoring;
  const directory = notifyDirectoryPath(context.root, options.id);
  if (!plan.operations.some((operation) => operation.op === "mount_bind" && operation.source === directory)) return;
  context.host.makeDirectory(directory, 0o755);
  restoring.notifications = openNotifications(context, options.id);
}

function runCriu(restoring: Restoring, directories: Directories): void {
  const { context, bundle, description, record, directory } = restoring;
  const { host } = context;
  const criu = startCriu(context, {
    directories,
    files: listFiles(bundle.spec, description),
    // A mount point whose parent nothing is mounted over, as CRIU wants.
    root: { directory: record.rootfs, target: rootPath(directory) },
    keepStdio: true,
  });
  restoring.criu = criu;
  try {
    joinCgroups(host, record.cgroups, criu.pid); // those that it starts begin there
    const request = planRequest(restoring, criu, directories);
    carryOut(host, criu, request, (notification) => handleNotification(restoring, notification));
  } catch (error) {
    throw explainFailure(host, error, `${directories.work}/${logFile}`);
  } finally {
    endCriu(host, criu);
  }
}

/** Takes everything back. */
function undoRestore({ context, directory, record, moved }: Restoring): void {
  runEach(context, `undoing the restore of "${record.id}"`, [
    () => moved?.undo(),
    ...listTeardown(context, directory, record),
    () => unlockDirectory(context.host, directory),
  ]);
}
