// SPDX-License-Identifier: Apache-2.0
// Texts for errors about documents: JSON paths, and what was found instead of what was expected.
import type { Json } from "../host/functions.ts";

const LONGEST_SHOWN = 64;

/** `$.process` and "env" to `$.process.env`; and 3 to `$.process.env[3]`; other names are quoted: `$.sysctl["a.b"]`. */
export function childPath(path: string, child: string | number): string {
  if (typeof child === "number") return `${path}[${child}]`;
  return isPlainName(child) ? `${path}.${child}` : `${path}[${quote(child)}]`;
}

/** A JSON string literal, cut short where the text is long: it is for a message of one line. */
export function quote(text: string): string {
  return text.length > LONGEST_SHOWN ? `${JSON.stringify(text.slice(0, LONGEST_SHOWN))}...` : JSON.stringify(text);
}

/** What a value is, for "found ...": short values themselves, else their kind. */
export function describeFound(json: Json): string {
  if (typeof json === "string") return quote(json);
  if (Array.isArray(json)) return "a list";
  if (typeof json === "object" && json !== null) return "an object";
  return String(json);
}

/** "an integer between 0 and 65535" */
export function describeRange(least: number | bigint, most: number | bigint): string {
  return `an integer between ${least} and ${most}`;
}

/** ASCII letters, digits and underscores, and not a digit first. */
function isPlainName(name: string): boolean {
  for (let index = 0; index < name.length; index++) {
    const code = name.charCodeAt(index);
    const letter = (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a) || code === 0x5f;
    if (!letter && (index === 0 || code < 0x30 || code > 0x39)) return false;
  }
  return name !== "";
}
