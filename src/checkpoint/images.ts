// SPDX-License-Identifier: Apache-2.0
// The directories of a checkpoint: images, and work files such as logs.
//
// Images become running processes with whatever credentials they name, so they are trusted as programs of root are:
// a restore takes them only from a directory, and out of files, that belong to the caller and that nobody else can write.
import { EdgerunError, wrap } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import type { CriuFlags } from "../lifecycle/options.ts";
import { cleanPath } from "../plan/paths.ts";
import type { IdMapping, Spec } from "../spec/config.ts";
import { findNamespace } from "../spec/linux.ts";

const typeMask = 0o170000;
const directoryType = 0o040000;
const linkType = 0o120000;
const writableByOthers = 0o022;
const sticky = 0o1000;
/** CRIU's link from a directory of images to that of the earlier dump which it builds on. */
const parentLink = "parent";
const maxParents = 64;

/** Absolute, links resolved. */
export type Directories = { images: string; work: string };

/** Makes both directories, where missing, for the caller alone; images hold the memory of programs. */
export function makeDirectories(host: Host, { imagePath, workPath }: CriuFlags): void {
  for (const path of [imagePath, workPath ?? imagePath]) {
    try {
      host.makeDirectories(path, 0o700);
    } catch (error) {
      throw wrap("cannot make the directory of a checkpoint", error);
    }
  }
}

/** @throws EdgerunError HOST where one is missing */
export function findDirectories(host: Host, { imagePath, workPath }: CriuFlags): Directories {
  try {
    return { images: host.realPath(imagePath), work: host.realPath(workPath ?? imagePath) };
  } catch (error) {
    throw wrap("cannot find the directory of a checkpoint", error);
  }
}

/** @throws EdgerunError USAGE for a --parent-path that is absolute, or no directory */
export function checkParentPath(host: Host, imagePath: string, parentPath: string): void {
  if (parentPath.startsWith("/")) throw new EdgerunError("USAGE", "--parent-path must be relative");
  const path = `${imagePath}/${parentPath}`;
  const info = host.fileInfo(path, 1);
  if (info === null) throw invalidParent(path, "no such file or directory");
  if (((info[0] ?? 0) & typeMask) !== directoryType) throw invalidParent(path, "not a directory");
}

function invalidParent(path: string, reason: string): EdgerunError {
  return new EdgerunError("USAGE", `invalid --parent-path: stat ${cleanPath(path)}: ${reason}`);
}

/** @throws EdgerunError CONFIG_INVALID naming the file that another user could have written */
export function requireTrustedImages(host: Host, uid: number, images: string): void {
  for (const directory of listImageDirectories(host, images)) {
    requireTrustedPath(host, uid, directory);
    requireTrusted(directory, host.fileInfo(directory, 0), uid);
    for (const name of host.listDirectory(directory)) {
      const path = `${directory}/${name}`;
      const info = host.fileInfo(path, 0);
      if (!isLink(info)) requireTrusted(path, info, uid);
      else if (name !== parentLink) throw untrusted(path, "is a symbolic link");
    }
  }
}

/** The directory and those of the earlier dumps that it builds on. */
function listImageDirectories(host: Host, images: string): string[] {
  const directories = [images];
  for (let at = images; isLink(host.fileInfo(`${at}/${parentLink}`, 0)); directories.push(at)) {
    if (directories.length > maxParents) throw untrusted(images, `has more than ${maxParents} parents`);
    at = host.realPath(`${at}/${parentLink}`);
  }
  return directories;
}

function isLink(info: readonly number[] | null): boolean {
  return ((info?.[0] ?? 0) & typeMask) === linkType;
}

/**
 * In a user namespace the processes that CRIU restores open the images as the namespace's root, which is nobody to the
 * directory: its group may pass through. The files are readable once that is possible.
 */
export function openImagesTo(host: Host, images: string, { linux = {} }: Spec): void {
  const gid = findRootGroup(linux.gidMappings ?? []);
  if (findNamespace(linux, "user") === undefined || gid === undefined) return;
  for (const directory of listImageDirectories(host, images)) host.changeGroup(directory, gid, 0o710);
}

/** The host's id of the group 0. */
function findRootGroup(mappings: readonly IdMapping[]): number | undefined {
  const mapping = mappings.find(({ containerID }) => containerID === 0);
  return mapping?.hostID;
}

/** Who can rename a directory above can put another one in its place; in one with the sticky bit, only what is theirs. */
function requireTrustedPath(host: Host, uid: number, directory: string): void {
  for (let end = directory.lastIndexOf("/"); end >= 0; end = directory.lastIndexOf("/", end - 1)) {
    const path = end === 0 ? "/" : directory.slice(0, end);
    const [mode = 0, owner = -1] = host.fileInfo(path, 0) ?? [];
    if (owner !== uid && owner !== 0) throw untrusted(path, `belongs to uid ${owner}`);
    if ((mode & writableByOthers) !== 0 && (mode & sticky) === 0) throw untrusted(path, "is writable by others");
    if (end === 0) break;
  }
}

function requireTrusted(path: string, info: readonly number[] | null, uid: number): void {
  const [mode = 0, owner = -1] = info ?? [];
  if (owner !== uid) throw untrusted(path, `belongs to uid ${owner}`);
  if ((mode & writableByOthers) !== 0) throw untrusted(path, "is writable by others");
}

function untrusted(path: string, how: string): EdgerunError {
  return new EdgerunError(
    "CONFIG_INVALID",
    `${JSON.stringify(path)} ${how}: images of a checkpoint must belong to the caller and be writable by nobody else`,
  );
}
