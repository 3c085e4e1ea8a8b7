// SPDX-License-Identifier: Apache-2.0
// `edgerun owner sign` and `countersign`: manifests, trust roots and revocation lists as signed tokens. Node only.
import { writeFile } from "node:fs/promises";
import { EdgerunError } from "../errors.ts";
import type { Json } from "../host/functions.ts";
import type { DocumentType } from "../manifest/envelope.ts";
import { checkDocument, typeOf } from "./documents.ts";
import { fileError, readText } from "./keys.ts";
import { makeNodeHost } from "./node_host.ts";
import { openSigner, type SignerChoice } from "./signer.ts";
import { parseStrictJson } from "./strict_json.ts";
import { addSignature, decodeHeader, formatToken, makeToken, parseToken, type Token } from "./token.ts";

export type SignOptions = SignerChoice & {
  /** The document as JSON. */
  manifestFile: string;
  /** Where the signed document is written; replaced if it is there. */
  out: string;
  /** Seconds since the epoch; the clock's unless given. */
  now?: number;
};

/** `jti`: what the document is called. */
export type SignResult = { kid: string; jti: string; out: string; bytes: number };

/**
 * Checks a document as a device would, and signs it: the bytes of the file, so that nothing is lost or reordered.
 * @throws EdgerunError MANIFEST_INVALID with the JSON path of the first problem; HOST
 */
export async function sign({ manifestFile, out, now = currentTime(), ...choice }: SignOptions): Promise<SignResult> {
  const text = await readText(manifestFile);
  const { type, name } = checkDocument(makeNodeHost(now), parsePayload(text, manifestFile), manifestFile, now);
  const signer = await openSigner(choice);
  const token = await addSignature(makeToken(Buffer.from(text)), type, signer);
  return { kid: signer.kid, jti: name, out, bytes: await writeToken(token, type, out) };
}

export type CountersignOptions = SignerChoice & {
  /** The signed document. */
  file: string;
  out: string;
  now?: number;
};

/**
 * Adds a signature to a signed document. The signatures that are there are not judged: that is the device's business,
 * which has the keys for it. The document is checked as for the first signature.
 * @throws EdgerunError MANIFEST_INVALID, also if this key has signed already; HOST
 */
export async function countersign(options: CountersignOptions): Promise<SignResult> {
  const { file, out, now = currentTime(), ...choice } = options;
  const token = parseToken(await readText(file), file);
  const headers = token.signatures.map(decodeHeader);
  const type = typeOf(headers[0]?.typ, file);
  const text = Buffer.from(token.payload, "base64url").toString("utf8");
  const { type: actual, name } = checkDocument(makeNodeHost(now), parsePayload(text, file), file, now);
  if (actual.typ !== type.typ) throw invalid(`${JSON.stringify(file)} is signed as another type than it is`);
  const signer = await openSigner(choice);
  if (headers.some(({ kid }) => kid === signer.kid)) {
    throw invalid(`${JSON.stringify(file)} is signed by key "${signer.kid}" already`);
  }
  const bytes = await writeToken(await addSignature(token, type, signer), type, out);
  return { kid: signer.kid, jti: name, out, bytes };
}

/** Writes the token, and gives its size. */
export async function writeToken(token: Token, { maxBytes }: DocumentType, out: string): Promise<number> {
  const text = formatToken(token);
  if (text.length > maxBytes) throw invalid(`the document is ${text.length} bytes signed, ${maxBytes} is the most`);
  try {
    await writeFile(out, `${text}\n`);
  } catch (error) {
    throw fileError("write", out, error);
  }
  return text.length;
}

/** @throws EdgerunError MANIFEST_INVALID */
export function parsePayload(text: string, file: string): Json {
  try {
    return parseStrictJson(text) as Json;
  } catch (error) {
    if (error instanceof SyntaxError) throw invalid(`${JSON.stringify(file)} is not strict JSON: ${error.message}`);
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
