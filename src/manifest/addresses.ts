// SPDX-License-Identifier: Apache-2.0
// IP addresses and prefixes as text: RFC 4291 section 2.2 for IPv6, four decimal parts for IPv4. Strict, because what
// is read differently by two programs is a hole in a firewall: no leading zeros, no octal, no zone, no host bits.

export type Prefix = {
  family: 4 | 6;
  /** 4 or 16 of them. */
  bytes: readonly number[];
  /** In bits; 32 or 128 for an address alone. */
  length: number;
};

/** "192.0.2.1", "192.0.2.0/24", "2001:db8::/32"; undefined if it is none of these, or has bits beyond the prefix. */
export function parsePrefix(text: string): Prefix | undefined {
  const slash = text.indexOf("/");
  const address = slash < 0 ? text : text.slice(0, slash);
  const bytes = address.includes(":") ? parseIpv6(address) : parseIpv4(address);
  if (bytes === undefined) return undefined;
  const bits = bytes.length * 8;
  const length = slash < 0 ? bits : parseNumber(text.slice(slash + 1), bits);
  if (length === undefined || hasHostBits(bytes, length)) return undefined;
  return { family: bytes.length === 4 ? 4 : 6, bytes, length };
}

function hasHostBits(bytes: readonly number[], length: number): boolean {
  for (let index = length >> 3; index < bytes.length; index++) {
    const mask = index === length >> 3 ? 0xff >> (length & 7) : 0xff;
    if ((bytes[index]! & mask) !== 0) return true;
  }
  return false;
}

function parseIpv4(text: string): number[] | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  const bytes: number[] = [];
  for (const part of parts) {
    const byte = parseNumber(part, 255);
    if (byte === undefined) return undefined;
    bytes.push(byte);
  }
  return bytes;
}

function parseIpv6(text: string): number[] | undefined {
  const gap = text.indexOf("::");
  if (gap < 0) {
    const bytes = parseGroups(text, true);
    return bytes?.length === 16 ? bytes : undefined;
  }
  const head = gap === 0 ? [] : parseGroups(text.slice(0, gap), false);
  const tail = gap + 2 === text.length ? [] : parseGroups(text.slice(gap + 2), true);
  if (head === undefined || tail === undefined) return undefined;
  // "::" stands for one group of zeros at least.
  const zeros = 16 - head.length - tail.length;
  if (zeros < 2) return undefined;
  return [...head, ...new Array<number>(zeros).fill(0), ...tail];
}

/** "2001:db8:1" as six bytes; the last two groups of an address (`atEnd`) may be written as an IPv4 address. */
function parseGroups(text: string, atEnd: boolean): number[] | undefined {
  const groups = text.split(":");
  const bytes: number[] = [];
  for (const [index, group] of groups.entries()) {
    if (atEnd && index === groups.length - 1 && group.includes(".")) {
      const last = parseIpv4(group);
      if (last === undefined) return undefined;
      bytes.push(...last);
      continue;
    }
    const value = parseHex(group);
    if (value === undefined) return undefined;
    bytes.push(value >> 8, value & 0xff);
  }
  return bytes.length <= 16 ? bytes : undefined;
}

/** A decimal number up to `max` in the only way that it can be written. */
function parseNumber(text: string, max: number): number | undefined {
  if (text === "" || text.length > 3 || (text.length > 1 && text.charCodeAt(0) === 0x30)) return undefined;
  let value = 0;
  for (let index = 0; index < text.length; index++) {
    const digit = text.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value <= max ? value : undefined;
}

function parseHex(text: string): number | undefined {
  if (text === "" || text.length > 4) return undefined;
  let value = 0;
  for (let index = 0; index < text.length; index++) {
    const digit = "0123456789abcdef".indexOf(text.charAt(index).toLowerCase());
    if (digit < 0) return undefined;
    value = value * 16 + digit;
  }
  return value;
}
