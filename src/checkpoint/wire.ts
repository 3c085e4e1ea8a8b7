// SPDX-License-Identifier: Apache-2.0
// The wire format of protocol buffers, as far as CRIU's messages use it: varints (int32, uint32, bool, enums) and
// length-delimited fields (strings, messages). A message type is a table of its fields (messages.ts).
// Source: "Encoding" in the protocol buffers documentation.
import { EdgerunError } from "../errors.ts";
import type { Host } from "../host/functions.ts";

type Kind = "int" | "bool" | "string" | Fields;
type Field = readonly [number: number, kind: Kind] | readonly [number: number, kind: Kind, repeated: "repeated"];

/** A message type: its fields' numbers and kinds, by name. */
export type Fields = { readonly [name: string]: Field };

type ValueOf<K> = K extends "int"
  ? number
  : K extends "bool"
    ? boolean
    : K extends "string"
      ? string
      : K extends Fields
        ? Message<K>
        : never;
type FieldValue<F> = F extends readonly [number, infer K, "repeated"]
  ? readonly ValueOf<K>[]
  : F extends readonly [number, infer K]
    ? ValueOf<K>
    : never;

/** A message of a type; what is undefined is not on the wire. */
export type Message<T extends Fields> = { [N in keyof T]?: FieldValue<T[N]> | undefined };

type Text = Pick<Host, "textToBytes" | "bytesToText">;

const wireVarint = 0;
const wireFixed64 = 1;
const wireDelimited = 2;
const wireFixed32 = 5;

/** A message's bytes. Integers are those of int32 and uint32: from -2^31 to 2^32-1. */
export function encodeMessage<T extends Fields>(text: Text, fields: T, message: Message<T>): Uint8Array {
  const out: number[] = [];
  for (const name in fields) {
    const value = message[name];
    if (value === undefined) continue;
    const [number, kind] = fields[name]!;
    for (const item of Array.isArray(value) ? value : [value]) appendField(text, out, number, kind, item);
  }
  return Uint8Array.from(out);
}

function appendField(text: Text, out: number[], number: number, kind: Kind, value: unknown): void {
  if (kind === "int" || kind === "bool") {
    appendVarint(out, number * 8 + wireVarint);
    appendVarint(out, Number(value));
    return;
  }
  const bytes =
    kind === "string" ? text.textToBytes(value as string) : encodeMessage(text, kind, value as Message<typeof kind>);
  appendVarint(out, number * 8 + wireDelimited);
  appendVarint(out, bytes.length);
  for (const byte of bytes) out.push(byte);
}

/** Negative ones are sign-extended to 64 bits: ten bytes. */
function appendVarint(out: number[], value: number): void {
  let low = value >>> 0;
  const bytes = value < 0 ? 10 : varintLength(low);
  for (let index = 0; index < bytes; index++) {
    let group = low & 0x7f;
    // Bits from 32 on are ones; the tenth byte has bit 63 only.
    if (value < 0 && index === 4) group |= 0x70;
    if (value < 0 && index > 4) group = index < 9 ? 0x7f : 0x01;
    out.push(index < bytes - 1 ? group | 0x80 : group);
    low >>>= 7;
  }
}

function varintLength(value: number): number {
  let length = 1;
  for (let rest = value >>> 7; rest !== 0; rest >>>= 7) length++;
  return length;
}

/** Reads from `at` on; what is behind the end throws. */
type Reader = { bytes: Uint8Array; at: number };

/**
 * Reads a message. Fields that the table does not have are passed over: a newer CRIU may send more.
 * @throws EdgerunError CRIU for what is no message of this type
 */
export function decodeMessage<T extends Fields>(text: Text, fields: T, bytes: Uint8Array): Message<T> {
  const message: { [name: string]: unknown } = {};
  const reader = { bytes, at: 0 };
  while (reader.at < bytes.length) {
    const tag = readVarint(reader);
    const name = findField(fields, tag >>> 3);
    const value = readValue(text, reader, tag & 7, name === undefined ? undefined : fields[name]![1]);
    if (name === undefined) continue;
    if (fields[name]!.length === 2) message[name] = value;
    else message[name] = [...((message[name] as unknown[] | undefined) ?? []), value];
  }
  return message as Message<T>;
}

function findField(fields: Fields, number: number): string | undefined {
  for (const name in fields) if (fields[name]![0] === number) return name;
  return undefined;
}

function readValue(text: Text, reader: Reader, wireType: number, kind: Kind | undefined): unknown {
  switch (wireType) {
    case wireVarint: {
      const value = readVarint(reader);
      if (kind === "bool") return value !== 0;
      if (kind !== undefined && kind !== "int") throw malformed();
      return value;
    }
    case wireDelimited: {
      const bytes = readBytes(reader, readVarint(reader));
      if (kind === "string") return text.bytesToText(bytes);
      if (kind === "int" || kind === "bool") throw malformed();
      return kind === undefined ? undefined : decodeMessage(text, kind, bytes);
    }
    case wireFixed64:
      if (kind !== undefined) throw malformed();
      return readBytes(reader, 8);
    case wireFixed32:
      if (kind !== undefined) throw malformed();
      return readBytes(reader, 4);
  }
  throw malformed();
}

function readBytes(reader: Reader, length: number): Uint8Array {
  if (length < 0 || length > reader.bytes.length - reader.at) throw malformed();
  reader.at += length;
  return reader.bytes.subarray(reader.at - length, reader.at);
}

/** The low 32 bits, as an int32: what CRIU sends that way is no larger. */
function readVarint(reader: Reader): number {
  let value = 0;
  for (let shift = 0; shift < 70; shift += 7) {
    const byte = reader.bytes[reader.at++];
    if (byte === undefined) throw malformed();
    if (shift < 32) value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return value;
  }
  throw malformed();
}

function malformed(): EdgerunError {
  return new EdgerunError("CRIU", "criu sent what is no message of its protocol");
}
