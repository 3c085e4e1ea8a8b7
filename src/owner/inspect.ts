// SPDX-License-Identifier: Apache-2.0
// `edgerun owner inspect`: what is in a signed manifest, and whether a device would take it. Node only.
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { compactVerify, decodeProtectedHeader } from "jose";
import { EdgerunError } from "../errors.ts";
import type { Json } from "../host/functions.ts";
import { decodeManifest } from "../manifest/decode.ts";
import { manifestType } from "../manifest/jws.ts";
import { checkValidity } from "../manifest/verify.ts";
import { fileError, readPublicKey, readText } from "./keys.ts";
import { currentTime } from "./sign.ts";
import { parseStrictJson } from "./strict_json.ts";

export type InspectOptions = {
  /** The signed manifest. */
  file: string;
  /** A directory of public keys (*.jwk); without it the signature is not checked. */
  trustDir?: string;
  /** Seconds since the epoch; the clock's unless given. */
  now?: number;
};

export type Inspection = {
  header: unknown;
  payload: unknown;
  /** The file of the key that verified it; null: not verified. */
  verifiedBy: string | null;
  /** Why a device would refuse it, one line each. */
  problems: string[];
};

/**
 * Decodes a signed manifest and collects what is wrong with it.
 * @throws EdgerunError HOST; MANIFEST_INVALID if it is no token at all
 */
export async function inspect({ file, trustDir, now = currentTime() }: InspectOptions): Promise<Inspection> {
  const token = (await readText(file)).trimEnd();
  const { header, payload } = decodeToken(token, file);
  const problems: string[] = [];
  if (header.typ !== manifestType) problems.push(`the header's typ is not "${manifestType}"`);
  try {
    checkValidity(decodeManifest(payload), now);
  } catch (error) {
    problems.push(messageOf(error));
  }
  let verifiedBy: string | null = null;
  if (trustDir !== undefined) {
    const key = await findVerifyingKey(token, header.kid, trustDir);
    if ("file" in key) verifiedBy = key.file;
    else problems.push(key.problem);
  }
  return { header, payload, verifiedBy, problems };
}

/** The result as text. What is not verified is said first, not last. */
export function formatInspection({ header, payload, verifiedBy, problems }: Inspection): string {
  const trusted =
    verifiedBy === null ? "NOT VERIFIED: anyone can have written what follows" : `verified by ${verifiedBy}`;
  const lines = [
    `signature: ${trusted}`,
    `header:    ${JSON.stringify(header)}`,
    `payload:   ${JSON.stringify(payload, null, 2)}`,
    ...problems.map((problem) => `problem:   ${problem}`),
  ];
  return `${lines.join("\n")}\n`;
}

function decodeToken(token: string, file: string): { header: { typ?: string; kid?: string }; payload: Json } {
  try {
    const header = decodeProtectedHeader(token);
    const payload = Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8");
    return { header, payload: parseStrictJson(payload) as Json };
  } catch (error) {
    throw new EdgerunError("MANIFEST_INVALID", `${JSON.stringify(file)} is not a signed manifest: ${messageOf(error)}`);
  }
}

async function findVerifyingKey(
  token: string,
  kid: string | undefined,
  directory: string,
): Promise<{ file: string } | { problem: string }> {
  const problem = `no key in ${JSON.stringify(directory)} has kid ${JSON.stringify(kid ?? null)}`;
  for (const name of await listKeys(directory)) {
    const file = join(directory, name);
    const key = await readPublicKey(file);
    if (key.kid !== kid) continue;
    try {
      await compactVerify(token, key.key, { algorithms: algorithmNames(key.algorithm) });
      return { file };
    } catch (error) {
      return { problem: `the signature is not valid for ${JSON.stringify(file)}: ${messageOf(error)}` };
    }
  }
  return { problem };
}

function algorithmNames(algorithm: "EdDSA" | "ES256"): string[] {
  return algorithm === "EdDSA" ? ["EdDSA", "Ed25519"] : ["ES256"];
}

async function listKeys(directory: string): Promise<string[]> {
  try {
    return (await readdir(directory)).filter((name) => name.endsWith(".jwk")).sort();
  } catch (error) {
    throw fileError("list", directory, error);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
