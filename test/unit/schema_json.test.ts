// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import Ajv2020 from "ajv/dist/2020.js";
import type { Json } from "../../src/host/functions.ts";
import { decode } from "../../src/schema/decode.ts";
import { toJsonSchema } from "../../src/schema/json_schema.ts";
import type { Schema } from "../../src/schema/schema.ts";

const point = {
  required: { x: "u16" },
  optional: { y: { integer: [-1, 1] } },
  unknown: "reject",
} as const satisfies Schema;
const schema = {
  required: { name: "nonempty_string", points: { list: point, minItems: 1 } },
  optional: { path: "absolute_path", labels: { map: "string" }, color: { oneOf: ["red"] }, big: "i64", on: "boolean" },
} as const satisfies Schema;
const meta = { id: "https://example.com/doc.schema.json", title: "Doc" };

test("toJsonSchema writes the whole document", () => {
  const written = toJsonSchema(schema, {
    ...meta,
    description: "A document.",
    definitions: { Point: point },
    descriptions: { name: "Its name.", "points[]": "A corner.", "labels{}": "Free.", "Point.x": "To the right." },
  });
  assert.deepEqual(written, {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    $id: "https://example.com/doc.schema.json",
    title: "Doc",
    description: "A document.",
    type: "object",
    properties: {
      name: { description: "Its name.", type: "string", minLength: 1 },
      points: { type: "array", items: { description: "A corner.", $ref: "#/$defs/Point" }, minItems: 1 },
      path: { type: "string", pattern: "^/" },
      labels: { type: "object", additionalProperties: { description: "Free.", type: "string" } },
      color: { type: "string", enum: ["red"] },
      big: { type: "integer", minimum: -(2 ** 63), maximum: 2 ** 63 },
      on: { type: "boolean" },
    },
    required: ["name", "points"],
    $defs: {
      Point: {
        type: "object",
        properties: {
          x: { description: "To the right.", type: "integer", minimum: 0, maximum: 65535 },
          y: { type: "integer", minimum: -1, maximum: 1 },
        },
        required: ["x"],
        additionalProperties: false,
      },
    },
  });
});

test("what toJsonSchema writes is a JSON Schema that accepts and refuses as decode does", () => {
  const validate = new Ajv2020({ strict: true }).compile(
    toJsonSchema(schema, { ...meta, definitions: { Point: point } }),
  );
  const good = { name: "n", points: [{ x: 1, y: -1 }], path: "/a", labels: { a: "b" }, color: "red", big: 1, other: 1 };
  assert.equal(validate(good), true, JSON.stringify(validate.errors));
  const bad: object[] = [
    { ...good, name: "" },
    { ...good, points: [] },
    { ...good, points: [{ x: 65536 }] },
    { ...good, points: [{ x: 1, z: 1 }] },
    { ...good, path: "a" },
    { ...good, labels: { a: 1 } },
    { ...good, color: "blue" },
    { ...good, big: 1.5 },
    { points: good.points },
  ];
  for (const document of bad) assert.equal(validate(document), false, JSON.stringify(document));
});

test("exactly one of several properties, texts of a format, and lists with a most", () => {
  const formats = { word: { pattern: "^[a-z]+$", expected: "a word", accepts: (text: string) => text !== "" } };
  const choice = {
    required: {},
    optional: { a: { text: "word" }, b: { list: "u16", maxItems: 1 } },
    exactlyOne: ["a", "b"],
    unknown: "reject",
  } as const satisfies Schema;
  const validate = new Ajv2020({ strict: true }).compile(toJsonSchema(choice, { ...meta, formats }));
  const accepts = (json: Json): boolean => {
    try {
      decode(choice, json, "doc", "CONFIG_INVALID", formats);
      return true;
    } catch {
      return false;
    }
  };
  for (const document of [{ a: "x" }, { b: [1] }, { b: [] }] as Json[]) {
    assert.deepEqual([accepts(document), validate(document)], [true, true], JSON.stringify(document));
  }
  for (const document of [{}, { a: "x", b: [] }, { a: "" }, { a: 1 }, { b: [1, 2] }] as Json[]) {
    assert.deepEqual([accepts(document), validate(document)], [false, false], JSON.stringify(document));
  }
  assert.throws(
    () => decode(choice, { a: "x\0" }, "doc", "CONFIG_INVALID", formats),
    /doc: \$\.a: expected a word, found "x\\u0000"/,
  );
});

test("a description of a place that is not there is an error", () => {
  assert.throws(() => toJsonSchema(schema, { ...meta, descriptions: { nmae: "Its name." } }), TypeError);
});
