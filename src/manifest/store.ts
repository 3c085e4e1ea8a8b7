// SPDX-License-Identifier: Apache-2.0
// The device's manifest store: what is installed, by app and by image.
import { EdgerunError } from "../errors.ts";
import { quote } from "../schema/describe.ts";
import { withLock } from "./data_root.ts";
import { decodeManifest } from "./decode.ts";
import { manifestType, peekPayload } from "./envelope.ts";
import type { Manifest } from "./schema.ts";
import { raiseMark } from "./sequence.ts";
import { readLimited, type Site } from "./site.ts";
import { storeDirectory, storedAppPath, storedImagePath } from "./store_paths.ts";
import { requireEnforced } from "./unenforced.ts";
import { type VerifiedManifest, type Verifier, verifyManifest } from "./verify.ts";

/**
 * Verifies a manifest and puts it in the place of the app's earlier one; from then on no older one is accepted.
 * @throws MANIFEST_INVALID, UNSUPPORTED, HOST
 */
export function installManifest(verifier: Verifier, text: string): VerifiedManifest {
  const { site } = verifier;
  const directory = storeDirectory(site);
  site.host.makeDirectories(directory, 0o755);
  // Verified under the lock: of two that are installed at once, the newer one stays.
  return withLock(site, directory, () => {
    const verified = verifyManifest(verifier, text);
    requireEnforced(verified.manifest);
    const { app, binding } = verified.manifest;
    removeByImage(site, app.id);
    site.host.replaceFile(storedAppPath(site, app.id), text, 0o644, 1);
    if (binding.image !== undefined) site.host.replaceFile(storedImagePath(site, binding.image), text, 0o644, 1);
    if (verified.isNew) raiseMark(site, verified.sequence);
    return verified;
  });
}

/**
 * Takes an app's manifest out of the store. What was in force stays remembered: an older one is still refused.
 * @throws USAGE if there is none
 */
export function removeManifest(site: Site, app: string): void {
  const path = storedAppPath(site, app);
  if (site.host.fileInfo(path, 0) === null) throw notInstalled(app);
  withLock(site, storeDirectory(site), () => {
    removeByImage(site, app);
    site.host.removeFile(path);
  });
}

/** The text of an installed manifest, not verified. */
export function readInstalled(site: Site, app: string): string {
  const text = readLimited(site.host, storedAppPath(site, app), manifestType.maxBytes, "manifest");
  if (text === null) throw notInstalled(app);
  return text;
}

/** File names in the store: those by app first, then those that are there only by image. */
export function listStored(site: Site): string[] {
  const directory = storeDirectory(site);
  if (site.host.fileInfo(directory, 1) === null) return [];
  const names = site.host.listDirectory(directory).filter((name) => name.endsWith(".jws") && !name.startsWith("."));
  const isByApp = (name: string): boolean => name.slice(0, -".jws".length).includes(".");
  return [...names.filter(isByApp), ...names.filter((name) => !isByApp(name))];
}

/** What a stored manifest says; undefined if it can't be read. Not verified. */
export function peekManifest(site: Site, text: string): Manifest | undefined {
  try {
    return decodeManifest(peekPayload(site.host, text, manifestType));
  } catch (error) {
    if (error instanceof EdgerunError) return undefined;
    throw error;
  }
}

/** Removes the copy by image of the app's manifest, if that is its copy. */
function removeByImage(site: Site, app: string): void {
  const { host } = site;
  const text = host.readFileIfExists(storedAppPath(site, app), manifestType.maxBytes);
  const image = text === null ? undefined : peekManifest(site, text)?.binding.image;
  if (image === undefined) return;
  const path = storedImagePath(site, image);
  if (host.readFileIfExists(path, manifestType.maxBytes) === text) host.removeFile(path);
}

function notInstalled(app: string): EdgerunError {
  return new EdgerunError("USAGE", `no manifest for app ${quote(app)} is installed`);
}
