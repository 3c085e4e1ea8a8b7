// SPDX-License-Identifier: Apache-2.0
// Every place of config.json, process.json and a resources document with values of a wrong type, out of range, missing,
// or of an unknown name. The values are derived from the schemas, so a property that is added is tested, too.
import assert from "node:assert/strict";
import { test } from "node:test";
import { EdgerunError } from "../../src/errors.ts";
import type { Json } from "../../src/host/functions.ts";
import { decode } from "../../src/schema/decode.ts";
import { childPath } from "../../src/schema/describe.ts";
import { integerRanges, type Scalar, type Schema } from "../../src/schema/schema.ts";
import { specSchema } from "../../src/spec/config.ts";
import { decodeProcess, decodeResources, decodeSpec } from "../../src/spec/decode.ts";
import { processSchema } from "../../src/spec/process.ts";
import { resourcesSchema } from "../../src/spec/resources.ts";

type Place = { path: string; schema: Schema; isRequired: boolean; set(value: Json | undefined): void };

/** A document with something at every place of the schema, and all of those places. */
function makeDocument(schema: Schema): { document: Json; places: Place[] } {
  const places: Place[] = [];
  const document = fill(schema, "$", places);
  return { document, places };
}

function fill(schema: Schema, path: string, places: Place[]): Json {
  if (typeof schema === "string") return scalarSample(schema);
  if ("required" in schema) {
    const record: { [name: string]: Json } = {};
    for (const [fields, isRequired] of [
      [schema.required, true],
      [schema.optional, false],
    ] as const) {
      for (const [name, field] of Object.entries(fields)) {
        const at = childPath(path, name);
        record[name] = fill(field, at, places);
        const set = (value: Json | undefined) => {
          if (value === undefined) delete record[name];
          else record[name] = value;
        };
        places.push({ path: at, schema: field, isRequired, set });
      }
    }
    return record;
  }
  if ("list" in schema) {
    const list: Json[] = [fill(schema.list, `${path}[0]`, places)];
    places.push({ path: `${path}[0]`, schema: schema.list, isRequired: false, set: (value) => setFirst(list, value) });
    return list;
  }
  if ("map" in schema) {
    const map: { [name: string]: Json } = {};
    const at = childPath(path, "key");
    map.key = fill(schema.map, at, places);
    const set = (value: Json | undefined) => {
      if (value === undefined) delete map.key;
      else map.key = value;
    };
    places.push({ path: at, schema: schema.map, isRequired: false, set });
    return map;
  }
  if ("text" in schema) throw new TypeError(`no sample for ${schema.text} at ${path}`);
  return "oneOf" in schema ? schema.oneOf[0]! : schema.integer[0];
}

function setFirst(list: Json[], value: Json | undefined): void {
  list.length = 0;
  if (value !== undefined) list.push(value);
}

function scalarSample(kind: Scalar): Json {
  if (kind === "boolean") return true;
  return kind === "string" || kind === "nonempty_string" || kind === "absolute_path" ? "/x" : 1;
}

/** What must not be there. null counts as absent, so it is tried only where something is required. */
function wrongValues(schema: Schema): Json[] {
  if (typeof schema === "string") {
    if (schema === "boolean") return ["true", 1, [], {}];
    if (schema === "string") return [7, true, [], {}, "a\0b"];
    if (schema === "nonempty_string") return [7, true, [], {}, "a\0b", ""];
    if (schema === "absolute_path") return [7, true, [], {}, "/a\0b", "", "relative/path"];
    const [least, most] = integerRanges[schema].map(BigInt) as [bigint, bigint];
    return ["1", true, [], {}, 1.5, least - 1n, most + 1n];
  }
  if ("required" in schema || "map" in schema) return ["x", 7, true, []];
  if ("list" in schema) return ["x", 7, true, {}, ...(schema.minItems === undefined ? [] : [[] as Json[]])];
  if ("oneOf" in schema) return ["NONSENSE", schema.oneOf[0]!.toLowerCase() + schema.oneOf[0]!, 7, true, [], {}];
  if ("text" in schema) return [7, true, [], {}];
  const [least, most] = schema.integer;
  return ["1", true, [], {}, 1.5, least - 1, most + 1];
}

const documents = [
  ["config.json", specSchema, (json: Json) => decodeSpec(json)],
  ["process.json", processSchema, (json: Json) => decodeProcess(json, "process.json")],
  ["resources.json", resourcesSchema, (json: Json) => decodeResources(json, "resources.json")],
] as const;

function assertRefused(check: (json: Json) => unknown, document: Json, label: string, path: string, what: string) {
  assert.throws(
    () => check(document),
    (error) => {
      assert.ok(error instanceof EdgerunError && error.code === "CONFIG_INVALID", `${path} = ${what}: ${error}`);
      assert.ok(error.message.startsWith(`${label}: ${path}: `), `${path} = ${what}: ${error.message}`);
      assert.equal(error.message.split("\n").length, 1);
      return true;
    },
    `${path} = ${what} was taken`,
  );
}

for (const [label, schema, check] of documents) {
  test(`${label}: every place refuses what it can't be, by its path`, () => {
    const count = makeDocument(schema).places.length;
    assert.ok(count > 40, `${count} places`);
    for (let index = 0; index < count; index++) {
      for (let choice = 0; ; choice++) {
        // Anew each time: what is set replaces what lies below it.
        const { document, places } = makeDocument(schema);
        const place = places[index]!;
        const values = wrongValues(place.schema);
        if (choice === values.length) break;
        const value = values[choice]!;
        place.set(value);
        assertRefused(check, document, label, place.path, String(typeof value === "object" ? typeof value : value));
      }
    }
  });

  test(`${label}: every property that is required is missed, by its path`, () => {
    const required = makeDocument(schema).places.flatMap((place, index) => (place.isRequired ? [index] : []));
    for (const index of required) {
      for (const value of [undefined, null]) {
        const { document, places } = makeDocument(schema);
        places[index]!.set(value);
        assertRefused(check, document, label, places[index]!.path, String(value));
      }
    }
  });
}

for (const [label, schema] of documents) {
  test(`${label}: every object tells of a name that it does not know, and goes on`, () => {
    const { document } = makeDocument(schema);
    const added: string[] = [];
    addUnknown(schema, document, "$", added);
    assert.ok(added.length > 5, `${added.length} objects`);
    assert.deepEqual(decode(schema, document, label).unknown.sort(), added.sort());
  });
}

function addUnknown(schema: Schema, json: Json, path: string, added: string[]): void {
  if (typeof schema === "string" || typeof json !== "object" || json === null) return;
  if ("required" in schema) {
    added.push(childPath(path, "nonsense"));
    const record = json as { [name: string]: Json };
    for (const [name, field] of Object.entries({ ...schema.required, ...schema.optional })) {
      addUnknown(field, record[name]!, childPath(path, name), added);
    }
    record.nonsense = 1;
  } else if ("list" in schema) addUnknown(schema.list, (json as Json[])[0]!, `${path}[0]`, added);
  else if ("map" in schema)
    addUnknown(schema.map, (json as { [name: string]: Json }).key!, childPath(path, "key"), added);
}
