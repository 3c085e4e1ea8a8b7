// SPDX-License-Identifier: Apache-2.0
// The one question that comes before every start: does this host have an owner, and what did the owner sign for?
import { EdgerunError } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import { quote } from "../schema/describe.ts";
import type { Spec } from "../spec/config.ts";
import { isDigest } from "./formats.ts";
import { maxManifestBytes } from "./jws.ts";
import { isPodSandbox, sandboxManifest } from "./sandbox.ts";
import type { Manifest } from "./schema.ts";
import { invalidManifest } from "./text.ts";
import { isEnrolled, readTrustStore } from "./trust.ts";
import { requireEnforced } from "./unenforced.ts";
import {
  checkBinding,
  imageDigestAnnotation,
  manifestRequired,
  type VerifiedManifest,
  verifyManifest,
} from "./verify.ts";

export type AdmissionPaths = {
  /** /etc/edgerun/trust */
  trustDirectory: string;
  /** The bundle's directory: its manifest.jws is taken where no manifest is named. */
  bundle: string;
  /** /etc/edgerun/manifests: where a manifest is looked up last, by the image's digest, as HEX.jws. */
  manifestDirectory: string;
  /** The file of `--manifest`; undefined: looked up. */
  manifestFile: string | undefined;
};

/** `verified` is null for a pod sandbox, for which nobody signs. */
export type Admission = { manifest: Manifest; verified: VerifiedManifest | null };

/**
 * The manifest under which a bundle may start; null on a host that is not enrolled, where edgerun enforces nothing.
 * @param uid the user that edgerun runs as, see readTrustStore()
 * @throws MANIFEST_REQUIRED if there is none, MANIFEST_INVALID if it or the trust store is not in order,
 *   UNSUPPORTED if it says what this version does not enforce
 */
export function admitBundle(host: Host, spec: Spec, paths: AdmissionPaths, uid = 0): Admission | null {
  const trust = readTrustStore(host, paths.trustDirectory, uid);
  if (!isEnrolled(trust)) {
    if (paths.manifestFile === undefined) return null;
    // Whoever names a manifest expects it to be enforced.
    throw invalidManifest(
      `manifest ${quote(paths.manifestFile)} can't be verified: there is no owner's key in ${quote(paths.trustDirectory)}`,
    );
  }
  if (paths.manifestFile === undefined && isPodSandbox(spec)) return { manifest: sandboxManifest(), verified: null };
  const file = findManifestFile(host, spec, paths);
  const text = readManifest(host, file);
  if (text === null) throw manifestRequired(`there is no file ${JSON.stringify(file)}`);
  const verified = verifyManifest(host, text, trust);
  checkBinding(spec, verified.manifest);
  requireEnforced(verified.manifest);
  return { manifest: verified.manifest, verified };
}

/** A manifest is signed, so it may lie anywhere: where it was found says nothing about what it may grant. */
function findManifestFile(host: Host, spec: Spec, paths: AdmissionPaths): string {
  if (paths.manifestFile !== undefined) return paths.manifestFile;
  const beside = `${paths.bundle}/manifest.jws`;
  if (host.fileInfo(beside, 1) !== null) return beside;
  const image = spec.annotations?.[imageDigestAnnotation];
  if (image === undefined) {
    throw manifestRequired('name it with --manifest, or put it into the bundle as "manifest.jws"');
  }
  if (!isDigest(image)) {
    throw invalidManifest(`the bundle's annotation "${imageDigestAnnotation}" is not a digest: ${quote(image)}`);
  }
  return `${paths.manifestDirectory}/${image.slice("sha256:".length)}.jws`;
}

function readManifest(host: Host, file: string): string | null {
  try {
    const text = host.readFileIfExists(file, maxManifestBytes);
    if (text?.includes("\0")) throw invalidManifest(`manifest ${quote(file)} holds a NUL byte`);
    return text;
  } catch (error) {
    if (error instanceof EdgerunError && error.errno === "EFBIG") {
      throw invalidManifest(`manifest ${quote(file)} is larger than ${maxManifestBytes} bytes`);
    }
    throw error;
  }
}
