// SPDX-License-Identifier: Apache-2.0
// The host functions that manifests are verified with, on Node's own crypto and fs: on a workstation a manifest is judged
// by the code of the device, without its binary. An implementation independent of native/core. Node only.
import { createHash, createPublicKey, type JsonWebKey, verify } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, statSync } from "node:fs";
import { EdgerunError } from "../errors.ts";
import type { Host, Json } from "../host/functions.ts";
import { parseStrictJson } from "./strict_json.ts";

/**
 * A host that can read and verify, and nothing else: other functions throw a TypeError.
 * @param now seconds since the epoch
 */
export function makeNodeHost(now: number): Host {
  const functions: Partial<Host> = {
    clock: () => [now, 0],
    listDirectory: (path) => attempt("list", path, () => readdirSync(path).sort()),
    fileInfo: (path, followLinks) => {
      const info = (followLinks ? statSync : lstatSync)(path, { throwIfNoEntry: false });
      if (info === undefined) return null;
      const { mode, uid, gid, size, dev, ino, rdev } = info;
      return [mode, uid, gid, size, dev, ino, (rdev >> 8) & 0xfff, (rdev & 0xff) | ((rdev >> 12) & 0xfff00)];
    },
    readFile: (path, maxBytes) => attempt("read", path, () => readLimited(path, maxBytes)),
    readFileIfExists: (path, maxBytes) => {
      if (statSync(path, { throwIfNoEntry: false }) === undefined) return null;
      return attempt("read", path, () => readLimited(path, maxBytes));
    },
    parseJson: (text, label) => {
      try {
        return withoutPrototypes(parseStrictJson(text) as Json);
      } catch (error) {
        throw new EdgerunError("HOST", `${label}: ${(error as Error).message}`, { errno: "EINVAL" });
      }
    },
    sha256: (data) => createHash("sha256").update(data).digest("hex"),
    base64UrlDecode: (text) => {
      const bytes = Buffer.from(text, "base64url");
      // Node skips what is not base64url; a text that does not come back is not canonical.
      if (bytes.toString("base64url") !== text) throw new EdgerunError("HOST", "not base64url", { errno: "EINVAL" });
      return new Uint8Array(bytes);
    },
    bytesToText: (data) => {
      try {
        return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(data);
      } catch {
        throw new EdgerunError("HOST", "not UTF-8", { errno: "EILSEQ" });
      }
    },
    textToBytes: (text) => new TextEncoder().encode(text),
    verifySignature: (algorithm, key, message, signature) => {
      const publicKey = createPublicKey({ key: keyToJwk(algorithm, key), format: "jwk" });
      if (algorithm === "EdDSA") return verify(null, message, publicKey, signature) ? 1 : 0;
      const digest = algorithm === "ES512" ? "sha512" : "sha256";
      return verify(digest, message, { key: publicKey, dsaEncoding: "ieee-p1363" }, signature) ? 1 : 0;
    },
  };
  return functions as Host;
}

/** A key as verifySignature takes it: 32 bytes, or an uncompressed point. */
function keyToJwk(algorithm: string, key: Uint8Array): JsonWebKey {
  const encode = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64url");
  if (algorithm === "EdDSA") return { kty: "OKP", crv: "Ed25519", x: encode(key) };
  const middle = (key.length + 1) / 2;
  const crv = algorithm === "ES512" ? "P-521" : "P-256";
  return { kty: "EC", crv, x: encode(key.subarray(1, middle)), y: encode(key.subarray(middle)) };
}

function attempt<T>(operation: string, path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (error instanceof EdgerunError) throw error;
    const errno = (error as NodeJS.ErrnoException).code;
    throw new EdgerunError("HOST", `cannot ${operation} "${path}": ${errno}`, { errno });
  }
}

function readLimited(path: string, maxBytes: number): string {
  const data = readFileSync(path);
  if (data.length > maxBytes) throw new EdgerunError("HOST", `cannot read "${path}": EFBIG`, { errno: "EFBIG" });
  return data.toString("utf8");
}

function withoutPrototypes(value: Json): Json {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutPrototypes);
  const entries = Object.entries(value).map(([name, item]) => [name, withoutPrototypes(item)] as const);
  return Object.assign(Object.create(null), Object.fromEntries(entries));
}
