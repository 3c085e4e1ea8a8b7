// SPDX-License-Identifier: Apache-2.0
// From a manifest's file to a manifest that may be acted on: signature, then content, then time, then what it is
// bound to. Nothing of the payload is looked at before the signature is valid.
import { EdgerunError } from "../errors.ts";
import type { Host, Json } from "../host/functions.ts";
import { quote } from "../schema/describe.ts";
import type { Spec } from "../spec/config.ts";
import { decodeManifest } from "./decode.ts";
import { verifyToken } from "./jws.ts";
import type { Manifest } from "./schema.ts";
import { invalidManifest } from "./text.ts";
import type { TrustStore } from "./trust.ts";

/** `digest` ("sha256:...") is that of the signed token: it names the manifest in records and logs. */
export type VerifiedManifest = { manifest: Manifest; kid: string; digest: string };

/** The annotation that `edgerun owner bundle` writes: the digest of the OCI image manifest. */
export const imageDigestAnnotation = "dev.edgerun.image.digest";

/** How far ahead of this device's clock the owner's may be, in seconds. */
const clockSkew = 300;

/**
 * Verifies a manifest's text as of now (host.clock()). Binding is a check of its own: checkBinding().
 * @throws MANIFEST_INVALID
 */
export function verifyManifest(host: Host, text: string, trust: TrustStore): VerifiedManifest {
  const token = verifyToken(host, text, trust);
  let payload: Json;
  try {
    payload = host.parseJson(token.text, "manifest payload");
  } catch (error) {
    throw invalidManifest("the manifest's payload is refused", error);
  }
  const manifest = decodeManifest(payload);
  const [now = 0] = host.clock();
  checkValidity(manifest, now);
  return { manifest, kid: token.kid, digest: token.digest };
}

/**
 * Checks nbf <= now < exp, and that the manifest was not issued in the future (by more than five minutes).
 * @param now seconds since the epoch
 * @throws MANIFEST_INVALID with both times, in seconds since the epoch
 */
export function checkValidity(manifest: Manifest, now: number): void {
  const name = `manifest ${quote(manifest.jti)} for ${quote(manifest.app.id)}`;
  if (now >= manifest.exp) {
    throw invalidManifest(`${name} expired at ${manifest.exp}, now it is ${now}: sign a new one, or set the clock`);
  }
  if (manifest.nbf !== undefined && now < manifest.nbf) {
    throw invalidManifest(`${name} is not valid before ${manifest.nbf}, now it is ${now}: wait, or set the clock`);
  }
  if (manifest.iat > now + clockSkew) {
    throw invalidManifest(`${name} was issued at ${manifest.iat}, in the future of ${now}: set the clock`);
  }
}

/**
 * Checks that the bundle is the app that the manifest is for: same image, and same arguments if the manifest names any.
 * @throws MANIFEST_INVALID naming both
 */
export function checkBinding(spec: Spec, manifest: Manifest): void {
  const { image, args } = manifest.binding;
  const found = spec.annotations?.[imageDigestAnnotation];
  if (image === undefined) return; // bound by other means: see requireEnforced() and decodeManifest()
  if (found === undefined) {
    throw invalidManifest(
      `the manifest is bound to image "${image}", but the bundle has no annotation "${imageDigestAnnotation}": make it with "edgerun owner bundle"`,
    );
  }
  if (found !== image) {
    throw invalidManifest(
      `the manifest is bound to image "${image}", but the bundle is of image ${quoteDigest(found)}`,
    );
  }
  const asked = spec.process.args;
  if (args !== undefined && (args.length !== asked.length || args.some((arg, index) => arg !== asked[index]))) {
    throw invalidManifest(
      `the manifest is bound to args ${JSON.stringify(args)}, but the bundle runs ${quote(asked.join(" "))}`,
    );
  }
}

/** A digest is longer than quote() shows, and cut it would look like the one it is compared with. */
function quoteDigest(text: string): string {
  return text.length <= 71 ? JSON.stringify(text) : quote(text);
}

/** The error of an enrolled host that has no manifest for a bundle. */
export function manifestRequired(detail: string): EdgerunError {
  return new EdgerunError(
    "MANIFEST_REQUIRED",
    `this host has an owner, so a container needs a signed manifest: ${detail}`,
  );
}
