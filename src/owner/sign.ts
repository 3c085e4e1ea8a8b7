// SPDX-License-Identifier: Apache-2.0
// `edgerun owner sign`: a manifest as a signed token. Node only.
import { writeFile } from "node:fs/promises";
import { CompactSign } from "jose";
import { EdgerunError } from "../errors.ts";
import type { Json } from "../host/functions.ts";
import { decodeManifest } from "../manifest/decode.ts";
import { manifestType, maxManifestBytes } from "../manifest/jws.ts";
import { checkValidity } from "../manifest/verify.ts";
import { fileError, readPrivateKey, readText } from "./keys.ts";
import { parseStrictJson } from "./strict_json.ts";

export type SignOptions = {
  /** The private key's file. */
  key: string;
  /** The manifest as JSON. */
  manifestFile: string;
  /** Where the signed manifest is written; replaced if it is there. */
  out: string;
  /** Seconds since the epoch; the clock's unless given. */
  now?: number;
};

export type SignResult = { kid: string; jti: string; out: string; bytes: number };

/**
 * Checks a manifest as a device would, and signs it.
 * @throws EdgerunError MANIFEST_INVALID with the JSON path of the first problem; HOST
 */
export async function sign({ key: keyFile, manifestFile, out, now = currentTime() }: SignOptions): Promise<SignResult> {
  const payload = parseManifest(await readText(manifestFile), manifestFile);
  const manifest = decodeManifest(payload);
  // One that is valid only later may be signed now; one that a device refuses already may not.
  checkValidity({ ...manifest, nbf: 0 }, now);
  const { kid, algorithm, key } = await readPrivateKey(keyFile);
  const token = await new CompactSign(new TextEncoder().encode(JSON.stringify(payload)))
    .setProtectedHeader({ alg: algorithm, kid, typ: manifestType })
    .sign(key);
  if (token.length > maxManifestBytes) {
    throw invalid(
      `manifest ${JSON.stringify(manifestFile)} is ${token.length} bytes signed, ${maxManifestBytes} is the most`,
    );
  }
  try {
    await writeFile(out, `${token}\n`);
  } catch (error) {
    throw fileError("write", out, error);
  }
  return { kid, jti: manifest.jti, out, bytes: token.length };
}

function parseManifest(text: string, file: string): Json {
  try {
    return parseStrictJson(text) as Json;
  } catch (error) {
    if (error instanceof SyntaxError)
      throw invalid(`manifest ${JSON.stringify(file)} is not strict JSON: ${error.message}`);
    throw error;
  }
}

function invalid(message: string): EdgerunError {
  return new EdgerunError("MANIFEST_INVALID", message);
}

/** Seconds since the epoch. */
export function currentTime(): number {
  return Math.floor(Date.now() / 1000);
}
