// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import Ajv2020 from "ajv/dist/2020.js";
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

test("a description of a place that is not there is an error", () => {
  assert.throws(() => toJsonSchema(schema, { ...meta, descriptions: { nmae: "Its name." } }), TypeError);
});
