// SPDX-License-Identifier: Apache-2.0
import type { Json } from "../host/functions.ts";

/** What can be stored: JSON with BigInt for 64-bit integers; undefined properties are left out. */
export type Storable = Json | undefined | Storable[] | readonly Storable[] | { readonly [name: string]: Storable };

/**
 * JSON text. Unlike JSON.stringify() it writes BigInt as a plain integer, which is how the strict reader gives integers
 * beyond 2^53 back (rlimits and memory limits of engines are such).
 */
export function toJsonText(value: Storable): string {
  let isExact = true;
  const narrow = (_name: string, member: unknown): unknown => {
    if (typeof member !== "bigint") return member;
    const number = Number(member);
    isExact &&= Number.isSafeInteger(number);
    return number;
  };
  const text = JSON.stringify(value, narrow) ?? "null";
  return isExact ? text : writeMembers(value);
}

/** Slower, and right for every BigInt. */
function writeMembers(value: Storable): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(writeMembers).join(",")}]`;
  const members: string[] = [];
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined) members.push(`${JSON.stringify(name)}:${writeMembers(member)}`);
  }
  return `{${members.join(",")}}`;
}
