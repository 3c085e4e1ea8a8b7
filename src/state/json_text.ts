// SPDX-License-Identifier: Apache-2.0
import type { Json } from "../host/functions.ts";

/** What can be stored: JSON with BigInt for 64-bit integers; undefined properties are left out. */
export type Storable = Json | undefined | Storable[] | readonly Storable[] | { readonly [name: string]: Storable };

/**
 * JSON text. Unlike JSON.stringify() it writes BigInt as a plain integer, which is how the strict reader gives integers
 * beyond 2^53 back (rlimits and memory limits of engines are such).
 */
export function toJsonText(value: Storable): string {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (Array.isArray(value)) return `[${value.map(toJsonText).join(",")}]`;
  const members: string[] = [];
  for (const [name, member] of Object.entries(value)) {
    if (member !== undefined) members.push(`${JSON.stringify(name)}:${toJsonText(member)}`);
  }
  return `{${members.join(",")}}`;
}
