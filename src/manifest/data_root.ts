// SPDX-License-Identifier: Apache-2.0
import { EdgerunError } from "../errors.ts";
import { quote } from "../schema/describe.ts";
import { checkOwnership, type Site } from "./site.ts";

/** How long a command waits for another one that changes something here. */
const lockTimeoutMs = 10_000;

/**
 * Makes DATA_ROOT where it is missing.
 * @throws MANIFEST_INVALID if somebody else could write there; HOST
 */
export function prepareDataRoot(site: Site): void {
  if (checkOwnership(site, site.dataRoot, "directory", "data root")) return;
  site.host.makeDirectories(site.dataRoot, 0o700);
  checkOwnership(site, site.dataRoot, "directory", "data root");
}

/** Does something that no other edgerun does at the same time: writers of files in `directory` exclude each other. */
export function withLock<T>(site: Site, directory: string, work: () => T): T {
  const { host } = site;
  const fd = host.openDirectory(directory);
  try {
    if (host.lock(fd, lockTimeoutMs) === 0) {
      throw new EdgerunError("HOST", `another command works in ${quote(directory)}; try again`);
    }
    return work();
  } finally {
    host.closeFd(fd);
  }
}
