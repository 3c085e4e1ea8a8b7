// SPDX-License-Identifier: Apache-2.0
// `edgerun owner diff`: what two manifests say differently, key by key. Node only.
import type { Json } from "../host/functions.ts";
import { childPath } from "../schema/describe.ts";
import { readText } from "./keys.ts";
import { parsePayload } from "./sign.ts";
import { parseToken } from "./token.ts";

/**
 * One line for each value that is in one of the two only ("- " the old one's, "+ " the new one's), in the order of keys.
 * @throws EdgerunError HOST, MANIFEST_INVALID
 */
export async function diff(before: string, after: string): Promise<string[]> {
  const [old, young] = [flatten(await readPayload(before), "$"), flatten(await readPayload(after), "$")];
  const places = [...new Set([...old.keys(), ...young.keys()])].sort();
  return places.flatMap((place) => {
    const [was, is] = [old.get(place), young.get(place)];
    if (was === is) return [];
    return [...(was === undefined ? [] : [`- ${place}: ${was}`]), ...(is === undefined ? [] : [`+ ${place}: ${is}`])];
  });
}

/** The payload of a signed document, or the document itself. */
async function readPayload(file: string): Promise<Json> {
  const text = await readText(file);
  const isUnsigned = text.trimStart().startsWith("{") && !text.includes('"signatures"');
  if (isUnsigned) return parsePayload(text, file);
  return parsePayload(Buffer.from(parseToken(text, file).payload, "base64url").toString("utf8"), file);
}

/** Every value that has no others below it, by its JSON path; an empty list or object is one. */
function flatten(value: Json, path: string, into = new Map<string, string>()): Map<string, string> {
  if (typeof value !== "object" || value === null || Object.keys(value).length === 0) {
    return into.set(path, JSON.stringify(value));
  }
  for (const [key, item] of Object.entries(value)) {
    flatten(item, childPath(path, Array.isArray(value) ? Number(key) : key), into);
  }
  return into;
}
