// SPDX-License-Identifier: Apache-2.0
// The envelope: a JWS in compact serialization (RFC 7515 section 7.1), in a profile that leaves nothing to choose.
// The header has alg, kid and typ, and no other member: keys come from the trust store alone, and an extension that
// this version doesn't know can't be meant for it.
import type { Host, Json } from "../host/functions.ts";
import { quote } from "../schema/describe.ts";
import { invalidManifest } from "./text.ts";
import { algorithmOf, findKey, type TrustedKey, type TrustStore } from "./trust.ts";

/** The `typ` of a capability manifest: explicit typing, so that no other token of the same key passes (RFC 8725). */
export const manifestType = "edgerun-capability+jws";
/** The whole file: header, payload and signature, in bytes. */
export const maxManifestBytes = 65536;

/** A payload whose signature is valid. */
export type VerifiedPayload = { text: string; kid: string; digest: string };

type Token = { header: string; payload: string; signature: string };

/**
 * Checks the signature and gives the payload's text: decoded from the very bytes that were verified.
 * One newline at the end of the file is accepted, and is not part of the digest ("sha256:..." of the token).
 * @throws MANIFEST_INVALID
 */
export function verifyToken(host: Host, fileText: string, trust: TrustStore): VerifiedPayload {
  if (fileText.length > maxManifestBytes) {
    throw invalidManifest(`the manifest is larger than ${maxManifestBytes} bytes`);
  }
  const text = fileText.endsWith("\n") ? fileText.slice(0, -1) : fileText;
  const token = splitToken(text);
  const key = selectKey(trust, readHeader(host, token.header));
  const signature = decodePart(host, token.signature, "signature");
  const signed = host.textToBytes(`${token.header}.${token.payload}`);
  if (host.verifySignature(key.algorithm, key.key, signed, signature) !== 1) {
    throw invalidManifest(`the manifest's signature is not valid for key ${quote(key.kid)} (${quote(key.file)})`);
  }
  const payload = decodeText(host, token.payload, "payload");
  return { text: payload, kid: key.kid, digest: `sha256:${host.sha256(host.textToBytes(text))}` };
}

function splitToken(text: string): Token {
  const [header, payload, signature, ...rest] = text.split(".", 4);
  if (!header || !payload || !signature || rest.length > 0) {
    throw invalidManifest("the manifest is not a signed JWS in compact form (header.payload.signature)");
  }
  return { header, payload, signature };
}

function readHeader(host: Host, part: string): { alg: string; kid: string } {
  let header: Json;
  try {
    header = host.parseJson(decodeText(host, part, "header"), "manifest header");
  } catch (error) {
    throw invalidManifest("the manifest's header is refused", error);
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw invalidManifest("the manifest's header is not a JSON object");
  }
  for (const name of Object.keys(header)) {
    if (name === "crit") throw invalidManifest("the manifest's header has critical extensions; none is supported");
    if (name !== "alg" && name !== "kid" && name !== "typ") {
      throw invalidManifest(`the manifest's header has ${quote(name)}; only alg, kid and typ are accepted`);
    }
  }
  const { alg, kid, typ } = header;
  if (typ !== manifestType) throw invalidManifest(`the manifest's header does not have typ "${manifestType}"`);
  if (typeof alg !== "string" || typeof kid !== "string") {
    throw invalidManifest("the manifest's header lacks alg or kid");
  }
  return { alg, kid };
}

function selectKey(trust: TrustStore, header: { alg: string; kid: string }): TrustedKey {
  const algorithm = algorithmOf(header.alg);
  if (algorithm === undefined) {
    throw invalidManifest(`the manifest's alg ${quote(header.alg)} is not accepted; use EdDSA, Ed25519 or ES256`);
  }
  const key = findKey(trust, header.kid);
  if (key === undefined) {
    throw invalidManifest(
      `the manifest is signed by key ${quote(header.kid)}, which is not in ${quote(trust.directory)}`,
    );
  }
  if (key.algorithm !== algorithm) {
    throw invalidManifest(
      `the manifest's alg ${quote(header.alg)} does not fit key ${quote(key.kid)} (${key.algorithm})`,
    );
  }
  return key;
}

function decodePart(host: Host, part: string, name: string): Uint8Array {
  try {
    return host.base64UrlDecode(part);
  } catch (error) {
    throw invalidManifest(`the manifest's ${name} is not base64url`, error);
  }
}

function decodeText(host: Host, part: string, name: string): string {
  const bytes = decodePart(host, part, name);
  try {
    return host.bytesToText(bytes);
  } catch (error) {
    throw invalidManifest(`the manifest's ${name} is not UTF-8`, error);
  }
}
