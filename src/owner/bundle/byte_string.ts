// SPDX-License-Identifier: Apache-2.0
// File names are bytes, not text. Inside this folder a name from an image is a "byte string": one character
// (U+0000 to U+00FF) per byte, so that string operations are lossless whatever the encoding of the name.

/** The bytes of a byte string, as node:fs takes them. */
export function toBytes(name: string): Buffer {
  return Buffer.from(name, "latin1");
}

/** The byte string of some bytes. */
export function fromBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/** The byte string of a JavaScript string (UTF-8). */
export function fromText(text: string): string {
  return fromBytes(Buffer.from(text, "utf8"));
}

/** A byte string for a message: decoded as UTF-8, quoted, control characters escaped. */
export function quote(name: string): string {
  return JSON.stringify(toBytes(name).toString("utf8"));
}
