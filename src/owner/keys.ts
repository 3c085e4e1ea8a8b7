// SPDX-License-Identifier: Apache-2.0
// The owner's keys as JWK files (RFC 7517): kid is always the RFC 7638 thumbprint. Node only.
import { readFile, stat } from "node:fs/promises";
import { type CryptoKey, calculateJwkThumbprint, importJWK, type JWK } from "jose";
import { EdgerunError } from "../errors.ts";

/** The names of the algorithms in JOSE headers; EdDSA is Ed25519 here. */
export type KeyAlgorithm = "EdDSA" | "ES256";

/** A key that signs or verifies. */
export type OwnerKey = { kid: string; algorithm: KeyAlgorithm; key: CryptoKey };

/**
 * Reads a private key; one that others can read is refused, as ssh(1) does.
 * @throws EdgerunError HOST, or MANIFEST_INVALID if the file is no such key
 */
export async function readPrivateKey(file: string): Promise<OwnerKey> {
  const jwk = await readJwk(file);
  if (jwk.d === undefined) throw refuse(file, "it is a public key; sign with the private one (.key)");
  if (((await stat(file)).mode & 0o077) !== 0) throw refuse(file, "others can read it; take that away (chmod 600)");
  return importKey(file, jwk);
}

/** Reads a public key, as it is enrolled on devices. */
export async function readPublicKey(file: string): Promise<OwnerKey> {
  const jwk = await readJwk(file);
  if (jwk.d !== undefined) throw refuse(file, "it is a private key; nobody but its owner should have it");
  return importKey(file, jwk);
}

async function readJwk(file: string): Promise<JWK> {
  try {
    return JSON.parse(await readText(file)) as JWK;
  } catch (error) {
    if (error instanceof SyntaxError) throw refuse(file, `it is not JSON: ${error.message}`);
    throw error;
  }
}

async function importKey(file: string, jwk: JWK): Promise<OwnerKey> {
  const algorithm = algorithmOfJwk(jwk);
  if (algorithm === undefined) throw refuse(file, "it is neither an Ed25519 nor a P-256 key");
  const kid = await calculateJwkThumbprint(jwk, "sha256");
  if (jwk.kid !== undefined && jwk.kid !== kid) throw refuse(file, `its kid is not its thumbprint "${kid}"`);
  const key = await importJWK({ ...jwk, alg: algorithm }, algorithm);
  if (key instanceof Uint8Array) throw refuse(file, "it is a shared secret");
  return { kid, algorithm, key };
}

function algorithmOfJwk(jwk: JWK): KeyAlgorithm | undefined {
  if (jwk.kty === "OKP" && jwk.crv === "Ed25519") return "EdDSA";
  return jwk.kty === "EC" && jwk.crv === "P-256" ? "ES256" : undefined;
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
