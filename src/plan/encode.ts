// SPDX-License-Identifier: Apache-2.0
// Operations to the numbers and texts that host.encodePlan() puts into one piece of memory for edgerun-init.
//
// Each operation is its code, the number of words that follow, and its fields in the order of the table:
//   u32         one word                  str, blob   one word, an index into `blobs`
//   u64         two words: low, high      strs, u32s  a count, then that many indexes or words
import { type Operation, operations } from "./operations.ts";

/** The wire form before it is bytes. Equal texts stand once in `blobs`. */
export type EncodedOperations = { words: number[]; blobs: (string | Uint8Array)[] };

type FieldValue = number | string | Uint8Array | readonly (string | number)[];

/**
 * @throws TypeError for a number outside of its field's range: the planner is wrong, not its input
 *
 * Hundreds of fields in every start, in an interpreter: so no function for each, no push(), no Object.entries().
 */
export function encodeOperations(list: readonly Operation[]): EncodedOperations {
  const words: number[] = [];
  const blobs: (string | Uint8Array)[] = [];
  const indexes = new Map<string, number>();
  let end = 0;
  for (const operation of list) {
    const { code, fields } = operations[operation.op];
    const kinds = fields as { readonly [field: string]: string };
    const values = operation as unknown as { readonly [field: string]: FieldValue };
    words[end] = code;
    const start = end + 2;
    words[start - 1] = 0;
    end = start;
    for (const field in kinds) {
      const value = values[field]!;
      switch (kinds[field]) {
        case "u32":
          words[end++] = checkRange(value as number, 0xffffffff);
          break;
        case "u64":
          checkRange(value as number, Number.MAX_SAFE_INTEGER);
          words[end++] = (value as number) % 0x100000000;
          words[end++] = Math.floor((value as number) / 0x100000000);
          break;
        case "str":
          words[end++] = blobIndex(blobs, indexes, value as string);
          break;
        case "blob":
          words[end++] = blobs.length;
          blobs.push(value as Uint8Array);
          break;
        case "strs":
          words[end++] = (value as readonly string[]).length;
          for (const item of value as readonly string[]) words[end++] = blobIndex(blobs, indexes, item);
          break;
        case "u32s":
          words[end++] = (value as readonly number[]).length;
          for (const item of value as readonly number[]) words[end++] = checkRange(item, 0xffffffff);
          break;
        default:
          throw new TypeError(`field kind "${kinds[field]}"`);
      }
    }
    words[start - 1] = end - start;
  }
  return { words, blobs };
}

function checkRange(value: number, most: number): number {
  if (!(value >= 0 && value <= most) || value % 1 !== 0) throw new TypeError(`${value} does not fit its field`);
  return value;
}

/** Equal texts stand once. */
function blobIndex(blobs: (string | Uint8Array)[], indexes: Map<string, number>, text: string): number {
  const known = indexes.get(text);
  if (known !== undefined) return known;
  indexes.set(text, blobs.length);
  blobs.push(text);
  return blobs.length - 1;
}
