// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { chmodSync, chownSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { exportJWK } from "jose";
import { hexToBase64Url } from "../../src/manifest/text.ts";
import { isEnrolled, readTrustStore, type TrustStore } from "../../src/manifest/trust.ts";
import { failure, makeDirectory, makeOwner, makeSite, uid, writeKey } from "./manifest_fixture.ts";

test("an absent or empty directory, or one with other files: not enrolled", (t) => {
  const site = makeSite(t);
  assert.equal(isEnrolled(readTrustStore(site, `${site.configRoot}/absent`)), false);
  assert.equal(isEnrolled(readTrustStore(site)), false);
  writeKey(`${site.configRoot}/trust`, "README", "keys of the owner");
  assert.equal(isEnrolled(readTrustStore(site)), false);
});

function findKey(store: TrustStore, kid: string) {
  return store.keys.find((key) => key.kid === kid);
}

test("keys are found by kid, each with the one algorithm that it is for", async (t) => {
  const [first, second, third] = [await makeOwner("EdDSA"), await makeOwner("ES256"), await makeOwner("ES512")];
  const store = readTrustStore(makeSite(t, first.jwk, second.jwk, first.jwk, third.jwk));
  assert.equal(store.keys.length, 3);
  for (const [owner, algorithm, size] of [
    [first, "EdDSA", 32],
    [second, "ES256", 65],
    [third, "ES512", 133],
  ] as const) {
    const key = findKey(store, owner.kid);
    assert.deepEqual([key?.algorithm, key?.key.length], [algorithm, size]);
    assert.deepEqual(key?.roles, ["operator", "certifier", "revoker"]);
  }
  assert.equal(findKey(store, "other"), undefined);
});

test("the key of RFC 8037 appendix A.3 has the thumbprint given there", (t) => {
  const kid = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
  const jwk = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", kid };
  assert.equal(readTrustStore(makeSite(t, jwk)).keys[0]?.kid, kid);
});

test("hexToBase64Url agrees with Node for every length", () => {
  for (let length = 0; length < 40; length++) {
    const bytes = Buffer.from(Array.from({ length }, (_, index) => (index * 73 + length * 29) & 255));
    assert.equal(hexToBase64Url(bytes.toString("hex")), bytes.toString("base64url"));
  }
});

test("a directory that is a link, a file, or writable by others, and so for its parent", async (t) => {
  const owner = await makeOwner();
  const site = makeSite(t, owner.jwk);
  const directory = `${site.configRoot}/trust`;
  const link = join(makeDirectory(t), "trust");
  symlinkSync(directory, link);
  assert.throws(() => readTrustStore(site, link), failure("MANIFEST_INVALID", "is not a directory"));
  assert.throws(() => readTrustStore(site, `${directory}/owner0.jwk`), failure("MANIFEST_INVALID", "not a directory"));
  for (const path of [directory, site.configRoot]) {
    for (const mode of [0o775, 0o757]) {
      chmodSync(path, mode);
      assert.throws(() => readTrustStore(site), failure("MANIFEST_INVALID", "writable by others"), path);
    }
    chmodSync(path, 0o755);
  }
  assert.equal(readTrustStore(site).keys.length, 1);
});

test("a key file that is a link, writable by others, or empty", async (t) => {
  const owner = await makeOwner();
  const site = makeSite(t, owner.jwk);
  const directory = `${site.configRoot}/trust`;
  const file = `${directory}/owner0.jwk`;
  for (const mode of [0o664, 0o646]) {
    chmodSync(file, mode);
    assert.throws(() => readTrustStore(site), failure("MANIFEST_INVALID", "writable by others"));
  }
  chmodSync(file, 0o644);
  symlinkSync(file, `${directory}/link.jwk`);
  assert.throws(() => readTrustStore(site), failure("MANIFEST_INVALID", "is not a regular file"));
});

test("a directory or key of another user", { skip: uid === 0 ? false : "needs root to chown" }, async (t) => {
  const owner = await makeOwner();
  const site = makeSite(t, owner.jwk);
  const directory = `${site.configRoot}/trust`;
  chownSync(`${directory}/owner0.jwk`, 12345, 0);
  assert.throws(() => readTrustStore(site), failure("MANIFEST_INVALID", "belongs to uid 12345"));
  assert.throws(() => readTrustStore({ ...site, uid: 1000 }), failure("MANIFEST_INVALID", "belongs to uid 12345"));
  assert.doesNotThrow(() => readTrustStore({ ...site, uid: 12345 }));
  chownSync(directory, 12345, 0);
  assert.throws(() => readTrustStore(site), failure("MANIFEST_INVALID", "belongs to uid 12345"));
});

test("one bad key refuses the store, naming its file", async (t) => {
  const good = await makeOwner();
  const ec = await makeOwner("ES256");
  const cases: [string, string][] = [
    ["", "is refused"],
    ["{", "is refused"],
    ["[]", "expected an object"],
    [JSON.stringify({ ...good.jwk, ...(await exportJWK(good.privateKey)) }), "it holds a secret"],
    [JSON.stringify({ kty: "oct", k: "c2VjcmV0", kid: "a" }), "it holds a secret"],
    [JSON.stringify({ ...good.jwk, kid: ec.kid }), "thumbprint"],
    [JSON.stringify({ ...good.jwk, kid: undefined }), "$.kid: required"],
    [JSON.stringify({ ...good.jwk, crv: "X25519" }), "not an Ed25519 key"],
    [JSON.stringify({ ...ec.jwk, crv: "P-384" }), "not an Ed25519 key"],
    [JSON.stringify({ ...good.jwk, x: "AAAA" }), "3 bytes instead of 32"],
    [JSON.stringify({ ...good.jwk, x: "" }), "0 bytes instead of 32"],
    [JSON.stringify({ ...good.jwk, x: `${good.jwk.x}=` }), "base64url"],
    [JSON.stringify({ ...ec.jwk, y: undefined }), '"y" is missing'],
    [JSON.stringify({ ...good.jwk, alg: "ES256" }), '"alg" does not fit'],
    [JSON.stringify({ ...good.jwk, alg: "HS256" }), '"alg" does not fit'],
    [JSON.stringify({ ...good.jwk, use: "enc" }), '"use"'],
    [JSON.stringify({ ...good.jwk, key_ops: ["sign"] }), '"key_ops"'],
    [JSON.stringify(good.jwk).replace("{", '{"kid":"x",'), "there twice"],
    [" ".repeat(9000), "larger than 8192 bytes"],
  ];
  for (const [text, expected] of cases) {
    const site = makeSite(t, ec.jwk);
    writeKey(`${site.configRoot}/trust`, "bad.jwk", text);
    assert.throws(() => readTrustStore(site), failure("MANIFEST_INVALID", expected), text);
    assert.throws(() => readTrustStore(site), failure("MANIFEST_INVALID", "bad.jwk"), text);
  }
});
