// SPDX-License-Identifier: Apache-2.0
// The device's JSON reader against the one of JavaScript: what the device accepts, JSON.parse() accepts, with the same
// value; what JSON.parse() refuses, the device refuses. (The device is stricter: see native/core/json.h.)
import assert from "node:assert/strict";
import type { Host, Json } from "../../src/host/functions.ts";
import { mutateJson, printJson } from "./json_mutator.ts";
import type { Random } from "./random.ts";
import { realConfigs } from "./real_configs.ts";
import { attempt, type Target } from "./target.ts";

const pieces = [
  "{",
  "}",
  "[",
  "]",
  ",",
  ":",
  '"',
  "\\",
  "\\u00e9",
  "\\ud83d\\ude00",
  "\\ud83d",
  "\u2028",
  "\t",
  "0",
  "-",
  ".5",
  "1e5",
  "1E+400",
  "-0",
  "nul",
  "true",
  "//",
  "\u{1f600}",
];

function scramble(random: Random, text: string): string {
  let result = text;
  for (let changes = random.below(3); changes > 0; changes--) {
    const at = random.below(result.length + 1);
    result = result.slice(0, at) + random.pick(pieces) + result.slice(at + random.below(3));
  }
  // Half a surrogate pair can't be in a UTF-8 text.
  return Buffer.from(result).toString();
}

/** As JSON.parse() gives it: without BigInt (which JSON.parse() rounds), with ordinary prototypes, with -0 as 0. */
function asPlain(value: Json): unknown {
  if (typeof value === "bigint" || typeof value === "number") return Number(value) + 0;
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(asPlain);
  const plain = {};
  for (const [name, member] of Object.entries(value)) {
    Object.defineProperty(plain, name, {
      value: asPlain(member),
      enumerable: true,
      writable: true,
      configurable: true,
    });
  }
  return plain;
}

/** An input is a text that may be JSON. */
export function makeJsonTarget(host: Host): Target {
  const documents = realConfigs();
  return {
    make(random) {
      const value = random.once(2) ? [1, "a", { b: null }] : random.pick(documents);
      return scramble(random, printJson(mutateJson(random, value, documents)));
    },
    check(input) {
      const value = attempt(["HOST"], () => host.parseJson(input, "input"));
      let expected: unknown;
      try {
        expected = JSON.parse(input);
      } catch {
        assert.equal(value, undefined, "accepted, though it is not JSON");
        return;
      }
      if (value !== undefined) assert.deepEqual(asPlain(value), asPlain(expected as Json));
    },
  };
}
