// SPDX-License-Identifier: Apache-2.0
// Public keys as JWK (RFC 7517): which algorithm a key is for, its bytes, and its thumbprint (RFC 7638).
import type { Host } from "../host/functions.ts";
import { quote } from "../schema/describe.ts";
import type { Decoded, Schema } from "../schema/schema.ts";
import { hexToBase64Url, invalidManifest } from "./text.ts";

/** As in the `algorithm` argument of host.verifySignature. */
export type SignatureAlgorithm = "EdDSA" | "ES256" | "ES512";

/** For messages. */
export const algorithmNames = "EdDSA (Ed25519), ES256 or ES512";

export type PublicKey = {
  /** RFC 7638 thumbprint (SHA-256, base64url). */
  kid: string;
  /** The only algorithm that this key may be used with; a token's header can't choose another. */
  algorithm: SignatureAlgorithm;
  /** As host.verifySignature takes it. */
  key: Uint8Array;
  /** Where the key was read from, for messages. */
  file: string;
};

/** What counts of a JWK; other members say nothing about how the key may be used here. */
export const jwkSchema = {
  required: { kty: "string", kid: "string" },
  optional: {
    crv: "string",
    x: "string",
    y: "string",
    use: "string",
    key_ops: { list: "string" },
    alg: "string",
    d: "string",
    k: "string",
    priv: "string",
  },
} as const satisfies Schema;

export type Jwk = Decoded<typeof jwkSchema>;

/**
 * The algorithm that a JOSE `alg` name stands for; undefined for those that edgerun does not accept.
 * "Ed25519" (RFC 9864) is what "EdDSA" (RFC 8037) means with the only curve accepted here.
 * @throws MANIFEST_INVALID for one that is known, and that this build can't verify
 */
export function algorithmOf(alg: string): SignatureAlgorithm | undefined {
  if (alg === "EdDSA" || alg === "Ed25519") return "EdDSA";
  return alg === "ES256" || alg === "ES512" ? alg : undefined;
}

/**
 * A key that verifies.
 * @throws MANIFEST_INVALID if it holds a secret, is for something else, or its kid is not its thumbprint
 */
export function decodeKey(host: Host, jwk: Jwk, file: string): PublicKey {
  if (jwk.d !== undefined || jwk.k !== undefined || jwk.priv !== undefined) {
    throw invalidManifest("it holds a secret; put only the public key on a device");
  }
  if (jwk.use !== undefined && jwk.use !== "sig") throw invalidManifest('"use" is not "sig"');
  if (jwk.key_ops !== undefined && !jwk.key_ops.includes("verify")) {
    throw invalidManifest('"key_ops" does not include "verify"');
  }
  const { algorithm, key, members } = decodePublicKey(host, jwk);
  if (jwk.alg !== undefined && algorithmOf(jwk.alg) !== algorithm) {
    throw invalidManifest(`"alg" does not fit the key, which is for ${algorithm}`);
  }
  const kid = hexToBase64Url(host.sha256(host.textToBytes(members)));
  if (jwk.kid !== kid) throw invalidManifest(`"kid" is not the key's RFC 7638 thumbprint ${quote(kid)}`);
  return { kid, algorithm, key, file };
}

type DecodedKey = {
  algorithm: SignatureAlgorithm;
  key: Uint8Array;
  /** What RFC 7638 section 3 hashes: the required members, in order, without spaces. */
  members: string;
};

function decodePublicKey(host: Host, jwk: Jwk): DecodedKey {
  if (jwk.kty === "OKP" && jwk.crv === "Ed25519") {
    const x = readCoordinate(host, jwk, "x", 32);
    return { algorithm: "EdDSA", key: x.bytes, members: `{"crv":"Ed25519","kty":"OKP","x":"${x.text}"}` };
  }
  if (jwk.kty === "EC" && jwk.crv === "P-256") return decodePoint(host, jwk, "ES256", jwk.crv, 32);
  if (jwk.kty === "EC" && jwk.crv === "P-521") return decodePoint(host, jwk, "ES512", jwk.crv, 66);
  throw invalidManifest('not an Ed25519 key ("kty":"OKP"), nor one of P-256 or P-521 ("kty":"EC")');
}

function decodePoint(host: Host, jwk: Jwk, algorithm: SignatureAlgorithm, curve: string, size: number): DecodedKey {
  const x = readCoordinate(host, jwk, "x", size);
  const y = readCoordinate(host, jwk, "y", size);
  const key = new Uint8Array(1 + 2 * size);
  key[0] = 4; // SEC 1 section 2.3.3: an uncompressed point
  key.set(x.bytes, 1);
  key.set(y.bytes, 1 + size);
  return { algorithm, key, members: `{"crv":"${curve}","kty":"EC","x":"${x.text}","y":"${y.text}"}` };
}

function readCoordinate(host: Host, jwk: Jwk, name: "x" | "y", size: number): { text: string; bytes: Uint8Array } {
  const text = jwk[name];
  if (text === undefined) throw invalidManifest(`"${name}" is missing`);
  const bytes = host.base64UrlDecode(text);
  if (bytes.length !== size) throw invalidManifest(`"${name}" has ${bytes.length} bytes instead of ${size}`);
  return { text, bytes };
}
