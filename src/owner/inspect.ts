// SPDX-License-Identifier: Apache-2.0
// `edgerun owner inspect`: what is in a signed document, and whether a device would take it. Node only.
import { createHash } from "node:crypto";
import { resolve } from "node:path";
import { geteuid } from "node:process";
import { EdgerunError } from "../errors.ts";
import type { Json } from "../host/functions.ts";
import { decodeManifest } from "../manifest/decode.ts";
import { type DocumentType, manifestType, verifyDocument } from "../manifest/envelope.ts";
import { revocationsType } from "../manifest/revocations.ts";
import type { Manifest } from "../manifest/schema.ts";
import { checkSigners } from "../manifest/signers.ts";
import type { Site } from "../manifest/site.ts";
import { readTrustStore, type TrustedKey, type TrustStore } from "../manifest/trust.ts";
import { trustRootType } from "../manifest/trust_root.ts";
import { checkValidity } from "../manifest/verify.ts";
import { checkDocument, typeOf } from "./documents.ts";
import { readText } from "./keys.ts";
import { makeNodeHost } from "./node_host.ts";
import { currentTime, parsePayload } from "./sign.ts";
import { decodeHeader, parseToken, type Token } from "./token.ts";

export type InspectOptions = {
  /** The signed document. */
  file: string;
  /** A device's trust store: a directory of public keys, maybe with a policy, or with a trust root. Without it the
   * signatures are not checked. */
  trustDir?: string;
  /** Seconds since the epoch; the clock's unless given. */
  now?: number;
};

export type Inspection = {
  headers: unknown[];
  payload: Json;
  /** What names the document in records, and in revocation lists. */
  digest: string;
  /** The files of the keys that verified it, one for each signature that counts; empty: not verified. */
  verifiedBy: string[];
  /** Why a device would refuse it, one line each. */
  problems: string[];
};

/**
 * Decodes a signed document and collects what is wrong with it.
 * @throws EdgerunError HOST; MANIFEST_INVALID if it is no signed document at all
 */
export async function inspect({ file, trustDir, now = currentTime() }: InspectOptions): Promise<Inspection> {
  const text = await readText(file);
  const token = parseToken(text, file);
  const { headers, payload } = decodeToken(token, file);
  const problems: string[] = [];
  const note = <T>(check: () => T): T | undefined => {
    try {
      return check();
    } catch (error) {
      if (!(error instanceof EdgerunError)) throw error;
      problems.push(error.message);
      return undefined;
    }
  };
  const type = note(() => typeOf(headers[0]?.typ, file));
  const site = makeSite(now);
  const manifest = type === manifestType ? note(() => decodeManifest(payload)) : undefined;
  if (type === manifestType) note(() => manifest && checkValidity(manifest, { now, isPlausible: true }));
  else note(() => checkDocument(site.host, payload, file, now));
  let verifiedBy: string[] = [];
  if (trustDir !== undefined && type !== undefined) {
    verifiedBy = note(() => verify(site, readTrustStore(site, resolve(trustDir)), text, type, manifest, now)) ?? [];
  }
  const digest = `sha256:${createHash("sha256").update(Buffer.from(token.payload, "base64url")).digest("hex")}`;
  return { headers, payload, digest, verifiedBy, problems };
}

/** The result as text. What is not verified is said first, not last. */
export function formatInspection({ headers, payload, digest, verifiedBy, problems }: Inspection): string {
  const trusted =
    verifiedBy.length === 0
      ? "NOT VERIFIED: anyone can have written what follows"
      : `verified by ${verifiedBy.join(", ")}`;
  const lines = [
    `signature: ${trusted}`,
    ...headers.map((header) => `header:    ${JSON.stringify(header)}`),
    `digest:    ${digest}`,
    `payload:   ${JSON.stringify(payload, null, 2)}`,
    ...problems.map((problem) => `problem:   ${problem}`),
  ];
  return `${lines.join("\n")}\n`;
}

/** What the code of the device needs to know; nothing is looked for below the two directories. */
function makeSite(now: number): Site {
  return { host: makeNodeHost(now), configRoot: "/etc/edgerun", dataRoot: "/var/lib/edgerun", uid: geteuid?.() ?? 0 };
}

/** Verifies the signatures with the code of the device, and for manifests who signed. */
function verify(
  site: Site,
  trust: TrustStore,
  text: string,
  type: DocumentType,
  manifest: Manifest | undefined,
  now: number,
): string[] {
  const { signers } = verifyDocument(site.host, text, type, {
    keys: keysFor(trust, type),
    unknown: type === manifestType ? trust.policy.otherSignatures : "refuse",
    source: trust.directory,
  });
  if (manifest !== undefined) checkSigners(site, trust, signers, manifest, { now, known: 0, isPlausible: true });
  return signers.map(({ file }) => file);
}

function keysFor(trust: TrustStore, type: DocumentType): readonly TrustedKey[] {
  if (type === revocationsType) return trust.keys.filter(({ roles }) => roles.includes("revoker"));
  return type === trustRootType ? [] : trust.keys;
}

function decodeToken(token: Token, file: string): { headers: ReturnType<typeof decodeHeader>[]; payload: Json } {
  try {
    const text = Buffer.from(token.payload, "base64url").toString("utf8");
    return { headers: token.signatures.map(decodeHeader), payload: parsePayload(text, file) };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new EdgerunError("MANIFEST_INVALID", `${JSON.stringify(file)} is not a signed document: ${reason}`);
  }
}
