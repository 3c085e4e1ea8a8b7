// SPDX-License-Identifier: Apache-2.0
// The owner's side against the device's: what keygen and sign write is what a device trusts and takes.
import assert from "node:assert/strict";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { formatInspection, inspect } from "../../src/owner/inspect.ts";
import { keygen } from "../../src/owner/keygen.ts";
import type { KeyAlgorithm } from "../../src/owner/keys.ts";
import { sign } from "../../src/owner/sign.ts";
import { parseStrictJson } from "../../src/owner/strict_json.ts";
import { exampleManifest, failure, makeDirectory, makeSite, now, verifyOn } from "./manifest_fixture.ts";

async function setUp(t: TestContext, alg: KeyAlgorithm = "EdDSA") {
  const directory = makeDirectory(t);
  const keys = await keygen({ out: `${directory}/owner`, alg });
  const trustDir = `${directory}/trust`;
  mkdirSync(trustDir, { mode: 0o755 });
  copyFileSync(keys.publicFile, `${trustDir}/owner.jwk`);
  chmodSync(`${trustDir}/owner.jwk`, 0o644);
  const manifestFile = `${directory}/manifest.json`;
  writeFileSync(manifestFile, JSON.stringify(exampleManifest(), null, 2));
  return { directory, keys, trustDir, manifestFile, out: `${directory}/manifest.jws` };
}

for (const alg of ["EdDSA", "ES256", "ES512"] as const) {
  test(`${alg}: a key pair is made, a manifest signed, and a device takes it`, async (t) => {
    const { keys, manifestFile, out } = await setUp(t, alg);
    assert.equal(statSync(keys.privateFile).mode & 0o777, 0o600);
    assert.equal("d" in JSON.parse(readFileSync(keys.publicFile, "utf8")), false);
    const result = await sign({ key: keys.privateFile, manifestFile, out, now });
    assert.equal(result.kid, keys.kid);
    const site = makeSite(t, JSON.parse(readFileSync(keys.publicFile, "utf8")));
    const verified = verifyOn(site, readFileSync(out, "utf8"));
    assert.deepEqual(verified.manifest, exampleManifest());
    assert.equal(verified.signers[0]?.kid, keys.kid);
  });
}

test("keygen replaces nothing", async (t) => {
  const { directory } = await setUp(t);
  await assert.rejects(keygen({ out: `${directory}/owner` }), failure("HOST", "EEXIST"));
  await assert.rejects(keygen({ out: `${directory}/absent/owner` }), failure("HOST", "ENOENT"));
});

test("sign refuses what a device would refuse, and writes nothing then", async (t) => {
  const { keys, manifestFile, out, directory } = await setUp(t);
  const text = JSON.stringify(exampleManifest());
  const cases: [string, string][] = [
    ["{", "not strict JSON"],
    [text.replace('"seq":17', '"seq":17,"seq":18'), 'property "seq" is there twice'],
    [text.replace('"limit":32', '"limit":32,"max":1'), "$.grants.pids.max: unknown property"],
    [text.replace('"com.example.meter-reader"', '"meter"'), "$.app.id"],
    [text.replace(`"exp":${now + 1000}`, `"exp":${now - 1}`), "expired"],
    [text.replace('"seq":17', '"seq":123456789012345678901234567890'), "too large to be exact"],
    [text.replace("meter-reader-17", "x".repeat(4_000_000)), "4194304 is the most"],
  ];
  for (const [content, expected] of cases) {
    writeFileSync(manifestFile, content);
    const signing = sign({ key: keys.privateFile, manifestFile, out, now });
    await assert.rejects(signing, failure("MANIFEST_INVALID", expected), content.slice(0, 200));
    assert.equal(existsSync(out), false);
  }
  const absent = sign({ key: keys.privateFile, manifestFile: `${directory}/absent`, out, now });
  await assert.rejects(absent, failure("HOST", "ENOENT"));
});

test("a manifest for later can be signed now", async (t) => {
  const { keys, manifestFile, out } = await setUp(t);
  writeFileSync(manifestFile, JSON.stringify(exampleManifest({ nbf: now + 500 })));
  await sign({ key: keys.privateFile, manifestFile, out, now });
});

test("a private key that others can read, or a public one, does not sign", async (t) => {
  const { keys, manifestFile, out } = await setUp(t);
  const open = { key: keys.privateFile, manifestFile, out, now };
  chmodSync(keys.privateFile, 0o640);
  await assert.rejects(sign(open), failure("MANIFEST_INVALID", "others can read it"));
  await assert.rejects(sign({ ...open, key: keys.publicFile }), failure("MANIFEST_INVALID", "it is a public key"));
});

test("inspect says whether it could verify, and why a device would refuse", async (t) => {
  const { keys, manifestFile, out, trustDir } = await setUp(t);
  await sign({ key: keys.privateFile, manifestFile, out, now });
  const verified = await inspect({ file: out, trustDir, now });
  assert.deepEqual(verified.payload, exampleManifest());
  assert.deepEqual([verified.verifiedBy, verified.problems], [[`${trustDir}/owner.jwk`], []]);
  assert.match(formatInspection(verified), /^signature: verified by /);

  const unverified = await inspect({ file: out, now });
  assert.deepEqual(unverified.verifiedBy, []);
  assert.match(formatInspection(unverified), /^signature: NOT VERIFIED/);
  const late = await inspect({ file: out, trustDir, now: now + 5000 });
  assert.match(late.problems.join("\n"), /expired/);

  const token = readFileSync(out, "utf8");
  const signature = token.lastIndexOf(".") + 1;
  writeFileSync(out, `${token.slice(0, signature)}${"A".repeat(86)}\n`);
  const forged = await inspect({ file: out, trustDir, now });
  assert.deepEqual(forged.verifiedBy, []);
  assert.match(forged.problems.join("\n"), /signature is not valid/);
  writeFileSync(out, "hello");
  await assert.rejects(inspect({ file: out, now }), failure("MANIFEST_INVALID", "is not a signed document"));
});

test("strict JSON: names are compared after their escapes, per object", () => {
  assert.deepEqual(parseStrictJson('{"a":{"a":1},"b":["a","a",{"a":2}],"c":"a\\":{"}'), {
    a: { a: 1 },
    b: ["a", "a", { a: 2 }],
    c: 'a":{',
  });
  for (const text of ['{"a":1,"a":2}', '{"a":1, "\\u0061" : 2}', '[{"x":{"b":1,"b":1}}]', "9007199254740993"]) {
    assert.throws(() => parseStrictJson(text), SyntaxError, text);
  }
});
