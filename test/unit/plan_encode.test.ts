// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { planSchemaText, updatePlanDocument } from "../../scripts/plan_docs.ts";
import { encodeOperations } from "../../src/plan/encode.ts";
import { operations } from "../../src/plan/operations.ts";

test("each operation is its code, the number of words, its fields", () => {
  const { words, blobs } = encodeOperations([
    { op: "wait_go" },
    { op: "set_hostname", name: "meter" },
    { op: "set_domainname", name: "meter" },
    { op: "exec", args: ["sh", "meter"], env: [] },
  ]);
  const code = (name: keyof typeof operations): number => operations[name].code;
  assert.deepEqual(words, [
    ...[code("wait_go"), 0],
    ...[code("set_hostname"), 1, 0],
    ...[code("set_domainname"), 1, 0],
    ...[code("exec"), 4, 2, 1, 0, 0],
  ]);
  assert.deepEqual(blobs, ["meter", "sh"]);
});

test("u64 is low and high word; u32s are values; blobs are bytes of their own", () => {
  const filter = new Uint8Array([1, 2]);
  const { words, blobs } = encodeOperations([
    { op: "limit_capability_bounds", bounding: 2 ** 40 + 5 },
    { op: "set_user", uid: 4294967295, gid: 1, groups: [7, 8], umask: 18, keepGroups: 0 },
    { op: "load_seccomp", filter, flags: 2 },
  ]);
  assert.deepEqual(words.slice(1, 4), [2, 5, 256]);
  assert.deepEqual(words.slice(5, 12), [7, 4294967295, 1, 2, 7, 8, 18]);
  assert.equal(blobs[0], filter);
});

test("a number that does not fit is a mistake of the planner", () => {
  assert.throws(() => encodeOperations([{ op: "unshare", flags: -1 }]), TypeError);
  assert.throws(() => encodeOperations([{ op: "unshare", flags: 2 ** 32 }]), TypeError);
  assert.throws(() => encodeOperations([{ op: "limit_capability_bounds", bounding: 2 ** 53 }]), TypeError);
});

test("spec/plan.schema.json and docs/plan.md are current (scripts/generate_docs.ts writes them)", () => {
  assert.equal(readFileSync("spec/plan.schema.json", "utf8"), planSchemaText());
  const document = readFileSync("docs/plan.md", "utf8");
  assert.equal(document, updatePlanDocument(document));
});
