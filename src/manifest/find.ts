// SPDX-License-Identifier: Apache-2.0
// Where a bundle's manifest is. It is signed, so it may lie anywhere: where it was found says nothing about what it may
// grant. In this order:
//   1. the file of --manifest
//   2. the annotation dev.edgerun.manifest: the signed manifest itself
//   3. manifest.jws in the bundle
//   4. the store, by the app's id in the annotation dev.edgerun.app
//   5. the store, by the image's digest
import { quote } from "../schema/describe.ts";
import type { Spec } from "../spec/config.ts";
import { imageDigestAnnotation } from "./binding.ts";
import { manifestType } from "./envelope.ts";
import { isDigest, isReverseDns } from "./formats.ts";
import { readLimited, type Site } from "./site.ts";
import { storedAppPath, storedImagePath } from "./store_paths.ts";
import { invalidManifest } from "./text.ts";
import { manifestRequired } from "./verify.ts";

export const manifestAnnotation = "dev.edgerun.manifest";
export const appAnnotation = "dev.edgerun.app";

/** What of a bundle leads to its manifest. */
export type BundleFacts = {
  spec: Spec;
  /** The bundle's directory. */
  bundle: string;
  /** findImageDigest() */
  image: string | undefined;
  /** The file of --manifest; undefined: not given. */
  manifestFile: string | undefined;
};

/**
 * The text of a bundle's manifest, not verified.
 * @throws MANIFEST_REQUIRED with the place that was looked at last
 */
export function findManifest(site: Site, facts: BundleFacts): string {
  const { spec, bundle, manifestFile } = facts;
  if (manifestFile !== undefined) return read(site, manifestFile);
  const inline = spec.annotations?.[manifestAnnotation];
  if (inline !== undefined) return inline;
  const beside = `${bundle}/manifest.jws`;
  if (site.host.fileInfo(beside, 1) !== null) return read(site, beside);
  return read(site, findStored(site, facts));
}

function findStored(site: Site, { spec, image }: BundleFacts): string {
  const app = spec.annotations?.[appAnnotation];
  if (app !== undefined) {
    if (!isReverseDns(app))
      throw invalidManifest(`the bundle's annotation "${appAnnotation}" is no app id: ${quote(app)}`);
    return storedAppPath(site, app);
  }
  if (image === undefined) {
    throw manifestRequired(
      'name it with --manifest, put it into the bundle as "manifest.jws", or install it ("edgerun manifest install") and name the image or the app by annotation',
    );
  }
  if (!isDigest(image)) {
    throw invalidManifest(`the bundle's annotation "${imageDigestAnnotation}" is not a digest: ${quote(image)}`);
  }
  return storedImagePath(site, image);
}

function read(site: Site, path: string): string {
  const text = readLimited(site.host, path, manifestType.maxBytes, "manifest");
  if (text === null) throw manifestRequired(`there is no file ${JSON.stringify(path)}`);
  return text;
}
