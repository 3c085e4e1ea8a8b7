// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { EdgerunError } from "../../src/errors.ts";
import type { Json } from "../../src/host/functions.ts";
import { decode } from "../../src/schema/decode.ts";
import type { Decoded, Schema } from "../../src/schema/schema.ts";

const strictPoint = { required: { x: "u16" }, optional: {}, unknown: "reject" } as const satisfies Schema;
const document = {
  required: { name: "nonempty_string" },
  optional: { ids: { list: "u32" }, labels: { map: "string" }, point: strictPoint, big: "u64" },
} as const satisfies Schema;

/** Every scalar and every combination: what is accepted, and as what. */
const accepted: [what: string, schema: Schema, json: Json, value: unknown][] = [
  ["string", "string", "", ""],
  ["non-empty string", "nonempty_string", "a", "a"],
  ["absolute path", "absolute_path", "/a", "/a"],
  ["boolean", "boolean", false, false],
  ["u16, least", "u16", 0, 0],
  ["u16, most", "u16", 65535, 65535],
  ["u32, most", "u32", 4294967295, 4294967295],
  ["i32, least", "i32", -2147483648, -2147483648],
  ["u64, small", "u64", 5, 5n],
  ["u64, most", "u64", 18446744073709551615n, 18446744073709551615n],
  ["u64, the largest number", "u64", Number.MAX_SAFE_INTEGER, BigInt(Number.MAX_SAFE_INTEGER)],
  ["i64, small", "i64", -1, -1n],
  ["i64, least", "i64", -9223372036854775808n, -9223372036854775808n],
  ["integer range", { integer: [-20, 19] }, -20, -20],
  ["one of", { oneOf: ["a", "b"] }, "b", "b"],
  ["list", { list: "u16" }, [1, 2], [1, 2]],
  ["empty list", { list: "u16" }, [], []],
  ["list with enough items", { list: "u16", minItems: 1 }, [1], [1]],
  ["record", strictPoint, { x: 1 }, { x: 1 }],
  ["optional null is absent", document, { name: "n", ids: null, labels: null, point: null }, { name: "n" }],
];

for (const [what, schema, json, value] of accepted) {
  test(`decode accepts: ${what}`, () => {
    assert.deepEqual(decode(schema, json, "doc"), { value, unknown: [] });
  });
}

const refused: [what: string, schema: Schema, json: Json, message: string][] = [
  ["string", "string", 1, "$: expected a string, found 1"],
  ["NUL in a string", "string", "a\0b", '$: expected a string without NUL, found "a\\u0000b"'],
  ["empty string", "nonempty_string", "", '$: expected a string that is not empty, found ""'],
  ["relative path", "absolute_path", "a/b", '$: expected an absolute path, found "a/b"'],
  ["boolean", "boolean", "true", '$: expected true or false, found "true"'],
  ["negative u16", "u16", -1, "$: expected an integer between 0 and 65535, found -1"],
  ["too large u16", "u16", 65536, "$: expected an integer between 0 and 65535, found 65536"],
  ["fraction", "u32", 1.5, "$: expected an integer between 0 and 4294967295, found 1.5"],
  ["not finite", "u32", Number.POSITIVE_INFINITY, "$: expected an integer between 0 and 4294967295, found Infinity"],
  ["bigint for u32", "u32", 4294967296n, "$: expected an integer between 0 and 4294967295, found 4294967296"],
  ["fraction for u64", "u64", 0.5, "$: expected an integer between 0 and 18446744073709551615, found 0.5"],
  ["imprecise u64", "u64", 2 ** 60, `$: expected an integer between 0 and 18446744073709551615, found ${2 ** 60}`],
  [
    "too large u64",
    "u64",
    18446744073709551616n,
    "$: expected an integer between 0 and 18446744073709551615, found 18446744073709551616",
  ],
  [
    "too small i64",
    "i64",
    -9223372036854775809n,
    "$: expected an integer between -9223372036854775808 and 9223372036854775807, found -9223372036854775809",
  ],
  ["outside of a range", { integer: [-20, 19] }, 20, "$: expected an integer between -20 and 19, found 20"],
  ["one of", { oneOf: ["a", "b"] }, "c", '$: expected one of a, b, found "c"'],
  ["list", { list: "u16" }, { 0: 1 }, "$: expected a list, found an object"],
  ["item of a list", { list: "u16" }, [1, null], "$[1]: expected an integer between 0 and 65535, found null"],
  ["too short list", { list: "u16", minItems: 1 }, [], "$: must not be empty"],
  ["record from a list", strictPoint, [], "$: expected an object, found a list"],
  ["record from null", strictPoint, null, "$: expected an object, found null"],
  ["missing property", strictPoint, {}, "$.x: required, but missing"],
  ["required null", strictPoint, { x: null }, "$.x: expected an integer between 0 and 65535, found null"],
  ["unknown property", strictPoint, { x: 1, y: 2 }, "$.y: unknown property"],
  ["inherited names", strictPoint, { x: 1, toString: 2 }, "$.toString: unknown property"],
  [
    "nested",
    document,
    { name: "n", point: { x: "1" } },
    '$.point.x: expected an integer between 0 and 65535, found "1"',
  ],
  ["map value", document, { name: "n", labels: { "a.b": 1 } }, '$.labels["a.b"]: expected a string, found 1'],
  [
    "map name",
    document,
    { name: "n", labels: { "a\0": "" } },
    '$.labels["a\\u0000"]: property names must not contain NUL',
  ],
  ["long text is cut", "boolean", "y".repeat(100), `$: expected true or false, found "${"y".repeat(64)}"...`],
];

for (const [what, schema, json, message] of refused) {
  test(`decode refuses: ${what}`, () => {
    assert.throws(
      () => decode(schema, json, "doc"),
      (error) => {
        assert.ok(error instanceof EdgerunError);
        assert.equal(error.code, "CONFIG_INVALID");
        assert.equal(error.message, `doc: ${message}`);
        return true;
      },
    );
  });
}

test("decode throws the code that the caller wants", () => {
  assert.throws(() => decode("u16", "", "manifest", "MANIFEST_INVALID"), { code: "MANIFEST_INVALID" });
});

test("decode reports unknown properties by path, and leaves them out", () => {
  const json = { name: "n", extra: { deep: 1 }, "odd name": 1, ids: [1] };
  const { value, unknown } = decode(document, json, "doc");
  assert.deepEqual(value, { name: "n", ids: [1] });
  assert.deepEqual(unknown, ["$.extra", '$["odd name"]']);
});

test("a path after a deeper sibling is not confused by what the sibling left", () => {
  const schema = { list: document } as const satisfies Schema;
  const { unknown } = decode(
    schema,
    [
      { name: "n", labels: { a: "b" }, x: 1 },
      { name: "m", y: 1 },
    ],
    "doc",
  );
  assert.deepEqual(unknown, ["$[0].x", "$[1].y"]);
});

test("__proto__ in a map is a name like any other, in a record an unknown one", () => {
  const json = JSON.parse('{"name":"n","labels":{"__proto__":"v"},"__proto__":{"polluted":1}}') as Json;
  const { value, unknown } = decode(document, json, "doc");
  assert.deepEqual(Object.entries(value.labels!), [["__proto__", "v"]]);
  assert.deepEqual(unknown, ["$.__proto__"]);
  assert.equal(({} as { polluted?: number }).polluted, undefined);
});

test("types follow the schema", () => {
  const value: Decoded<typeof document> = { name: "n", ids: [1], labels: { a: "b" }, point: { x: 1 }, big: 1n };
  const ids: number[] | undefined = value.ids;
  const big: bigint | undefined = value.big;
  // @ts-expect-error name is required
  const wrong: Decoded<typeof document> = {};
  assert.ok(ids && big && wrong);
});
