// SPDX-License-Identifier: Apache-2.0
// Operations to the numbers and texts that host.encodePlan() puts into one piece of memory for edgerun-init.
//
// Each operation is its code, the number of words that follow, and its fields in the order of the table:
//   u32         one word                  str, blob   one word, an index into `blobs`
//   u64         two words: low, high      strs, u32s  a count, then that many indexes or words
import { type Operation, operations } from "./operations.ts";

/** The wire form before it is bytes. Equal texts stand once in `blobs`. */
export type EncodedOperations = { words: number[]; blobs: (string | Uint8Array)[] };

type Encoder = EncodedOperations & { indexes: Map<string, number> };
type FieldValue = number | string | Uint8Array | readonly (string | number)[];

/** @throws TypeError for a number outside of its field's range: the planner is wrong, not its input */
export function encodeOperations(list: readonly Operation[]): EncodedOperations {
  const encoder: Encoder = { words: [], blobs: [], indexes: new Map() };
  const { words, blobs } = encoder;
  for (const operation of list) {
    const { code, fields } = operations[operation.op];
    words.push(code, 0);
    const start = words.length;
    const values = operation as unknown as { [field: string]: FieldValue };
    // Not by Object.entries(), which makes an array for each field: every start pays for it.
    for (const field in fields) encodeField(encoder, (fields as { [name: string]: string })[field]!, values[field]!);
    words[start - 1] = words.length - start;
  }
  return { words, blobs };
}

function encodeField(encoder: Encoder, kind: string, value: FieldValue): void {
  const { words, blobs } = encoder;
  switch (kind) {
    case "u32":
      words.push(checkRange(value as number, 0xffffffff));
      return;
    case "u64": {
      const number = checkRange(value as number, Number.MAX_SAFE_INTEGER);
      words.push(number % 0x100000000, Math.floor(number / 0x100000000));
      return;
    }
    case "str":
      words.push(blobIndex(encoder, value as string));
      return;
    case "blob":
      words.push(blobs.length);
      blobs.push(value as Uint8Array);
      return;
    case "strs": {
      const items = value as readonly string[];
      words.push(items.length);
      for (const item of items) words.push(blobIndex(encoder, item));
      return;
    }
    case "u32s": {
      const items = value as readonly number[];
      words.push(items.length);
      for (const item of items) words.push(checkRange(item, 0xffffffff));
      return;
    }
  }
  throw new TypeError(`field kind "${kind}"`);
}

function checkRange(value: number, most: number): number {
  if (!(value >= 0 && value <= most) || value % 1 !== 0) throw new TypeError(`${value} does not fit its field`);
  return value;
}

function blobIndex({ blobs, indexes }: Encoder, text: string): number {
  const known = indexes.get(text);
  if (known !== undefined) return known;
  indexes.set(text, blobs.length);
  blobs.push(text);
  return blobs.length - 1;
}
