// SPDX-License-Identifier: Apache-2.0
// The state root: one directory per container.
//   ID/state.json   the record            ID/config.json   the effective spec, for `exec`
//   ID/manifest.jws the signed manifest that it was created under, if any
//   ID/start.sock   there while the container is created and not started
//   ID/notify/notify.sock  the container's way to the service manager of who created it, where there is one
// mkdir(2) of the directory is the claim to an id; flock(2) on it serialises the commands that change a container.
// `state` and `list` take no lock and cope with a directory that vanishes under them.
import { EdgerunError, wrap } from "../errors.ts";
import type { Host, Request } from "../host/functions.ts";
import { toJsonText } from "./json_text.ts";
import { type ContainerRecord, decodeRecord } from "./record.ts";

/** How long a command waits for another one that holds the container's lock. */
const lockTimeoutMs = 20_000;
const maxRecordBytes = 1 << 20;

const typeMask = 0o170000;
const directoryType = 0o040000;
const writableByOthers = 0o022;

export type StateDirectory = {
  id: string;
  path: string;
  /** Holds the lock until closed; -1 in commands that only read. */
  lockFd: number;
};

export function startSocketPath(directory: StateDirectory): string {
  return `${directory.path}/start.sock`;
}

/** The directory is mounted in the container, which sees nothing else of ours. */
export function notifyDirectoryPath(root: string, id: string): string {
  return `${root}/${id}/notify`;
}

function recordPath(directory: StateDirectory): string {
  return `${directory.path}/state.json`;
}

/** Makes the state root where missing, and refuses one that another user could change (CVE-2015-1331 was such a place). */
function prepareRoot(host: Host, request: Request, root: string): void {
  let info = host.fileInfo(root, 0);
  if (info === null) {
    host.makeDirectories(root, 0o700);
    info = host.fileInfo(root, 0);
  }
  const [mode = 0, uid = -1] = info ?? [];
  if ((mode & typeMask) !== directoryType) {
    throw new EdgerunError("HOST", `state root "${root}" is not a directory`);
  }
  if (uid !== request.uid || (mode & writableByOthers) !== 0) {
    throw new EdgerunError(
      "HOST",
      `state root "${root}" must belong to uid ${request.uid} and be writable by its owner only`,
    );
  }
}

/**
 * Claims an id: from here on it is ours, locked.
 * @throws EdgerunError CONTAINER_EXISTS
 */
export function claimDirectory(host: Host, request: Request, root: string, id: string): StateDirectory {
  prepareRoot(host, request, root);
  const path = `${root}/${id}`;
  try {
    host.makeDirectory(path, 0o711);
  } catch (error) {
    if (error instanceof EdgerunError && error.errno === "EEXIST") {
      throw new EdgerunError("CONTAINER_EXISTS", `container with given ID already exists: "${id}"`);
    }
    throw error;
  }
  return lockDirectory(host, root, id);
}

/**
 * Opens a container's directory and takes its lock.
 * @throws EdgerunError CONTAINER_NOT_FOUND, or HOST when another command keeps the lock
 */
export function lockDirectory(host: Host, root: string, id: string): StateDirectory {
  const path = `${root}/${id}`;
  let lockFd: number;
  try {
    lockFd = host.openDirectory(path);
  } catch (error) {
    throw notFound(id, error);
  }
  if (host.lock(lockFd, lockTimeoutMs) === 0) {
    host.closeFd(lockFd);
    throw new EdgerunError("CONTAINER_STATE", `container "${id}" is busy: another command works on it`);
  }
  const directory = { id, path, lockFd };
  // Deleted while we waited: the lock is on a directory that has no name any more.
  if (host.fileInfo(path, 0) === null) {
    unlockDirectory(host, directory);
    throw notFound(id, undefined);
  }
  return directory;
}

export function unlockDirectory(host: Host, directory: StateDirectory): void {
  host.closeFd(directory.lockFd);
}

function notFound(id: string, cause: unknown): unknown {
  if (cause instanceof EdgerunError && cause.errno !== "ENOENT" && cause.errno !== "ENOTDIR") return cause;
  return new EdgerunError("CONTAINER_NOT_FOUND", `container does not exist: "${id}"`);
}

/** Writes the first record; it is on disk when this returns. */
export function writeIntent(host: Host, directory: StateDirectory, record: ContainerRecord): void {
  host.createFile(recordPath(directory), toJsonText(record), 0o600, 1);
}

/**
 * Replaces the record. Readers see the old or the new one. Not fsynced: it must outlive this process, not the kernel;
 * after a power loss the pid that it adds means nothing.
 */
export function updateRecord(host: Host, directory: StateDirectory, record: ContainerRecord): void {
  host.replaceFile(recordPath(directory), toJsonText(record), 0o600, 0);
}

/**
 * Reads a container's record.
 * @throws EdgerunError CONTAINER_NOT_FOUND; CONTAINER_STATE when the record is missing or broken (delete --force helps)
 */
export function readRecord(host: Host, root: string, id: string): ContainerRecord {
  const path = `${root}/${id}/state.json`;
  try {
    return decodeRecord(host.readJson(path, maxRecordBytes), path);
  } catch (error) {
    if (!(error instanceof EdgerunError)) throw error;
    const isThere = host.fileInfo(`${root}/${id}`, 0) !== null;
    if (!isThere) throw notFound(id, undefined);
    const failure = wrap(
      `container "${id}" has no usable state record (delete --force removes what is left of it)`,
      error,
    );
    throw new EdgerunError("CONTAINER_STATE", failure.message, { cause: error, errno: failure.errno });
  }
}

/** The ids below the state root; none if there is no such root yet. */
export function listIds(host: Host, root: string): string[] {
  if (host.fileInfo(root, 1) === null) return [];
  return host.listDirectory(root).filter((name) => isDirectory(host, `${root}/${name}`));
}

function isDirectory(host: Host, path: string): boolean {
  const info = host.fileInfo(path, 0);
  return info !== null && ((info[0] ?? 0) & typeMask) === directoryType;
}

/** Removes the directory and what we keep in it; the last step of every deletion. Needs no space, and goes on where a killed one stopped. */
export function removeDirectory(host: Host, directory: StateDirectory): void {
  for (const name of host.listDirectory(directory.path)) {
    const path = `${directory.path}/${name}`;
    if (name === "notify") removeNotifyDirectory(host, path);
    // Empty: it is a mount point in the mount namespace of a restore alone (src/checkpoint).
    else if (name === "root") host.removeDirectory(path);
    else host.removeFile(path);
  }
  host.removeDirectory(directory.path);
}

function removeNotifyDirectory(host: Host, path: string): void {
  for (const name of host.listDirectory(path)) host.removeFile(`${path}/${name}`);
  host.removeDirectory(path);
}
