// SPDX-License-Identifier: Apache-2.0
// The device's manifest store, CONFIG_ROOT/manifests: APP.jws by the app's id, and the same file again by the digest of
// its image, HEX.jws.
import type { Site } from "./site.ts";

export function storeDirectory(site: Site): string {
  return `${site.configRoot}/manifests`;
}

/** `app` is a reverse DNS name, which has no slash. */
export function storedAppPath(site: Site, app: string): string {
  return `${storeDirectory(site)}/${app}.jws`;
}

/** `digest` is a digest, "sha256:HEX". */
export function storedImagePath(site: Site, digest: string): string {
  return `${storeDirectory(site)}/${digest.slice("sha256:".length)}.jws`;
}
