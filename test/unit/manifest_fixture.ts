// SPDX-License-Identifier: Apache-2.0
// A manifest, owners' keys, tokens signed by jose (not by edgerun), and trust stores in temporary directories.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { CompactSign, type CryptoKey, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from "jose";
import { EdgerunError, type ErrorCode } from "../../src/errors.ts";
import type { Manifest } from "../../src/manifest/schema.ts";
import type { Site } from "../../src/manifest/site.ts";
import { openVerifier, type VerifiedManifest, verifyManifest } from "../../src/manifest/verify.ts";
import type { KeyAlgorithm } from "../../src/owner/keys.ts";
import { nodeHost } from "./node_host.ts";

export const now = 1_800_000_000;
export const image = `sha256:${"ab".repeat(32)}`;
export const uid = process.getuid?.() ?? 0;

/** A valid manifest with few grants. */
export function exampleManifest(changes: Partial<Manifest> = {}): Manifest {
  return {
    schema: "edgerun/capability/v1",
    iss: "utility.example",
    jti: "meter-reader-17",
    seq: 17,
    iat: now - 100,
    exp: now + 1000,
    app: { id: "com.example.meter-reader", version: "1.2.3" },
    binding: { image },
    grants: { memory: { limitBytes: 64 * 1048576 }, pids: { limit: 32 } },
    ...changes,
  };
}

export type Owner = { privateKey: CryptoKey; jwk: JWK; kid: string; alg: KeyAlgorithm };

export async function makeOwner(alg: KeyAlgorithm = "EdDSA"): Promise<Owner> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(publicKey);
  const kid = await calculateJwkThumbprint(jwk);
  return { privateKey, jwk: { ...jwk, kid }, kid, alg };
}

export type SignChanges = { alg?: string; kid?: string; typ?: string; header?: object; payloadText?: string };

/** A token as the owner would sign it, with changes to the header or a payload text of any kind. */
export async function signToken(owner: Owner, manifest: unknown, changes: SignChanges = {}): Promise<string> {
  const { alg = owner.alg, kid = owner.kid, typ = "edgerun-capability+jws", header = {} } = changes;
  const payload = new TextEncoder().encode(changes.payloadText ?? JSON.stringify(manifest));
  const signer = new CompactSign(payload).setProtectedHeader({ alg, kid, typ, ...header });
  return signer.sign(owner.privateKey, { crit: { "com.example.unknown": true } });
}

/** A directory that is removed after the test. */
export function makeDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "edgerun-manifest-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A device with these keys in its trust store. */
export function makeSite(t: TestContext, ...keys: JWK[]): Site {
  const directory = makeDirectory(t);
  for (const name of ["etc", "etc/trust", "etc/manifests", "var"]) mkdirSync(join(directory, name), { mode: 0o755 });
  const site = { host: nodeHost(now), configRoot: join(directory, "etc"), dataRoot: join(directory, "var"), uid };
  for (const [index, jwk] of keys.entries()) {
    writeKey(join(site.configRoot, "trust"), `owner${index}.jwk`, JSON.stringify(jwk));
  }
  return site;
}

/** Verifies a manifest as a device does; a warning is a failure. */
export function verifyOn(site: Site, token: string): VerifiedManifest {
  const warn = (message: string): never => {
    throw new Error(`warning: ${message}`);
  };
  return verifyManifest(openVerifier(site, warn), token);
}

export function writeKey(directory: string, name: string, text: string, mode = 0o644): string {
  const file = join(directory, name);
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

/** For assert.throws: an EdgerunError of this code, of one line, with this text. */
export function failure(code: ErrorCode, text: string): (error: unknown) => true {
  return (error) => {
    if (!(error instanceof EdgerunError)) throw error;
    const problem = error.message.includes("\n")
      ? "more than one line"
      : error.message.includes(text)
        ? ""
        : "other text";
    if (error.code === code && problem === "") return true;
    throw new Error(`expected ${code} with "${text}", found ${error.code} (${problem}): ${error.message}`);
  };
}
