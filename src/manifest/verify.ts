// SPDX-License-Identifier: Apache-2.0
// From a manifest's text to a manifest that may be acted on: signatures, then content, then who signed, then time,
// device, revocation and sequence. Nothing of the payload is looked at before a signature is valid.
import { EdgerunError } from "../errors.ts";
import { quote } from "../schema/describe.ts";
import { type Clock, readClock } from "./clock.ts";
import { decodeManifest } from "./decode.ts";
import { requireAudience } from "./device.ts";
import { manifestType, parseJson, verifyDocument } from "./envelope.ts";
import { type RevocationList, readRevocations, requireNotRevoked } from "./revocations.ts";
import type { Manifest } from "./schema.ts";
import { checkSequence, nameSequence, type Sequence } from "./sequence.ts";
import { checkSigners } from "./signers.ts";
import type { Site } from "./site.ts";
import { invalidManifest } from "./text.ts";
import { readTrustStore, type TrustedKey, type TrustStore } from "./trust.ts";

/** What decides whether a manifest is valid here and now. */
export type Verifier = {
  site: Site;
  trust: TrustStore;
  clock: Clock;
  revocations: RevocationList | null;
};

/** `digest` ("sha256:...") is that of the payload: it names the manifest in records and logs. */
export type VerifiedManifest = {
  manifest: Manifest;
  digest: string;
  signers: readonly TrustedKey[];
  sequence: Sequence;
  /** True: raiseMark() has to be called before anything starts. */
  isNew: boolean;
};

/** How far ahead of this device's clock the owner's may be, in seconds. */
const clockSkew = 300;

/**
 * Reads trust store, clock and revocations.
 * @throws MANIFEST_INVALID
 */
export function openVerifier(site: Site, warn: (message: string) => void, trust = readTrustStore(site)): Verifier {
  const clock = readClock(site);
  if (trust.expires !== undefined && clock.now >= trust.expires) {
    throw invalidManifest(
      `the trust root expired at ${trust.expires}, now it is ${clock.now}: put a newer one in force`,
    );
  }
  return { site, trust, clock, revocations: readRevocations(site, trust, clock, warn) };
}

/**
 * Verifies a manifest's text. What it is bound to is a check of its own: checkBinding().
 * @throws MANIFEST_INVALID
 */
export function verifyManifest(verifier: Verifier, text: string): VerifiedManifest {
  const { site, trust, clock, revocations } = verifier;
  const revoked = revocations?.kids ?? [];
  const document = verifyDocument(site.host, text, manifestType, {
    keys: trust.keys,
    unknown: trust.policy.otherSignatures,
    source: trust.directory,
  });
  const signers = document.signers.filter((key) => !revoked.includes(key.kid));
  const lost = document.signers.find((key) => revoked.includes(key.kid));
  if (lost !== undefined && (signers.length === 0 || trust.policy.otherSignatures === "refuse")) {
    throw invalidManifest(`the manifest is signed by key ${quote(lost.kid)}, which is revoked`);
  }
  const manifest = decodeManifest(parseJson(site.host, document.text, "the manifest's payload"));
  checkSigners(site, trust, signers, manifest, clock);
  checkValidity(manifest, clock);
  checkAudience(verifier, manifest);
  if (revocations !== null) requireNotRevoked(revocations, manifest, document.digest);
  const { iss, app, seq } = manifest;
  const sequence = {
    name: nameSequence(site, iss, app.id),
    what: describeManifest(manifest),
    seq,
    digest: document.digest,
    epoch: trust.epoch,
  };
  return { manifest, digest: document.digest, signers, sequence, isNew: checkSequence(site, sequence) };
}

/**
 * Checks nbf <= now < exp, and that the manifest was not issued in the future (by more than five minutes). Of the
 * future, a clock that is known to be behind can't tell: then the signed time is the better clock.
 * @throws MANIFEST_INVALID with both times, in seconds since the epoch
 */
export function checkValidity(manifest: Manifest, clock: Pick<Clock, "now" | "isPlausible">): void {
  const name = describeManifest(manifest);
  const { iat, nbf, exp } = manifest;
  const now = clock.isPlausible ? clock.now : Math.max(clock.now, iat);
  if (now >= exp) {
    throw invalidManifest(`${name} expired at ${exp}, now it is ${now}: sign a new one, or set the clock`);
  }
  if (nbf !== undefined && now < nbf) {
    throw invalidManifest(`${name} is not valid before ${nbf}, now it is ${now}: wait, or set the clock`);
  }
  if (iat > now + clockSkew) {
    throw invalidManifest(`${name} was issued at ${iat}, in the future of ${now}: set the clock`);
  }
}

function checkAudience({ site, trust }: Verifier, manifest: Manifest): void {
  const name = describeManifest(manifest);
  if (manifest.audience !== undefined) requireAudience(site, manifest.audience, name);
  else if (trust.policy.audience === "required") {
    throw invalidManifest(`${name} has no audience, and the trust policy requires one: sign it for devices or classes`);
  }
}

/** `manifest "meter-reader-17" for "com.example.meter-reader"` */
function describeManifest({ jti, app }: Manifest): string {
  return `manifest ${quote(jti)} for ${quote(app.id)}`;
}

/** The error of an enrolled host that has no manifest for a bundle. */
export function manifestRequired(detail: string): EdgerunError {
  return new EdgerunError(
    "MANIFEST_REQUIRED",
    `this host has an owner, so a container needs a signed manifest: ${detail}`,
  );
}
