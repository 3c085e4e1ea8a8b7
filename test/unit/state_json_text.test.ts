// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { toJsonText } from "../../src/state/json_text.ts";

test("64-bit integers are written as plain integers, digit for digit", () => {
  assert.equal(toJsonText({ soft: 1024n, hard: 18446744073709551615n }), '{"soft":1024,"hard":18446744073709551615}');
  assert.equal(
    toJsonText([2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, -(2n ** 63n)]),
    `[9007199254740991,9007199254740992,9007199254740993,-9223372036854775808]`,
  );
  assert.equal(toJsonText(7n), "7");
});

test("everything else is what JSON.stringify() writes, with and without a great integer beside it", () => {
  const map = Object.assign(Object.create(null), { toJSON: "a name like any other", __proto__: 1 });
  const value = { text: 'a"\u2028\ud800', list: [1, null, true, [], {}], absent: undefined, map };
  const text = JSON.stringify(value);
  assert.equal(toJsonText(value), text);
  assert.equal(toJsonText({ ...value, limit: 2n ** 64n }), `${text.slice(0, -1)},"limit":18446744073709551616}`);
});
