// SPDX-License-Identifier: Apache-2.0
// What the kernel answers to netlink messages. The answers come from the kernel, but each length is checked all the
// same: a reader that runs off its end would report nonsense.
import { EdgerunError } from "../errors.ts";
import { netlinkHeaderBytes } from "./writer.ts";

export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;

const attributeTypeMask = 0x3fff;

export type NetlinkMessage = { type: number; flags: number; sequence: number; payload: Uint8Array };

/** Attributes by type; of several of one type the last counts. */
export type Attributes = Map<number, Uint8Array>;

/** The messages that carry something: no acknowledgements, no ends of dumps. */
export function readMessages(answers: Uint8Array): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + netlinkHeaderBytes <= answers.length; ) {
    const length = readU32(answers, at);
    if (length < netlinkHeaderBytes || at + length > answers.length) throw malformed();
    const type = readU16(answers, at + 4);
    if (type > NLMSG_DONE) {
      const payload = answers.subarray(at + netlinkHeaderBytes, at + length);
      messages.push({ type, flags: readU16(answers, at + 6), sequence: readU32(answers, at + 8), payload });
    }
    at += align(length);
  }
  return messages;
}

/** The attributes of a message, or of a nested attribute, from `start` on. */
export function readAttributes(data: Uint8Array, start: number): Attributes {
  const attributes: Attributes = new Map();
  forEachAttribute(data, start, (type, value) => attributes.set(type, value));
  return attributes;
}

/** The attributes of a nested one; none where it is absent. */
export function readNested(attributes: Attributes, type: number): Attributes {
  const data = attributes.get(type);
  return data === undefined ? new Map() : readAttributes(data, 0);
}

/** An attribute's text; "" where it is absent. */
export function readTextOf(attributes: Attributes, type: number): string {
  const data = attributes.get(type);
  return data === undefined ? "" : readText(data);
}

/** For lists, in which each attribute has the same type. */
export function forEachAttribute(
  data: Uint8Array,
  start: number,
  visit: (type: number, value: Uint8Array) => void,
): void {
  for (let at = start; at + 4 <= data.length; ) {
    const length = readU16(data, at);
    if (length < 4 || at + length > data.length) throw malformed();
    visit(readU16(data, at + 2) & attributeTypeMask, data.subarray(at + 4, at + length));
    at += align(length);
  }
}

export function readU16(data: Uint8Array, at: number): number {
  return data[at]! | (data[at + 1]! << 8);
}

export function readU32(data: Uint8Array, at: number): number {
  return (readU16(data, at) | (readU16(data, at + 2) << 16)) >>> 0;
}

export function readBe32(data: Uint8Array, at: number): number {
  return ((data[at]! << 24) | (data[at + 1]! << 16) | (data[at + 2]! << 8) | data[at + 3]!) >>> 0;
}

/** As a number: counters beyond 2^53 lose their last digits, and no device counts that far. */
export function readBe64(data: Uint8Array, at: number): number {
  return readBe32(data, at) * 0x1_0000_0000 + readBe32(data, at + 4);
}

/** Up to its NUL. What is not ASCII becomes "?": names are for people here. */
export function readText(data: Uint8Array): string {
  let text = "";
  for (const code of data) {
    if (code === 0) break;
    text += code >= 0x20 && code < 0x7f ? String.fromCharCode(code) : "?";
  }
  return text;
}

function align(length: number): number {
  return (length + 3) & ~3;
}

function malformed(): EdgerunError {
  return new EdgerunError("HOST", "netlink: malformed answer", { errno: "EBADMSG" });
}
