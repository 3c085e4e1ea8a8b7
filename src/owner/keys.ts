// SPDX-License-Identifier: Apache-2.0
// The owner's keys as JWK files (RFC 7517): kid is always the RFC 7638 thumbprint. Node only.
import { createPrivateKey, createPublicKey, type JsonWebKey, type KeyObject } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { calculateJwkThumbprint, type JWK } from "jose";
import { EdgerunError } from "../errors.ts";

/** The names of the algorithms in JOSE headers; EdDSA is Ed25519 here. */
export type KeyAlgorithm = "EdDSA" | "ES256" | "ES512";

/** A key that signs or verifies. */
export type OwnerKey = { kid: string; algorithm: KeyAlgorithm; key: KeyObject };

/**
 * Reads a private key; one that others can read is refused, as ssh(1) does.
 * @throws EdgerunError HOST, or MANIFEST_INVALID if the file is no such key
 */
export async function readPrivateKey(file: string): Promise<OwnerKey> {
  const jwk = await readJwk(file);
  if (jwk.d === undefined) throw refuse(file, "it is a public key; sign with the private one (.key)");
  if (((await stat(file)).mode & 0o077) !== 0) throw refuse(file, "others can read it; take that away (chmod 600)");
  return importKey(file, jwk, (key) => createPrivateKey({ key, format: "jwk" }));
}

/** Reads a public key, as it is enrolled on devices. */
export async function readPublicKey(file: string): Promise<OwnerKey> {
  const jwk = await readJwk(file);
  if (jwk.d !== undefined) throw refuse(file, "it is a private key; nobody but its owner should have it");
  return importKey(file, jwk, (key) => createPublicKey({ key, format: "jwk" }));
}

async function readJwk(file: string): Promise<JWK> {
  const text = await readText(file);
  try {
    const jwk: unknown = JSON.parse(text);
    if (typeof jwk !== "object" || jwk === null || Array.isArray(jwk)) throw refuse(file, "it is not a JSON object");
    return jwk as JWK;
  } catch (error) {
    if (error instanceof SyntaxError)
      throw refuse(file, text === "" ? "it is empty" : `it is not JSON: ${error.message}`);
    throw error;
  }
}

async function importKey(file: string, jwk: JWK, load: (jwk: JsonWebKey) => KeyObject): Promise<OwnerKey> {
  const algorithm = algorithmOfJwk(jwk);
  if (algorithm === undefined) throw refuse(file, "it is neither an Ed25519 nor a P-256 or P-521 key");
  try {
    const kid = await calculateJwkThumbprint(jwk, "sha256");
    if (jwk.kid !== undefined && jwk.kid !== kid) throw refuse(file, `its kid is not its thumbprint "${kid}"`);
    return { kid, algorithm, key: load(jwk as JsonWebKey) };
  } catch (error) {
    if (error instanceof EdgerunError) throw error;
    throw refuse(file, error instanceof Error ? error.message : String(error));
  }
}

function algorithmOfJwk(jwk: JWK): KeyAlgorithm | undefined {
  if (jwk.kty === "OKP" && jwk.crv === "Ed25519") return "EdDSA";
  if (jwk.kty !== "EC") return undefined;
  if (jwk.crv === "P-256") return "ES256";
  return jwk.crv === "P-521" ? "ES512" : undefined;
}

/** A text file of the owner's; failures as HOST errors with errno. */
export async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw fileError("read", file, error);
  }
}

/** The HOST error for a failed operation on a file. */
export function fileError(operation: string, file: string, cause: unknown): EdgerunError {
  const errno = (cause as NodeJS.ErrnoException).code;
  return new EdgerunError("HOST", `cannot ${operation} ${JSON.stringify(file)}: ${errno ?? cause}`, { cause, errno });
}

function refuse(file: string, problem: string): EdgerunError {
  return new EdgerunError("MANIFEST_INVALID", `key ${JSON.stringify(file)} is refused: ${problem}`);
}
