// SPDX-License-Identifier: Apache-2.0
// Signed documents: a JWS (RFC 7515), compact for one signature, in general JSON serialization for several, in a profile
// that leaves nothing to choose. A protected header has alg, kid and typ, and no other member: keys come from the trust
// store alone, and an extension that this version doesn't know can't be meant for it. There are no unprotected headers.
import type { Host, Json } from "../host/functions.ts";
import { decode } from "../schema/decode.ts";
import { quote } from "../schema/describe.ts";
import type { Schema } from "../schema/schema.ts";
import { algorithmNames, algorithmOf, type PublicKey } from "./keys.ts";
import { invalidManifest } from "./text.ts";

/** A kind of signed document. `typ` is explicit typing: no other token of the same key passes for it (RFC 8725). */
export type DocumentType = {
  typ: string;
  /** For messages: "the manifest". */
  label: string;
  /** The whole file, in bytes. */
  maxBytes: number;
};

/** A manifest can carry 100,000 destinations; nearly all have less than 8 KiB. */
export const manifestType: DocumentType = {
  typ: "edgerun-capability+jws",
  label: "the manifest",
  maxBytes: 4 << 20,
};

/** Whoever may sign; `unknown`: what to do with signatures of other keys. */
export type Keyring<K extends PublicKey> = {
  keys: readonly K[];
  unknown: "refuse" | "ignore";
  /** Where the keys are from, for messages. */
  source: string;
};

/** A document of which every signature that counts is valid. */
export type VerifiedDocument<K extends PublicKey> = {
  /** Decoded from the very bytes that were verified. */
  text: string;
  /** "sha256:..." of these bytes: the same with whatever signatures. It names the document in records and lists. */
  digest: string;
  /** At least one. Each key once. */
  signers: K[];
};

type Signature = { protected: string; signature: string };
type Envelope = { payload: string; signatures: Signature[] };

const maxSignatures = 16;

const generalSchema = {
  required: {
    payload: "nonempty_string",
    signatures: {
      list: {
        required: { protected: "nonempty_string", signature: "nonempty_string" },
        optional: {},
        unknown: "reject",
      },
      minItems: 1,
      maxItems: maxSignatures,
    },
  },
  optional: {},
  unknown: "reject",
} as const satisfies Schema;

/**
 * Checks the signatures and gives the payload. One newline at the end of the file is accepted.
 * @throws MANIFEST_INVALID when one is not valid, is by a key that is not in the ring (and `unknown` is "refuse"), or
 *   when none is left
 */
export function verifyDocument<K extends PublicKey>(
  host: Host,
  fileText: string,
  type: DocumentType,
  ring: Keyring<K>,
): VerifiedDocument<K> {
  const { label, maxBytes } = type;
  if (fileText.length > maxBytes) throw invalidManifest(`${label} is larger than ${maxBytes} bytes`);
  const envelope = parseEnvelope(host, trimNewline(fileText), label);
  const signers: K[] = [];
  for (const signature of envelope.signatures) {
    const key = verifySignature(host, envelope.payload, signature, type, ring);
    if (key === undefined) continue;
    if (signers.includes(key)) throw invalidManifest(`${label} is signed twice by key ${quote(key.kid)}`);
    signers.push(key);
  }
  if (signers.length === 0) throw invalidManifest(`${label} is signed by no key of ${quote(ring.source)}`);
  const bytes = decodePart(host, envelope.payload, `${label}'s payload`);
  return {
    text: decodeUtf8(host, bytes, `${label}'s payload`),
    digest: `sha256:${host.sha256(bytes)}`,
    signers,
  };
}

/**
 * What a document says, without any check of who says it: for finding the keys that it brings along, and for showing.
 * @throws MANIFEST_INVALID if it is no signed document, or its payload is no JSON
 */
export function peekPayload(host: Host, fileText: string, { label, maxBytes }: DocumentType): Json {
  if (fileText.length > maxBytes) throw invalidManifest(`${label} is larger than ${maxBytes} bytes`);
  const { payload } = parseEnvelope(host, trimNewline(fileText), label);
  const bytes = decodePart(host, payload, `${label}'s payload`);
  return parseJson(host, decodeUtf8(host, bytes, `${label}'s payload`), `${label}'s payload`);
}

function trimNewline(text: string): string {
  return text.endsWith("\n") ? text.slice(0, -1) : text;
}

function parseEnvelope(host: Host, text: string, label: string): Envelope {
  const unsigned = `${label} is not a signed JWS: neither in compact form (header.payload.signature) nor in general JSON form`;
  if (!text.startsWith("{")) {
    const [header, payload, signature, ...rest] = text.split(".", 4);
    if (!header || !payload || !signature || rest.length > 0 || text.includes("\0")) throw invalidManifest(unsigned);
    return { payload, signatures: [{ protected: header, signature }] };
  }
  const json = parseJson(host, text, label);
  if (typeof json !== "object" || json === null || !("signatures" in json)) throw invalidManifest(unsigned);
  return decode(generalSchema, json, label, "MANIFEST_INVALID").value;
}

/** The key that made the signature; undefined if it is of another key, and such are ignored. */
function verifySignature<K extends PublicKey>(
  host: Host,
  payload: string,
  { protected: header, signature }: Signature,
  { typ, label }: DocumentType,
  ring: Keyring<K>,
): K | undefined {
  const { alg, kid } = readHeader(host, header, typ, label);
  const key = selectKey(ring, alg, kid, label);
  if (key === undefined) return undefined;
  const message = host.textToBytes(`${header}.${payload}`);
  const bytes = decodePart(host, signature, `${label}'s signature`);
  if (host.verifySignature(key.algorithm, key.key, message, bytes) !== 1) {
    throw invalidManifest(`${label}'s signature is not valid for key ${quote(key.kid)} (${quote(key.file)})`);
  }
  return key;
}

function readHeader(host: Host, part: string, typ: string, label: string): { alg: string; kid: string } {
  const bytes = decodePart(host, part, `${label}'s header`);
  const header = parseJson(host, decodeUtf8(host, bytes, `${label}'s header`), `${label}'s header`);
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw invalidManifest(`${label}'s header is not a JSON object`);
  }
  for (const name of Object.keys(header)) {
    if (name === "crit") throw invalidManifest(`${label}'s header has critical extensions; none is supported`);
    if (name !== "alg" && name !== "kid" && name !== "typ") {
      throw invalidManifest(`${label}'s header has ${quote(name)}; only alg, kid and typ are accepted`);
    }
  }
  const { alg, kid } = header;
  if (header.typ !== typ) throw invalidManifest(`${label}'s header does not have typ "${typ}"`);
  if (typeof alg !== "string" || typeof kid !== "string") {
    throw invalidManifest(`${label}'s header lacks alg or kid`);
  }
  return { alg, kid };
}

/** The kid selects and nothing else: no path or name is ever made of it, and the key decides the algorithm. */
function selectKey<K extends PublicKey>(ring: Keyring<K>, alg: string, kid: string, label: string): K | undefined {
  const algorithm = algorithmOf(alg);
  if (algorithm === undefined) {
    throw invalidManifest(`${label}'s alg ${quote(alg)} is not accepted; use ${algorithmNames}`);
  }
  const key = ring.keys.find((one) => one.kid === kid);
  if (key === undefined) {
    if (ring.unknown === "ignore") return undefined;
    throw invalidManifest(`${label} is signed by key ${quote(kid)}, which is not in ${quote(ring.source)}`);
  }
  if (key.algorithm !== algorithm) {
    throw invalidManifest(`${label}'s alg ${quote(alg)} does not fit key ${quote(key.kid)} (${key.algorithm})`);
  }
  return key;
}

/** Strict JSON; what is wrong is an error of the document. */
export function parseJson(host: Host, text: string, label: string): Json {
  try {
    return host.parseJson(text, label);
  } catch (error) {
    throw invalidManifest(`${label} is refused`, error);
  }
}

function decodePart(host: Host, part: string, label: string): Uint8Array {
  try {
    return host.base64UrlDecode(part);
  } catch (error) {
    throw invalidManifest(`${label} is not base64url`, error);
  }
}

function decodeUtf8(host: Host, bytes: Uint8Array, label: string): string {
  try {
    return host.bytesToText(bytes);
  } catch (error) {
    throw invalidManifest(`${label} is not UTF-8`, error);
  }
}
