// SPDX-License-Identifier: Apache-2.0
// The trust store: a directory of public keys (JWK, RFC 7517), one per *.jwk file, that only root can write. A host
// with at least one key is enrolled. One bad file refuses the whole store: an owner who thinks that a key is in force
// must not find out later that it was skipped.
import type { Host, Json } from "../host/functions.ts";
import { quote } from "../schema/describe.ts";
import { hexToBase64Url, invalidManifest } from "./text.ts";

/** As in the `algorithm` argument of host.verifySignature. */
export type SignatureAlgorithm = "EdDSA" | "ES256";

export type TrustedKey = {
  /** RFC 7638 thumbprint (SHA-256, base64url). */
  kid: string;
  /** The only algorithm that this key may be used with; a token's header can't choose another. */
  algorithm: SignatureAlgorithm;
  /** As host.verifySignature takes it. */
  key: Uint8Array;
  /** Where the key was read from, for messages. */
  file: string;
};

export type TrustStore = { directory: string; keys: readonly TrustedKey[] };

type JsonObject = { [key: string]: Json };

const maxKeyBytes = 8192;
const fileTypeMask = 0o170000;
const directoryType = 0o040000;
const regularType = 0o100000;
const writableByOthers = 0o022;

/**
 * Reads and checks all keys. A directory that is absent is an empty store: the host is not enrolled.
 * The checks come before the reads; what they check (root owns it, nobody else can write) keeps it so until then.
 * @param uid the user that edgerun runs as; directory and files belong to it or to root
 * @throws MANIFEST_INVALID naming the file, and what is wrong with it
 */
export function readTrustStore(host: Host, directory: string, uid = 0): TrustStore {
  const info = host.fileInfo(directory, 0);
  if (info === null) return { directory, keys: [] };
  checkOwnership(directory, info, uid, directoryType, "directory");
  const keys: TrustedKey[] = [];
  for (const name of host.listDirectory(directory)) {
    if (!name.endsWith(".jwk")) continue;
    const file = `${directory}/${name}`;
    const fileInfo = host.fileInfo(file, 0);
    if (fileInfo === null) throw invalidManifest(`trusted key ${quote(file)} disappeared while it was read; try again`);
    checkOwnership(file, fileInfo, uid, regularType, "regular file");
    const key = readKey(host, file);
    if (findKey({ directory, keys }, key.kid) === undefined) keys.push(key);
  }
  return { directory, keys };
}

/** True if the owner of the device has put at least one key in the store. */
export function isEnrolled(store: TrustStore): boolean {
  return store.keys.length > 0;
}

/** The key with this thumbprint; it selects and nothing else: no path or name is ever made from a kid. */
export function findKey(store: TrustStore, kid: string): TrustedKey | undefined {
  return store.keys.find((key) => key.kid === kid);
}

function checkOwnership(path: string, info: number[], uid: number, type: number, typeName: string): void {
  const [mode = 0, owner = -1] = info;
  if ((mode & fileTypeMask) !== type) {
    throw invalidManifest(`trust store ${quote(path)} is not a ${typeName} (links are refused)`);
  }
  if (owner !== 0 && owner !== uid) {
    throw invalidManifest(`trust store ${quote(path)} belongs to uid ${owner}; make it root's (chown 0)`);
  }
  if ((mode & writableByOthers) !== 0) {
    throw invalidManifest(`trust store ${quote(path)} is writable by others; take that away (chmod go-w)`);
  }
}

function readKey(host: Host, file: string): TrustedKey {
  try {
    const jwk = host.parseJson(host.readFile(file, maxKeyBytes), file);
    if (typeof jwk !== "object" || jwk === null || Array.isArray(jwk)) throw invalidManifest("not a JSON object");
    return decodeKey(host, jwk, file);
  } catch (error) {
    throw invalidManifest(`trusted key ${quote(file)} is refused`, error);
  }
}

function decodeKey(host: Host, jwk: JsonObject, file: string): TrustedKey {
  if (jwk.d !== undefined || jwk.k !== undefined) {
    throw invalidManifest('it holds a secret ("d" or "k"); put only the public key on a device');
  }
  if (jwk.use !== undefined && jwk.use !== "sig") throw invalidManifest('"use" is not "sig"');
  const operations = jwk.key_ops;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes("verify"))) {
    throw invalidManifest('"key_ops" does not include "verify"');
  }
  const { algorithm, key, members } = decodePublicKey(host, jwk);
  if (jwk.alg !== undefined && (typeof jwk.alg !== "string" || algorithmOf(jwk.alg) !== algorithm)) {
    throw invalidManifest(`"alg" does not fit the key, which is for ${algorithm}`);
  }
  const kid = hexToBase64Url(host.sha256(host.textToBytes(members)));
  if (jwk.kid !== kid) throw invalidManifest(`"kid" is not the key's RFC 7638 thumbprint ${quote(kid)}`);
  return { kid, algorithm, key, file };
}

/**
 * The algorithm that a JOSE `alg` name stands for; undefined for those that edgerun does not accept.
 * "Ed25519" (RFC 9864) is what "EdDSA" (RFC 8037) means with the only curve accepted here.
 */
export function algorithmOf(alg: string): SignatureAlgorithm | undefined {
  if (alg === "EdDSA" || alg === "Ed25519") return "EdDSA";
  return alg === "ES256" ? "ES256" : undefined;
}

/** The key's bytes, and the members that RFC 7638 section 3 hashes: the required ones, in order, without spaces. */
function decodePublicKey(
  host: Host,
  jwk: JsonObject,
): { algorithm: SignatureAlgorithm; key: Uint8Array; members: string } {
  if (jwk.kty === "OKP" && jwk.crv === "Ed25519") {
    const x = readCoordinate(host, jwk, "x");
    return { algorithm: "EdDSA", key: x.bytes, members: `{"crv":"Ed25519","kty":"OKP","x":"${x.text}"}` };
  }
  if (jwk.kty === "EC" && jwk.crv === "P-256") {
    const x = readCoordinate(host, jwk, "x");
    const y = readCoordinate(host, jwk, "y");
    const key = new Uint8Array(65);
    key[0] = 4; // SEC 1 section 2.3.3: an uncompressed point
    key.set(x.bytes, 1);
    key.set(y.bytes, 33);
    return { algorithm: "ES256", key, members: `{"crv":"P-256","kty":"EC","x":"${x.text}","y":"${y.text}"}` };
  }
  throw invalidManifest('not an Ed25519 key ("kty":"OKP") or a P-256 key ("kty":"EC")');
}

function readCoordinate(host: Host, jwk: JsonObject, name: "x" | "y"): { text: string; bytes: Uint8Array } {
  const text = jwk[name];
  if (typeof text !== "string") throw invalidManifest(`"${name}" is missing`);
  const bytes = host.base64UrlDecode(text);
  if (bytes.length !== 32) throw invalidManifest(`"${name}" has ${bytes.length} bytes instead of 32`);
  return { text, bytes };
}
