// SPDX-License-Identifier: Apache-2.0
// Schemas are plain data: literals that cost nothing at start, from which the decoder, the TypeScript types and the
// published JSON Schemas are all derived.
//
//   const user = {
//     required: { uid: "u32", gid: "u32" },
//     optional: { additionalGids: { list: "u32" } },
//   } as const satisfies Schema;
//   type User = Decoded<typeof user>;

/**
 * Strings never contain NUL: every one of them may end in a system call. u64 and i64 decode to bigint, always; the
 * other integers to number.
 */
export type Scalar = "string" | "nonempty_string" | "absolute_path" | "boolean" | "u16" | "u32" | "i32" | "u64" | "i64";

/** Property name to schema. */
export type Fields = { readonly [name: string]: Schema };

/** An object with known properties. Others are reported and ignored, or an error where `unknown` is "reject". */
export type RecordSchema = {
  readonly required: Fields;
  readonly optional: Fields;
  readonly unknown?: "reject";
  /** Of these optional properties, one must be there, and only one. */
  readonly exactlyOne?: readonly string[];
};

/** A kind of text beyond the scalars: what a published schema says, and what decode() checks. */
export type TextFormat = {
  /** For JSON Schema; may accept more than `accepts` does. */
  readonly pattern: string;
  /** Completes "expected ...": `a digest "sha256:HEX"`. */
  readonly expected: string;
  readonly accepts: (text: string) => boolean;
};

/** The formats that a document's schema uses, by name. */
export type TextFormats = { readonly [name: string]: TextFormat };

export type Schema =
  | Scalar
  | RecordSchema
  /** A list; `minItems` is 0 unless given, `maxItems` unbounded. */
  | { readonly list: Schema; readonly minItems?: number; readonly maxItems?: number }
  /** An object with free property names and values of one kind. */
  | { readonly map: Schema }
  /** A string without NUL, in a format of the document's own (TextFormats). */
  | { readonly text: string }
  /** One of these strings. */
  | { readonly oneOf: readonly string[] }
  /** A number between the two, both included and both safe integers. */
  | { readonly integer: readonly [number, number] };

type ScalarTypes = {
  string: string;
  nonempty_string: string;
  absolute_path: string;
  boolean: boolean;
  u16: number;
  u32: number;
  i32: number;
  u64: bigint;
  i64: bigint;
};

type DecodedRecord<R extends Fields, O extends Fields> = { -readonly [K in keyof R]: Decoded<R[K]> } & {
  -readonly [K in keyof O]?: Decoded<O[K]>;
} extends infer T
  ? { [K in keyof T]: T[K] }
  : never;

/** The TypeScript type of what a schema accepts, after decoding. */
export type Decoded<S extends Schema> = S extends Scalar
  ? ScalarTypes[S]
  : S extends { readonly required: infer R extends Fields; readonly optional: infer O extends Fields }
    ? DecodedRecord<R, O>
    : S extends { readonly list: infer I extends Schema }
      ? Decoded<I>[]
      : S extends { readonly map: infer V extends Schema }
        ? { [name: string]: Decoded<V> }
        : S extends { readonly oneOf: readonly (infer V)[] }
          ? V
          : S extends { readonly text: string }
            ? string
            : number;

/** The ranges of the integer kinds. */
export const integerRanges = {
  u16: [0, 65535],
  u32: [0, 4294967295],
  i32: [-2147483648, 2147483647],
  u64: [0n, 18446744073709551615n],
  i64: [-9223372036854775808n, 9223372036854775807n],
} as const;
