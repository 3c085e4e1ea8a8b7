// SPDX-License-Identifier: Apache-2.0
// Makes the node that one tar entry describes, where nothing is: data, owner, mode, extended attributes, time.

import {
  chmodSync,
  closeSync,
  constants,
  ftruncateSync,
  lchownSync,
  lutimesSync,
  openSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { quote, toBytes } from "./byte_string.ts";
import { fromSystem, imageError } from "./failure.ts";
import { makeSpecialFile, setXattrs } from "./programs.ts";
import type { Rootfs } from "./rootfs.ts";
import type { TarEntry } from "./tar_reader.ts";

/** Makes `path` (its parent is resolved; nothing is there) as the entry says. Not for hard links. */
export async function makeNode(
  rootfs: Rootfs,
  path: string,
  entry: TarEntry,
  data: AsyncIterable<Buffer>,
): Promise<void> {
  switch (entry.type) {
    case "file":
      await writeFile(rootfs.hostPath(path), entry, data);
      break;
    case "directory":
      rootfs.makeDirectory(path);
      break;
    case "symlink":
      if (entry.linkname === "" || entry.linkname.includes("\0")) {
        throw imageError(`tar entry ${quote(entry.name)} is a symbolic link to ${quote(entry.linkname)}`);
      }
      symlinkSync(toBytes(entry.linkname), rootfs.hostPath(path));
      break;
    case "fifo":
      rootfs.moveIn(path, (hostPath) => makeSpecialFile(hostPath, "p", 0, 0));
      break;
    case "character-device":
    case "block-device":
      if (entry.major < 0 || entry.major > 0xfff || entry.minor < 0 || entry.minor > 0xf_ffff) {
        throw imageError(`tar entry ${quote(entry.name)}: no such device number ${entry.major}:${entry.minor}`);
      }
      rootfs.moveIn(path, (hostPath) =>
        makeSpecialFile(hostPath, entry.type === "block-device" ? "b" : "c", entry.major, entry.minor),
      );
      break;
    case "hardlink":
      throw new TypeError("a hard link is not a node of its own");
  }
  setMetadata(rootfs, path, entry);
}

/** Sets what the entry says about the node at `path`; a directory's time is set later (Rootfs.finish). */
export function setMetadata(rootfs: Rootfs, path: string, entry: TarEntry): void {
  const hostPath = rootfs.hostPath(path);
  if (entry.hasAcl) rootfs.noteAcl(path);
  // In this order: a new owner clears the set-id bits and the file capabilities.
  lchownSync(hostPath, entry.uid, entry.gid);
  if (entry.type !== "symlink") chmodSync(hostPath, entry.mode);
  if (entry.xattrs.size > 0) setXattrs(hostPath, entry.xattrs);
  if (entry.type !== "directory") {
    lutimesSync(hostPath, entry.mtime, entry.mtime);
    return;
  }
  rootfs.setTime(path, entry.mtime);
  if (entry.xattrs.size > 0) rootfs.noteXattrs(path);
}

async function writeFile(hostPath: Buffer, entry: TarEntry, data: AsyncIterable<Buffer>): Promise<void> {
  const fd = openSync(
    hostPath,
    constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    if (entry.sparse !== undefined) setSize(fd, entry.sparse.size, entry.name);
    const regions = entry.sparse?.regions ?? [{ offset: 0, length: entry.size }];
    let next = 0;
    let position = 0;
    let left = 0;
    for await (const chunk of data) {
      for (let at = 0; at < chunk.length; ) {
        // There is always a next one: the regions' lengths add up to the size of the data (checkSparseMap).
        if (left === 0) ({ offset: position, length: left } = regions[next++]!);
        const count = writeSync(fd, chunk, at, Math.min(left, chunk.length - at), position);
        at += count;
        position += count;
        left -= count;
      }
    }
  } finally {
    closeSync(fd);
  }
}

/** Makes the file one hole, in which the regions are written. */
function setSize(fd: number, size: number, name: string): void {
  try {
    ftruncateSync(fd, size);
  } catch (error) {
    // The file system's limit: the one failure that the entry alone is the cause of.
    throw fromSystem(`tar entry ${quote(name)}: cannot make a file of ${size} bytes`, error);
  }
}
