// SPDX-License-Identifier: Apache-2.0
// `edgerun owner keygen`: a new key pair. Node only.
import { writeFile } from "node:fs/promises";
import { calculateJwkThumbprint, exportJWK, generateKeyPair } from "jose";
import { fileError, type KeyAlgorithm } from "./keys.ts";

export type KeygenOptions = {
  /** Path without suffix: OUT.key is the private key, OUT.jwk the public one. */
  out: string;
  /** EdDSA (Ed25519) unless given. */
  alg?: KeyAlgorithm;
};

export type KeygenResult = { kid: string; privateFile: string; publicFile: string };

/**
 * Makes a key pair: OUT.key (mode 0600), which stays with the owner, and OUT.jwk, which goes into the trust store of
 * each device. Existing files are never replaced.
 * @throws EdgerunError HOST
 */
export async function keygen({ out, alg = "EdDSA" }: KeygenOptions): Promise<KeygenResult> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const publicJwk = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(publicJwk, "sha256");
  const privateFile = `${out}.key`;
  const publicFile = `${out}.jwk`;
  await createFile(privateFile, { ...(await exportJWK(privateKey)), kid, alg, use: "sig" }, 0o600);
  await createFile(publicFile, { ...publicJwk, kid, alg, use: "sig" }, 0o644);
  return { kid, privateFile, publicFile };
}

async function createFile(file: string, jwk: object, mode: number): Promise<void> {
  try {
    await writeFile(file, `${JSON.stringify(jwk, null, 2)}\n`, { mode, flag: "wx" });
  } catch (error) {
    throw fileError("create", file, error);
  }
}
