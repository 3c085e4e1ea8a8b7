// SPDX-License-Identifier: Apache-2.0
// The one interpreter of schemas. It walks a value once and writes no path text unless there is something to report:
// while it descends it only notes the current property or index of each level in `trail`.
import { EdgerunError, type ErrorCode } from "../errors.ts";
import type { Json } from "../host/functions.ts";
import { childPath, describeFound, describeRange } from "./describe.ts";
import {
  type Decoded,
  type Fields,
  integerRanges,
  type RecordSchema,
  type Scalar,
  type Schema,
  type TextFormats,
} from "./schema.ts";

type JsonObject = { [name: string]: Json };

type ListSchema = Extract<Schema, { readonly list: Schema }>;

type Walk = {
  readonly label: string;
  readonly code: ErrorCode;
  readonly formats: TextFormats;
  readonly trail: (string | number)[];
  readonly unknown: string[];
};

/**
 * Checks parsed JSON against a schema.
 *
 * - null counts as absent where a property is optional: Go's encoding/json does so, and engines write null for empty
 *   lists and maps.
 * - Integers must be integers; u64 and i64 come out as bigint, whichever way the parser had them.
 *
 * @param label names the document in errors: "config.json"
 * @param code of the error that is thrown
 * @param formats those that the schema's texts name
 * @returns a copy of what the schema knows of, and the JSON paths of the properties that it does not know
 * @throws EdgerunError, e.g. `config.json: $.process.user.uid: expected an integer between 0 and 4294967295, found "x"`
 */
export function decode<S extends Schema>(
  schema: S,
  json: Json,
  label: string,
  code: ErrorCode = "CONFIG_INVALID",
  formats: TextFormats = {},
): { value: Decoded<S>; unknown: string[] } {
  const walk: Walk = { label, code, formats, trail: [], unknown: [] };
  const value = decodeValue(walk, schema, json, 0) as Decoded<S>;
  return { value, unknown: walk.unknown };
}

/** `depth` is the number of entries of `walk.trail` that lead to the value. */
function decodeValue(walk: Walk, schema: Schema, json: Json, depth: number): unknown {
  if (typeof schema === "string") return decodeScalar(walk, schema, json, depth);
  if ("required" in schema) return decodeRecord(walk, schema, json, depth);
  if ("list" in schema) return decodeList(walk, schema, json, depth);
  if ("map" in schema) return decodeMap(walk, schema.map, json, depth);
  if ("text" in schema) return decodeText(walk, schema.text, json, depth);
  if ("oneOf" in schema) {
    if (typeof json === "string" && schema.oneOf.includes(json)) return json;
    return mismatch(walk, depth, `one of ${schema.oneOf.join(", ")}`, json);
  }
  const [least, most] = schema.integer;
  if (typeof json === "number" && Number.isInteger(json) && json >= least && json <= most) return json;
  return mismatch(walk, depth, describeRange(least, most), json);
}

function decodeScalar(walk: Walk, kind: Scalar, json: Json, depth: number): unknown {
  switch (kind) {
    case "string":
    case "nonempty_string":
    case "absolute_path": {
      if (typeof json !== "string") return mismatch(walk, depth, "a string", json);
      if (json.includes("\0")) return mismatch(walk, depth, "a string without NUL", json);
      if (kind === "absolute_path" && !json.startsWith("/")) return mismatch(walk, depth, "an absolute path", json);
      if (kind === "nonempty_string" && json === "") return mismatch(walk, depth, "a string that is not empty", json);
      return json;
    }
    case "boolean":
      return typeof json === "boolean" ? json : mismatch(walk, depth, "true or false", json);
    case "u64":
    case "i64": {
      const [least, most] = integerRanges[kind];
      // A number beyond 2^53 may have lost digits: the parser hands integers of that size over as bigint.
      const value = typeof json === "number" && Number.isSafeInteger(json) ? BigInt(json) : json;
      if (typeof value === "bigint" && value >= least && value <= most) return value;
      return mismatch(walk, depth, describeRange(least, most), json);
    }
    default: {
      const [least, most] = integerRanges[kind];
      if (typeof json === "number" && Number.isInteger(json) && json >= least && json <= most) return json;
      return mismatch(walk, depth, describeRange(least, most), json);
    }
  }
}

function decodeText(walk: Walk, name: string, json: Json, depth: number): unknown {
  const format = walk.formats[name];
  if (format === undefined) throw new TypeError(`text format ${name} is not known`);
  if (typeof json === "string" && !json.includes("\0") && format.accepts(json)) return json;
  return mismatch(walk, depth, format.expected, json);
}

function decodeRecord(walk: Walk, schema: RecordSchema, json: Json, depth: number): unknown {
  const object = requireObject(walk, json, depth);
  const { required, optional } = schema;
  const result: { [name: string]: unknown } = {};
  for (const name of Object.keys(object)) {
    const value = object[name]!;
    walk.trail[depth] = name;
    if (Object.hasOwn(optional, name)) {
      if (value !== null) result[name] = decodeValue(walk, optional[name]!, value, depth + 1);
    } else if (Object.hasOwn(required, name)) {
      result[name] = decodeValue(walk, required[name]!, value, depth + 1);
    } else {
      if (schema.unknown === "reject") fail(walk, depth + 1, "unknown property");
      walk.unknown.push(currentPath(walk, depth + 1));
    }
  }
  requireProperties(walk, required, result, depth);
  if (schema.exactlyOne !== undefined) requireOne(walk, schema.exactlyOne, result, depth);
  return result;
}

function requireProperties(walk: Walk, required: Fields, result: object, depth: number): void {
  for (const name of Object.keys(required)) {
    if (Object.hasOwn(result, name)) continue;
    walk.trail[depth] = name;
    fail(walk, depth + 1, "required, but missing");
  }
}

function requireOne(walk: Walk, names: readonly string[], result: object, depth: number): void {
  const present = names.filter((name) => Object.hasOwn(result, name));
  if (present.length === 1) return;
  fail(
    walk,
    depth,
    `needs exactly one of ${names.join(", ")}, has ${present.length === 0 ? "none" : present.join(", ")}`,
  );
}

function decodeList(walk: Walk, schema: ListSchema, json: Json, depth: number): unknown {
  const { list, minItems = 0, maxItems = Number.POSITIVE_INFINITY } = schema;
  if (!Array.isArray(json)) return mismatch(walk, depth, "a list", json);
  if (json.length < minItems) fail(walk, depth, minItems === 1 ? "must not be empty" : `needs ${minItems} items`);
  if (json.length > maxItems) fail(walk, depth, `has ${json.length} items, ${maxItems} is the most`);
  const result: unknown[] = [];
  for (let index = 0; index < json.length; index++) {
    walk.trail[depth] = index;
    result.push(decodeValue(walk, list, json[index]!, depth + 1));
  }
  return result;
}

function decodeMap(walk: Walk, item: Schema, json: Json, depth: number): unknown {
  const object = requireObject(walk, json, depth);
  // Names come from the document: without a prototype, "__proto__" is a name like any other.
  const result: { [name: string]: unknown } = Object.create(null);
  for (const name of Object.keys(object)) {
    walk.trail[depth] = name;
    if (name.includes("\0")) fail(walk, depth + 1, "property names must not contain NUL");
    result[name] = decodeValue(walk, item, object[name]!, depth + 1);
  }
  return result;
}

function requireObject(walk: Walk, json: Json, depth: number): JsonObject {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    return mismatch(walk, depth, "an object", json);
  }
  return json;
}

function mismatch(walk: Walk, depth: number, expected: string, found: Json): never {
  return fail(walk, depth, `expected ${expected}, found ${describeFound(found)}`);
}

function fail(walk: Walk, depth: number, problem: string): never {
  throw new EdgerunError(walk.code, `${walk.label}: ${currentPath(walk, depth)}: ${problem}`);
}

function currentPath(walk: Walk, depth: number): string {
  let path = "$";
  for (let level = 0; level < depth; level++) path = childPath(path, walk.trail[level]!);
  return path;
}
