// SPDX-License-Identifier: Apache-2.0
// Where a device keeps what its owner decides, and reading it safely.
//   CONFIG_ROOT   /etc/edgerun       trust/, manifests/, revocations.jws, device.json, inventory.json
//   DATA_ROOT     /var/lib/edgerun   what has to outlive containers and reboots: sequences/, clock.json
import { EdgerunError } from "../errors.ts";
import type { Host, Json } from "../host/functions.ts";
import { quote } from "../schema/describe.ts";
import { invalidManifest } from "./text.ts";

export type Site = {
  host: Host;
  configRoot: string;
  dataRoot: string;
  /** The user that edgerun runs as; files are accepted from this user and from root. */
  uid: number;
};

const fileTypeMask = 0o170000;
const directoryType = 0o040000;
const regularType = 0o100000;
const writableByOthers = 0o022;

/**
 * Checks that nobody else can have written a file or directory. The check comes before the read; what it checks (root
 * owns it, nobody else can write) keeps it so until then.
 * @param what names it in errors: "trust store"
 * @returns false if it is absent
 * @throws MANIFEST_INVALID if it is a link, of another kind, foreign-owned, or writable by others
 */
export function checkOwnership(site: Site, path: string, kind: "directory" | "regular file", what: string): boolean {
  const info = site.host.fileInfo(path, 0);
  if (info === null) return false;
  const [mode = 0, owner = -1] = info;
  if ((mode & fileTypeMask) !== (kind === "directory" ? directoryType : regularType)) {
    throw invalidManifest(`${what} ${quote(path)} is not a ${kind} (links are refused)`);
  }
  if (owner !== 0 && owner !== site.uid) {
    throw invalidManifest(`${what} ${quote(path)} belongs to uid ${owner}; make it root's (chown 0)`);
  }
  if ((mode & writableByOthers) !== 0) {
    throw invalidManifest(`${what} ${quote(path)} is writable by others; take that away (chmod go-w)`);
  }
  return true;
}

/**
 * The text of a file that nobody else can have written; null if it is absent.
 * @throws MANIFEST_INVALID as checkOwnership(), and if it is larger than maxBytes
 */
export function readOwnedFile(site: Site, path: string, maxBytes: number, what: string): string | null {
  if (!checkOwnership(site, path, "regular file", what)) return null;
  return readLimited(site.host, path, maxBytes, what);
}

/** As readOwnedFile(), as strict JSON. */
export function readOwnedJson(site: Site, path: string, maxBytes: number, what: string): Json | undefined {
  const text = readOwnedFile(site, path, maxBytes, what);
  if (text === null) return undefined;
  try {
    return site.host.parseJson(text, path);
  } catch (error) {
    throw invalidManifest(`${what} ${quote(path)} is refused`, error);
  }
}

/**
 * The text of a file, whoever wrote it: one that is signed. Null if it is absent.
 * @throws MANIFEST_INVALID if it is larger than maxBytes or holds a NUL
 */
export function readLimited(host: Host, path: string, maxBytes: number, what: string): string | null {
  try {
    const text = host.readFileIfExists(path, maxBytes);
    if (text?.includes("\0")) throw invalidManifest(`${what} ${quote(path)} holds a NUL byte`);
    return text;
  } catch (error) {
    if (error instanceof EdgerunError && error.errno === "EFBIG") {
      throw invalidManifest(`${what} ${quote(path)} is larger than ${maxBytes} bytes`);
    }
    throw error;
  }
}
