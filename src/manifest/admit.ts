// SPDX-License-Identifier: Apache-2.0
// The one question that comes before every start: does this host have an owner, and what did the owner sign for?
import { quote } from "../schema/describe.ts";
import type { Spec } from "../spec/config.ts";
import { decodeSpec } from "../spec/decode.ts";
import { checkBinding } from "./binding.ts";
import { keepTime } from "./clock.ts";
import { findManifest } from "./find.ts";
import { findImageDigest } from "./image_digest.ts";
import { isPodSandbox, sandboxManifest } from "./sandbox.ts";
import type { Manifest } from "./schema.ts";
import { raiseMark } from "./sequence.ts";
import { readLimited, type Site } from "./site.ts";
import { invalidManifest } from "./text.ts";
import { isEnrolled, readTrustStore } from "./trust.ts";
import { requireEnforced } from "./unenforced.ts";
import { manifestRequired, openVerifier, type VerifiedManifest, type Verifier, verifyManifest } from "./verify.ts";

const maxConfigBytes = 16 << 20;

/** The bundle that wants to start. */
export type Candidate = {
  spec: Spec;
  /** The bundle's directory. */
  bundle: string;
  /** The file of --manifest; undefined: looked up. */
  manifestFile: string | undefined;
};

/** A manifest under which a bundle may start, as it was signed; for a pod sandbox nobody signs: both are null. */
export type Admission = {
  manifest: Manifest;
  /** What the bundle asks for: where the manifest is bound to config.json, as it was when its digest was compared. */
  spec: Spec;
  verified: (VerifiedManifest & { verifier: Verifier; text: string }) | null;
};

/**
 * The manifest under which a bundle may start; null on a host that is not enrolled, where edgerun enforces nothing.
 * Changes nothing: see commitAdmission().
 * @param warn is told what the owner's policy only warns about
 * @throws MANIFEST_REQUIRED if there is none, MANIFEST_INVALID if it or the trust store is not in order,
 *   UNSUPPORTED if it says what this version does not enforce
 */
export function admitBundle(site: Site, candidate: Candidate, warn: (message: string) => void): Admission | null {
  const { spec, bundle, manifestFile } = candidate;
  const trust = readTrustStore(site);
  if (!isEnrolled(trust)) {
    if (manifestFile === undefined) return null;
    // Whoever names a manifest expects it to be enforced.
    throw invalidManifest(
      `manifest ${quote(manifestFile)} can't be verified: there is no owner's key in ${quote(trust.directory)}`,
    );
  }
  if (manifestFile === undefined && isPodSandbox(spec.annotations)) {
    return { manifest: sandboxManifest(), spec, verified: null };
  }
  const image = findImageDigest(site, spec, bundle);
  const text = findManifest(site, { spec, bundle, image, manifestFile });
  const verifier = openVerifier(site, warn, trust);
  const verified = verifyManifest(verifier, text);
  const { manifest } = verified;
  const exact = manifest.binding.config === undefined ? spec : readExactSpec(site, bundle, manifest.binding.config);
  checkBinding(exact, manifest, exact === spec ? image : findImageDigest(site, exact, bundle));
  requireEnforced(manifest);
  return { manifest, spec: exact, verified: { ...verified, verifier, text } };
}

/** config.json read once more, and decoded from the very bytes whose digest is right. */
function readExactSpec(site: Site, bundle: string, digest: string): Spec {
  const { host } = site;
  const path = `${bundle}/config.json`;
  const text = readLimited(host, path, maxConfigBytes, "config") ?? "";
  const found = `sha256:${host.sha256(host.textToBytes(text))}`;
  if (found !== digest)
    throw invalidManifest(`the manifest is bound to config ${digest}, but ${quote(path)} is ${found}`);
  return decodeSpec(host.parseJson(text, path)).spec;
}

/**
 * Remembers that the manifest is in force, so that no older one is accepted any more. Before anything is started.
 * @throws HOST if that can't be written, e.g. because the disk is full; MANIFEST_INVALID if a newer one has come first
 */
export function commitAdmission(
  site: Site,
  { verified }: Pick<Admission, "verified">,
  warn: (message: string) => void,
): void {
  if (verified === null) return;
  if (verified.isNew) raiseMark(site, verified.sequence);
  const problem = keepTime(site, verified.verifier.clock, verified.manifest.iat);
  if (problem !== undefined) warn(problem);
}

/**
 * Checks again, when a created container is started, what can have changed since: keys, time, device, revocations, and
 * whether a newer manifest is in force.
 * @param text the manifest that it was created under; null: under none
 * @param digest of its payload, as the container's record has it
 * @throws MANIFEST_REQUIRED, MANIFEST_INVALID
 */
export function readmit(
  site: Site,
  created: { text: string | null; digest: string; annotations: Spec["annotations"] },
  warn: (message: string) => void,
): VerifiedManifest | null {
  const trust = readTrustStore(site);
  if (created.text === null) {
    if (!isEnrolled(trust) || isPodSandbox(created.annotations)) return null;
    throw manifestRequired("the container was created without one; delete it, and create it again");
  }
  const verified = verifyManifest(openVerifier(site, warn, trust), created.text);
  if (verified.digest !== created.digest) {
    throw invalidManifest(
      `the manifest kept with the container is not the one that it was created under (${created.digest})`,
    );
  }
  return verified;
}
