// SPDX-License-Identifier: Apache-2.0
// Small text helpers of the manifest code; without RegExp, which the device's engine does not have.
import { EdgerunError } from "../errors.ts";

/** A MANIFEST_INVALID error; the text of an EdgerunError as cause is appended, any other cause is a bug and rethrown. */
export function invalidManifest(message: string, cause?: unknown): EdgerunError {
  if (cause === undefined) return new EdgerunError("MANIFEST_INVALID", message);
  if (cause instanceof EdgerunError) {
    return new EdgerunError("MANIFEST_INVALID", `${message}: ${cause.message}`, { cause, errno: cause.errno });
  }
  throw cause;
}

/** True if the text is not empty and each of its characters is one of `alphabet`. */
export function consistsOf(text: string, alphabet: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (!alphabet.includes(text.charAt(i))) return false;
  }
  return text !== "";
}

/** True for an absolute path in plain form: no empty, "." or ".." component and no slash at the end, except "/". */
export function isPlainPath(path: string): boolean {
  if (path === "/") return true;
  if (!path.startsWith("/")) return false;
  for (const name of path.slice(1).split("/")) {
    if (name === "" || name === "." || name === "..") return false;
  }
  return true;
}

const base64UrlAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/** Hex digits (an even number of them) as base64url without padding (RFC 4648 section 5). */
export function hexToBase64Url(hex: string): string {
  let text = "";
  for (let i = 0; i < hex.length; i += 6) {
    // Three bytes are four characters; a rest of one or two bytes is filled with zero bits and cut to two or three.
    const chunk = hex.slice(i, i + 6);
    const bits = Number.parseInt(chunk.padEnd(6, "0"), 16);
    const characters = chunk.length === 6 ? 4 : chunk.length === 4 ? 3 : 2;
    for (let n = 0; n < characters; n++) text += base64UrlAlphabet.charAt((bits >> (18 - 6 * n)) & 63);
  }
  return text;
}
