// SPDX-License-Identifier: Apache-2.0
// What the tar reader reads from: a stream that is only read once (a layer), or an open file in which data can be
// stepped over (an image archive).

import { readSync } from "node:fs";

export interface ByteSource {
  /** Up to `size` bytes; empty only at the end. The caller may not keep them past the next call. */
  readSome(size: number): Promise<Buffer>;
  /** Steps over `size` bytes; returns how many there were. */
  skip(size: number): Promise<number>;
}

/** Reads exactly `size` bytes; fewer only when the source ends. For small sizes: the bytes are gathered in memory. */
export async function readFully(source: ByteSource, size: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let missing = size;
  while (missing > 0) {
    const part = await source.readSome(missing);
    if (part.length === 0) break;
    parts.push(Buffer.from(part));
    missing -= part.length;
  }
  return Buffer.concat(parts);
}

/** A source over chunks as they come. */
export class StreamSource implements ByteSource {
  #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(chunks: AsyncIterable<Buffer>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  async readSome(size: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      const { done, value } = await this.#chunks.next();
      if (done) return Buffer.alloc(0);
      this.#rest = value;
    }
    const part = this.#rest.subarray(0, size);
    this.#rest = this.#rest.subarray(part.length);
    return part;
  }

  async skip(size: number): Promise<number> {
    let skipped = 0;
    while (skipped < size) {
      const part = await this.readSome(size - skipped);
      if (part.length === 0) break;
      skipped += part.length;
    }
    return skipped;
  }
}

const CHUNK = 1 << 20;

/** A source over an open regular file, with the position in it. */
export class FileSource implements ByteSource {
  readonly #fd: number;
  readonly #size: number;
  position = 0;

  constructor(fd: number, size: number) {
    this.#fd = fd;
    this.#size = size;
  }

  async readSome(size: number): Promise<Buffer> {
    const buffer = Buffer.allocUnsafe(Math.min(size, CHUNK));
    const count = readSync(this.#fd, buffer, 0, buffer.length, this.position);
    this.position += count;
    return buffer.subarray(0, count);
  }

  async skip(size: number): Promise<number> {
    const count = Math.max(0, Math.min(size, this.#size - this.position));
    this.position += count;
    return count;
  }
}
