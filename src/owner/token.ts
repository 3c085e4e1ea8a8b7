// SPDX-License-Identifier: Apache-2.0
// Writing signed documents: a JWS, compact with one signature, in general JSON serialization with several. Node only.
import { EdgerunError } from "../errors.ts";
import type { DocumentType } from "../manifest/envelope.ts";
import type { Signer } from "./signer.ts";

type Signature = { protected: string; signature: string };
/** A document as it is written: what is signed, and the signatures. */
export type Token = { payload: string; signatures: Signature[] };

/** A document with no signature yet; nothing is reformatted: the bytes are signed as they are. */
export function makeToken(payload: Uint8Array): Token {
  return { payload: Buffer.from(payload).toString("base64url"), signatures: [] };
}

/** The token with one more signature. */
export async function addSignature(token: Token, { typ }: DocumentType, signer: Signer): Promise<Token> {
  const header = JSON.stringify({ alg: signer.algorithm, kid: signer.kid, typ });
  const protectedPart = Buffer.from(header).toString("base64url");
  const signature = await signer.sign(Buffer.from(`${protectedPart}.${token.payload}`));
  const added = { protected: protectedPart, signature: Buffer.from(signature).toString("base64url") };
  return { ...token, signatures: [...token.signatures, added] };
}

/** The text of the file, without a newline. */
export function formatToken({ payload, signatures }: Token): string {
  const [first, ...more] = signatures;
  if (first === undefined) throw new TypeError("a token without a signature");
  if (more.length === 0) return `${first.protected}.${payload}.${first.signature}`;
  return JSON.stringify({ payload, signatures }, null, 1);
}

/**
 * Reads either form, without any check of the signatures.
 * @throws EdgerunError MANIFEST_INVALID
 */
export function parseToken(text: string, file: string): Token {
  const trimmed = text.trim();
  if (!trimmed.startsWith("{")) {
    const [header, payload, signature, ...rest] = trimmed.split(".");
    if (!header || !payload || !signature || rest.length > 0) throw notSigned(file);
    return { payload, signatures: [{ protected: header, signature }] };
  }
  let token: Partial<Token>;
  try {
    token = JSON.parse(trimmed) as Partial<Token>;
  } catch {
    throw notSigned(file);
  }
  const { payload, signatures } = token;
  const isSignature = (one: unknown): one is Signature =>
    typeof one === "object" && one !== null && "protected" in one && "signature" in one;
  if (typeof payload !== "string" || !Array.isArray(signatures) || !signatures.every(isSignature))
    throw notSigned(file);
  return { payload, signatures };
}

/** A part that is JSON in base64url. */
export function decodeHeader({ protected: part }: Signature): { alg?: string; kid?: string; typ?: string } {
  return JSON.parse(Buffer.from(part, "base64url").toString("utf8")) as { alg?: string; kid?: string; typ?: string };
}

function notSigned(file: string): EdgerunError {
  return new EdgerunError("MANIFEST_INVALID", `${JSON.stringify(file)} is not a signed document`);
}
