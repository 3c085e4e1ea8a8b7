// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { chmodSync, chownSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { exportJWK } from "jose";
import { hexToBase64Url } from "../../src/manifest/text.ts";
import { findKey, isEnrolled, readTrustStore } from "../../src/manifest/trust.ts";
import { failure, makeDirectory, makeOwner, makeTrust, now, uid, writeKey } from "./manifest_fixture.ts";
import { nodeHost } from "./node_host.ts";

const host = nodeHost(now);

test("an absent or empty directory, or one with other files: not enrolled", (t) => {
  const directory = makeTrust(t);
  assert.equal(isEnrolled(readTrustStore(host, `${directory}/absent`, uid)), false);
  assert.equal(isEnrolled(readTrustStore(host, directory, uid)), false);
  writeKey(directory, "README", "keys of the owner");
  assert.equal(isEnrolled(readTrustStore(host, directory, uid)), false);
});

test("keys are found by kid, each with the one algorithm that it is for", async (t) => {
  const [first, second] = [await makeOwner("EdDSA"), await makeOwner("ES256")];
  const store = readTrustStore(host, makeTrust(t, first.jwk, second.jwk, first.jwk), uid);
  assert.equal(store.keys.length, 2);
  assert.equal(findKey(store, first.kid)?.algorithm, "EdDSA");
  assert.equal(findKey(store, first.kid)?.key.length, 32);
  assert.equal(findKey(store, second.kid)?.algorithm, "ES256");
  assert.equal(findKey(store, second.kid)?.key.length, 65);
  assert.equal(findKey(store, "other"), undefined);
});

test("the key of RFC 8037 appendix A.3 has the thumbprint given there", (t) => {
  const kid = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
  const jwk = { kty: "OKP", crv: "Ed25519", x: "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", kid };
  assert.equal(readTrustStore(host, makeTrust(t, jwk), uid).keys[0]?.kid, kid);
});

test("hexToBase64Url agrees with Node for every length", () => {
  for (let length = 0; length < 40; length++) {
    const bytes = Buffer.from(Array.from({ length }, (_, index) => (index * 73 + length * 29) & 255));
    assert.equal(hexToBase64Url(bytes.toString("hex")), bytes.toString("base64url"));
  }
});

test("a directory that is a link, a file, or writable by others", async (t) => {
  const owner = await makeOwner();
  const directory = makeTrust(t, owner.jwk);
  const link = join(makeDirectory(t), "trust");
  symlinkSync(directory, link);
  assert.throws(() => readTrustStore(host, link, uid), failure("MANIFEST_INVALID", "is not a directory"));
  assert.throws(
    () => readTrustStore(host, `${directory}/owner0.jwk`, uid),
    failure("MANIFEST_INVALID", "not a directory"),
  );
  for (const mode of [0o775, 0o757]) {
    chmodSync(directory, mode);
    assert.throws(() => readTrustStore(host, directory, uid), failure("MANIFEST_INVALID", "writable by others"));
  }
});

test("a key file that is a link, writable by others, or another user's", async (t) => {
  const owner = await makeOwner();
  const directory = makeTrust(t, owner.jwk);
  const file = `${directory}/owner0.jwk`;
  for (const mode of [0o664, 0o646]) {
    chmodSync(file, mode);
    assert.throws(() => readTrustStore(host, directory, uid), failure("MANIFEST_INVALID", "writable by others"));
  }
  chmodSync(file, 0o644);
  symlinkSync(file, `${directory}/link.jwk`);
  assert.throws(() => readTrustStore(host, directory, uid), failure("MANIFEST_INVALID", "is not a regular file"));
});

test("a directory or key of another user", { skip: uid === 0 ? false : "needs root to chown" }, async (t) => {
  const owner = await makeOwner();
  const directory = makeTrust(t, owner.jwk);
  chownSync(`${directory}/owner0.jwk`, 12345, 0);
  assert.throws(() => readTrustStore(host, directory), failure("MANIFEST_INVALID", "belongs to uid 12345"));
  assert.throws(() => readTrustStore(host, directory, 1000), failure("MANIFEST_INVALID", "belongs to uid 12345"));
  assert.doesNotThrow(() => readTrustStore(host, directory, 12345));
  chownSync(directory, 12345, 0);
  assert.throws(() => readTrustStore(host, directory), failure("MANIFEST_INVALID", "belongs to uid 12345"));
});

test("one bad key refuses the store, naming its file", async (t) => {
  const good = await makeOwner();
  const ec = await makeOwner("ES256");
  const cases: [string, string][] = [
    ["", "is refused"],
    ["{", "is refused"],
    ["[]", "not a JSON object"],
    [JSON.stringify({ ...good.jwk, ...(await exportJWK(good.privateKey)) }), "it holds a secret"],
    [JSON.stringify({ kty: "oct", k: "c2VjcmV0" }), "it holds a secret"],
    [JSON.stringify({ ...good.jwk, kid: ec.kid }), "thumbprint"],
    [JSON.stringify({ ...good.jwk, kid: undefined }), "thumbprint"],
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
    [" ".repeat(9000), "EFBIG"],
  ];
  for (const [text, expected] of cases) {
    const directory = makeTrust(t, ec.jwk);
    writeKey(directory, "bad.jwk", text);
    assert.throws(() => readTrustStore(host, directory, uid), failure("MANIFEST_INVALID", expected), text);
    assert.throws(() => readTrustStore(host, directory, uid), failure("MANIFEST_INVALID", "bad.jwk"), text);
  }
});
