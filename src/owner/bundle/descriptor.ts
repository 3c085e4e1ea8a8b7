// SPDX-License-Identifier: Apache-2.0
// Blobs by descriptor (image-spec descriptor.md): whatever is read is checked against its digest and size.

import { createHash, type Hash } from "node:crypto";
import { imageError, unsupported } from "./failure.ts";
import { type ImageFiles, readImageFile } from "./image_files.ts";

export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

type JsonObject = Record<string, unknown>;

const MAX_DOCUMENT = 4 << 20;

/** A descriptor of the OCI form. @throws EdgerunError IMAGE_INVALID naming `label` when it is malformed */
export function parseDescriptor(value: unknown, label: string): Descriptor {
  const { mediaType, digest, size } = asObject(value, label);
  if (typeof mediaType !== "string") throw imageError(`${label}: "mediaType" is not a string`);
  if (!Number.isSafeInteger(size) || (size as number) < 0) throw imageError(`${label}: "size" is not a size`);
  return { mediaType, digest: parseDigest(digest, label), size: size as number };
}

/** Where a layout has the blob. */
export function blobFile(digest: string): string {
  return `blobs/${digest.replace(":", "/")}`;
}

/** A sha256 digest. @throws EdgerunError UNSUPPORTED for another algorithm, IMAGE_INVALID for no digest at all */
export function parseDigest(value: unknown, label: string): string {
  if (typeof value !== "string" || !/^[a-z0-9]+([+._-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/.test(value)) {
    throw imageError(`${label}: ${JSON.stringify(value)} is not a digest`);
  }
  if (!value.startsWith("sha256:")) throw unsupported(`${label}: digest ${JSON.stringify(value)} is not sha256`);
  if (!/^sha256:[0-9a-f]{64}$/.test(value)) throw imageError(`${label}: ${JSON.stringify(value)} is not a digest`);
  return value;
}

/** Reads a JSON document, checked against its digest, and its size where that is known. */
export async function readDocument(
  files: ImageFiles,
  blob: { file: string; digest: string; size?: number },
  label: string,
): Promise<JsonObject> {
  const bytes = await readImageFile(files, blob.file, MAX_DOCUMENT);
  const check = new DigestCheck(label, blob.digest, blob.size);
  check.update(bytes);
  check.finish();
  return asObject(parseJson(bytes, label), label);
}

/** Reads a JSON file that no digest covers: the entry point of a layout or archive. */
export async function readJsonFile(files: ImageFiles, name: string): Promise<unknown> {
  return parseJson(await readImageFile(files, name, MAX_DOCUMENT), name);
}

/** Passes chunks through while it computes their digest; `finish` compares. What is undefined is not compared. */
export class DigestCheck {
  readonly #label: string;
  readonly #digest: string | undefined;
  readonly #size: number | undefined;
  readonly #hash: Hash = createHash("sha256");
  #seen = 0;

  constructor(label: string, digest: string | undefined, size?: number) {
    this.#label = label;
    this.#digest = digest;
    this.#size = size;
  }

  update(chunk: Buffer): void {
    this.#seen += chunk.length;
    if (this.#size !== undefined && this.#seen > this.#size) throw this.#wrongSize();
    this.#hash.update(chunk);
  }

  async *through(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      this.update(chunk);
      yield chunk;
    }
  }

  /** @throws EdgerunError IMAGE_INVALID when size or digest is not the one expected */
  finish(): void {
    if (this.#size !== undefined && this.#seen !== this.#size) throw this.#wrongSize();
    if (this.#digest === undefined) return;
    const actual = `sha256:${this.#hash.digest("hex")}`;
    if (actual !== this.#digest) throw imageError(`${this.#label} has digest ${actual}, not ${this.#digest}`);
  }

  #wrongSize(): Error {
    return imageError(`${this.#label} has not the size of ${this.#size} bytes that its descriptor says`);
  }
}

/** The value as an object. @throws EdgerunError IMAGE_INVALID */
export function asObject(value: unknown, label: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw imageError(`${label} is not an object`);
  return value as JsonObject;
}

/** The value as a list; absent and null (as Go writes an empty list) are the empty list. */
export function asArray(value: unknown, label: string): unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw imageError(`${label} is not a list`);
  return value;
}

/** The value as a list of strings without NUL; absent and null are the empty list. */
export function asStrings(value: unknown, label: string): string[] {
  return asArray(value, label).map((item) => asString(item, `an item of ${label}`));
}

/** The value as a string without NUL (nothing that reaches the kernel may have one); absent and null are "". */
export function asString(value: unknown, label: string): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string" || value.includes("\0")) throw imageError(`${label} is not a string (without NUL)`);
  return value;
}

function parseJson(bytes: Buffer, label: string): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw imageError(`${label} is not JSON: ${(cause as Error).message}`, cause);
  }
}
