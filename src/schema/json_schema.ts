// SPDX-License-Identifier: Apache-2.0
// JSON Schema (draft 2020-12) of a schema, for publishing below spec/. Not used on the device.
//
// The published form is for those who write documents, and is in three things stricter or laxer than decode():
// it does not mention that null counts as absent; it leaves the ban on NUL in strings to the decoder; and the bounds
// of 64-bit integers are the nearest double.
import { integerRanges, type RecordSchema, type Scalar, type Schema, type TextFormats } from "./schema.ts";

/** A JSON Schema document or a part of it. */
export type JsonSchema = { [keyword: string]: unknown };

export type JsonSchemaMeta = {
  /** `$id`, a URL. */
  id: string;
  title: string;
  description?: string;
  /** Parts that get a name in `$defs`; every place that uses the same object refers to it. */
  definitions?: { readonly [name: string]: Schema };
  /**
   * Descriptions by place: property names joined by ".", "[]" for a list's items, "{}" for a map's values; below a
   * definition, its name comes first: "process.args", "process.rlimits[].type", "IdMapping.size".
   */
  descriptions?: { readonly [place: string]: string };
  /** Examples by place, as for `descriptions`. */
  examples?: { readonly [place: string]: unknown };
  /** Those that the schema's texts name. */
  formats?: TextFormats;
};

type Writer = {
  readonly names: Map<Schema, string>;
  readonly descriptions: { readonly [place: string]: string };
  readonly examples: { readonly [place: string]: unknown };
  readonly formats: TextFormats;
  readonly described: Set<string>;
};

/**
 * Writes a schema as JSON Schema, draft 2020-12.
 *
 * @throws TypeError when a description is for a place that does not exist
 */
export function toJsonSchema(schema: Schema, meta: JsonSchemaMeta): JsonSchema {
  const definitions = Object.entries(meta.definitions ?? {});
  const writer: Writer = {
    names: new Map(definitions.map(([name, part]) => [part, name])),
    descriptions: meta.descriptions ?? {},
    examples: meta.examples ?? {},
    formats: meta.formats ?? {},
    described: new Set(),
  };
  const document: JsonSchema = {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: meta.id,
    title: meta.title,
    ...(meta.description === undefined ? {} : { description: meta.description }),
    ...writeSchema(writer, schema, ""),
  };
  if (definitions.length > 0) {
    document.$defs = Object.fromEntries(definitions.map(([name, part]) => [name, writePart(writer, part, name)]));
  }
  for (const place of Object.keys(writer.descriptions)) {
    if (!writer.described.has(place)) throw new TypeError(`description of ${place}, which is not in the schema`);
  }
  return document;
}

/** A part of a schema with its description: by reference, if it is a definition. */
function writePart(writer: Writer, schema: Schema, place: string): JsonSchema {
  const name = writer.names.get(schema);
  const part = name === undefined || name === place ? writeSchema(writer, schema, place) : { $ref: `#/$defs/${name}` };
  const description = writer.descriptions[place];
  if (description === undefined) return part;
  writer.described.add(place);
  const example = writer.examples[place];
  return { description, ...part, ...(example === undefined ? {} : { examples: [example] }) };
}

function writeSchema(writer: Writer, schema: Schema, place: string): JsonSchema {
  if (typeof schema === "string") return writeScalar(schema);
  if ("required" in schema) return writeRecord(writer, schema, place);
  if ("list" in schema) {
    const list: JsonSchema = { type: "array", items: writePart(writer, schema.list, `${place}[]`) };
    if (schema.minItems !== undefined) list.minItems = schema.minItems;
    if (schema.maxItems !== undefined) list.maxItems = schema.maxItems;
    return list;
  }
  if ("map" in schema) return { type: "object", additionalProperties: writePart(writer, schema.map, `${place}{}`) };
  if ("text" in schema) return { type: "string", pattern: writer.formats[schema.text]?.pattern ?? "" };
  if ("oneOf" in schema) return { type: "string", enum: schema.oneOf };
  return { type: "integer", minimum: schema.integer[0], maximum: schema.integer[1] };
}

function writeRecord(writer: Writer, schema: RecordSchema, place: string): JsonSchema {
  const properties: JsonSchema = {};
  for (const [name, field] of Object.entries({ ...schema.required, ...schema.optional })) {
    properties[name] = writePart(writer, field, place === "" ? name : `${place}.${name}`);
  }
  const record: JsonSchema = { type: "object", properties };
  const required = Object.keys(schema.required);
  if (required.length > 0) record.required = required;
  if (schema.unknown === "reject") record.additionalProperties = false;
  if (schema.exactlyOne !== undefined) {
    // The properties again: strict validators want to see what is required.
    record.oneOf = schema.exactlyOne.map((name) => ({ required: [name], properties: { [name]: true } }));
  }
  return record;
}

function writeScalar(kind: Scalar): JsonSchema {
  switch (kind) {
    case "string":
      return { type: "string" };
    case "nonempty_string":
      return { type: "string", minLength: 1 };
    case "absolute_path":
      return { type: "string", pattern: "^/" };
    case "boolean":
      return { type: "boolean" };
    default: {
      const [least, most] = integerRanges[kind];
      return { type: "integer", minimum: Number(least), maximum: Number(most) };
    }
  }
}
