// SPDX-License-Identifier: Apache-2.0
// The image config's "User" as ids, by the image's own /etc/passwd and /etc/group (image-spec config.md, conversion.md).

import { closeSync, constants, fstatSync, openSync, readFileSync } from "node:fs";
import type { User } from "../../spec/process.ts";
import { fromText, quote } from "./byte_string.ts";
import { imageError } from "./failure.ts";
import type { Rootfs } from "./rootfs.ts";

const MAX_FILE = 1 << 20;
const MAX_ID = 0xffff_fffe; // 2^32 - 1 means "no change" to setuid(2)

/**
 * Resolves "", "uid", "uid:gid", "name", "name:group", and mixtures.
 * Only a user by name, without a group, gets the supplementary groups of /etc/group; "" is 0:0 without any.
 * @throws EdgerunError IMAGE_INVALID for an id out of range, and for a name that the image doesn't have
 */
export function resolveUser(rootfs: Rootfs, text: string): User {
  if (text === "") return { uid: 0, gid: 0 };
  const [user = "", group, ...more] = text.split(":");
  if (user === "" || group === "" || more.length > 0) throw imageError(`user ${JSON.stringify(text)} is malformed`);

  const byId = isNumber(user);
  const found = readTable(rootfs, "passwd").find((fields) => fields[byId ? 2 : 0] === fromText(user));
  if (!byId && found === undefined) throw imageError(`the image's /etc/passwd has no user ${JSON.stringify(user)}`);
  const uid = parseId(byId ? user : found![2], text);
  if (group !== undefined) return { uid, gid: resolveGroup(rootfs, group, text) };

  const gid = found === undefined ? 0 : parseId(found[3], text);
  if (byId) return { uid, gid };
  const additionalGids = readTable(rootfs, "group")
    .filter((fields) => fields[3]?.split(",").includes(fromText(user)))
    .map((fields) => parseId(fields[2], text))
    .filter((id) => id !== gid);
  return additionalGids.length === 0 ? { uid, gid } : { uid, gid, additionalGids: [...new Set(additionalGids)] };
}

function resolveGroup(rootfs: Rootfs, group: string, text: string): number {
  if (isNumber(group)) return parseId(group, text);
  const found = readTable(rootfs, "group").find((fields) => fields[0] === fromText(group));
  if (found === undefined) throw imageError(`the image's /etc/group has no group ${JSON.stringify(group)}`);
  return parseId(found[2], text);
}

/** What looks like a number is meant as one; "-1" and the like must not become a name to look up. */
function isNumber(text: string): boolean {
  return /^[-+]?[0-9]+$/.test(text);
}

function parseId(digits: string | undefined, user: string): number {
  const id = digits !== undefined && /^[0-9]{1,10}$/.test(digits) ? Number(digits) : -1;
  if (id < 0 || id > MAX_ID) throw imageError(`user ${JSON.stringify(user)}: ${quote(digits ?? "")} is not an id`);
  return id;
}

/** The lines of a colon-separated file in /etc, as byte strings; none if there is no such file. */
function readTable(rootfs: Rootfs, name: string): string[][] {
  const directory = rootfs.findDirectory(["etc"]);
  if (directory === undefined || rootfs.stat(`${directory}/${name}`) === undefined) return [];
  // A link could name a file of this machine, a FIFO would block, a device could do anything.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  if (!rootfs.stat(`${directory}/${name}`)?.isFile())
    throw imageError(`the image's /etc/${name} is not a regular file`);
  const fd = openSync(rootfs.hostPath(`${directory}/${name}`), flags);
  try {
    if (fstatSync(fd).size > MAX_FILE) throw imageError(`the image's /etc/${name} is larger than ${MAX_FILE} bytes`);
    return readFileSync(fd, "latin1")
      .split("\n")
      .map((line) => line.split(":"));
  } finally {
    closeSync(fd);
  }
}
