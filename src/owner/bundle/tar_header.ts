// SPDX-License-Identifier: Apache-2.0
// One 512-byte tar header, and the records of a pax extended header (POSIX.1-2024 pax, "ustar Interchange Format" and
// "pax Extended Header"; GNU tar manual, "Basic Tar Format"). Strict: what is not a number is an error, never a zero.

import { fromBytes, quote } from "./byte_string.ts";
import { imageError } from "./failure.ts";

export const BLOCK = 512;

/** The fields of a header block as they stand there; names are byte strings. */
export interface TarHeader {
  name: string;
  linkname: string;
  /** The type flag as a character; NUL (the oldest tars) is "0". */
  typeflag: string;
  mode: number;
  uid: number;
  gid: number;
  size: number;
  /** Seconds since the epoch. */
  mtime: number;
  major: number;
  minor: number;
}

/** The fields of a header block. @throws EdgerunError IMAGE_INVALID when the checksum or a number is wrong. */
export function decodeHeader(block: Buffer): TarHeader {
  if (checksum(block) !== decodeNumber(block, 148, 8, "checksum"))
    throw imageError("corrupt tar: wrong header checksum");
  let name = text(block, 0, 100);
  // GNU's own magic ("ustar  ") has other things where POSIX has the prefix.
  const prefix = block.toString("latin1", 257, 263) === "ustar\0" ? text(block, 345, 155) : "";
  if (prefix !== "") name = `${prefix}/${name}`;
  const typeflag = block[156] === 0 ? "0" : String.fromCharCode(block[156]!);
  const device = typeflag === "3" || typeflag === "4";
  return {
    name,
    linkname: text(block, 157, 100),
    typeflag,
    mode: decodeNumber(block, 100, 8, "mode"),
    uid: decodeNumber(block, 108, 8, "uid"),
    gid: decodeNumber(block, 116, 8, "gid"),
    size: decodeNumber(block, 124, 12, "size"),
    mtime: decodeNumber(block, 136, 12, "mtime"),
    major: device ? decodeNumber(block, 329, 8, "device") : 0,
    minor: device ? decodeNumber(block, 337, 8, "device") : 0,
  };
}

/** A key and its value: byte strings, because the value of an extended attribute is binary. */
export type PaxRecord = readonly [key: string, value: string];

/**
 * The records of a pax header, "LENGTH KEY=VALUE\n" each, in order. The last one of a key counts (a Map of them does
 * that), except in sparse maps. An empty value is kept: it cancels what the header block says.
 */
export function decodePaxRecords(data: Buffer): PaxRecord[] {
  const records: PaxRecord[] = [];
  let at = 0;
  while (at < data.length) {
    const space = data.indexOf(0x20, at);
    const digits = space === -1 ? "" : data.toString("latin1", at, space);
    const end = at + parseDecimal(digits, "pax record length");
    const equals = data.indexOf(0x3d, space);
    if (end > data.length || equals === -1 || equals >= end - 1 || equals === space + 1 || data[end - 1] !== 0x0a) {
      throw imageError("corrupt tar: malformed pax record");
    }
    records.push([fromBytes(data.subarray(space + 1, equals)), fromBytes(data.subarray(equals + 1, end - 1))]);
    at = end;
  }
  return records;
}

/** A decimal number from 0 to 2^53 - 1, nothing else. */
export function parseDecimal(digits: string, label: string): number {
  if (!/^[0-9]+$/.test(digits)) throw imageError(`corrupt tar: ${label} ${quote(digits)} is not a number`);
  const value = Number(digits);
  if (digits.length > 16 || !Number.isSafeInteger(value)) throw imageError(`corrupt tar: ${label} is out of range`);
  return value;
}

/** Seconds with an optional fraction, and a sign: pax times. */
export function parseSeconds(value: string): number {
  if (!/^-?[0-9]{1,15}(\.[0-9]*)?$/.test(value)) {
    throw imageError(`corrupt tar: time ${quote(value)} is not a number of seconds`);
  }
  return Number(value);
}

function text(block: Buffer, offset: number, length: number): string {
  const field = block.subarray(offset, offset + length);
  const end = field.indexOf(0);
  return fromBytes(end === -1 ? field : field.subarray(0, end));
}

/** Octal digits among spaces and NULs; or GNU's base-256: big-endian two's complement after a set first bit. */
export function decodeNumber(block: Buffer, offset: number, length: number, label: string): number {
  const field = block.subarray(offset, offset + length);
  if ((field[0]! & 0x80) === 0) {
    const digits = fromBytes(field).replace(/^[ \0]+|[ \0].*$/gs, "");
    if (digits === "") return 0;
    if (!/^[0-7]+$/.test(digits)) throw imageError(`corrupt tar: ${label} ${quote(digits)} is not an octal number`);
    return Number.parseInt(digits, 8);
  }
  let value = (field[0]! & 0x40) === 0 ? BigInt(field[0]! & 0x3f) : BigInt(field[0]! & 0x3f) - 0x40n;
  for (const byte of field.subarray(1)) value = value * 256n + BigInt(byte);
  if (!Number.isSafeInteger(Number(value))) throw imageError(`corrupt tar: ${label} is out of range`);
  return Number(value);
}

function checksum(block: Buffer): number {
  let sum = 8 * 0x20; // the checksum field counts as spaces
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += block[i]!;
  return sum;
}
