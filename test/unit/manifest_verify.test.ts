// SPDX-License-Identifier: Apache-2.0
// Signed manifests against the verifier: tokens come from jose, so both sides of the format are checked.
import assert from "node:assert/strict";
import { createHmac, KeyObject, sign as signDer } from "node:crypto";
import { type TestContext, test } from "node:test";
import { compactVerify, importJWK } from "jose";
import {
  exampleManifest,
  failure,
  makeOwner,
  makeSite,
  now,
  type Owner,
  signToken,
  verifyOn,
} from "./manifest_fixture.ts";

function encode(value: unknown): string {
  return Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
}

/** Verifies a token on a device that trusts these owners. */
function verify(t: TestContext, token: string, ...owners: Owner[]) {
  return verifyOn(makeSite(t, ...owners.map((owner) => owner.jwk)), token);
}

for (const [keyAlg, alg] of [
  ["EdDSA", "EdDSA"],
  ["EdDSA", "Ed25519"],
  ["ES256", "ES256"],
  ["ES512", "ES512"],
] as const) {
  test(`a manifest signed with ${alg} is valid for jose and for the device`, async (t) => {
    const owner = await makeOwner(keyAlg);
    const other = await makeOwner(keyAlg);
    const token = await signToken(owner, exampleManifest(), { alg });
    const { payload } = await compactVerify(token, await importJWK(owner.jwk, alg));
    const verified = verify(t, token, other, owner);
    assert.deepEqual(verified.manifest, JSON.parse(Buffer.from(payload).toString()));
    assert.deepEqual(
      verified.signers.map(({ kid }) => kid),
      [owner.kid],
    );
    assert.match(verified.digest, /^sha256:[0-9a-f]{64}$/);
    assert.equal(verify(t, `${token}\n`, owner).digest, verified.digest);
  });
}

test("another owner's key: its kid is unknown, and under a trusted kid its signature is not valid", async (t) => {
  const [owner, stranger] = [await makeOwner(), await makeOwner()];
  const unknown = await signToken(stranger, exampleManifest());
  assert.throws(() => verify(t, unknown, owner), failure("MANIFEST_INVALID", `signed by key "${stranger.kid}"`));
  const borrowed = await signToken(stranger, exampleManifest(), { kid: owner.kid });
  assert.throws(() => verify(t, borrowed, owner), failure("MANIFEST_INVALID", "signature is not valid"));
});

test("one flipped bit anywhere refuses the manifest", async (t) => {
  const owner = await makeOwner();
  const site = makeSite(t, owner.jwk);
  const token = await signToken(owner, exampleManifest());
  verifyOn(site, token);
  for (let index = 0; index < token.length; index++) {
    const flipped = String.fromCharCode(token.charCodeAt(index) ^ 1);
    const changed = `${token.slice(0, index)}${flipped}${token.slice(index + 1)}`;
    assert.throws(() => verifyOn(site, changed), failure("MANIFEST_INVALID", "manifest"), `at ${index}`);
  }
});

test("alg none, HS256 with the public key, and an alg that is not the key's", async (t) => {
  const owner = await makeOwner();
  const header = { kid: owner.kid, typ: "edgerun-capability+jws" };
  const payload = encode(exampleManifest());
  const none = `${encode({ ...header, alg: "none" })}.${payload}`;
  assert.throws(() => verify(t, `${none}.`, owner), failure("MANIFEST_INVALID", "not a signed JWS"));
  assert.throws(() => verify(t, `${none}.AAAA`, owner), failure("MANIFEST_INVALID", 'alg "none" is not accepted'));
  const hmac = `${encode({ ...header, alg: "HS256" })}.${payload}`;
  const secret = Buffer.from(owner.jwk.x ?? "", "base64url");
  const mac = createHmac("sha256", secret).update(hmac).digest("base64url");
  assert.throws(() => verify(t, `${hmac}.${mac}`, owner), failure("MANIFEST_INVALID", 'alg "HS256" is not accepted'));
  const es256 = `${encode({ ...header, alg: "ES256" })}.${payload}.${"A".repeat(86)}`;
  assert.throws(() => verify(t, es256, owner), failure("MANIFEST_INVALID", "does not fit key"));
});

test("an ES256 signature in DER instead of r||s", async (t) => {
  const owner = await makeOwner("ES256");
  const token = await signToken(owner, exampleManifest());
  const signed = token.slice(0, token.lastIndexOf("."));
  const der = signDer("sha256", Buffer.from(signed), { key: KeyObject.from(owner.privateKey), dsaEncoding: "der" });
  assert.throws(
    () => verify(t, `${signed}.${der.toString("base64url")}`, owner),
    failure("MANIFEST_INVALID", "not valid"),
  );
});

test("headers that choose a key, change the format, or are critical", async (t) => {
  const owner = await makeOwner();
  for (const header of [
    { jwk: owner.jwk },
    { jku: "https://example.com/keys" },
    { x5u: "https://example.com/cert" },
    { x5c: [] },
    { zip: "DEF" },
  ]) {
    const token = await signToken(owner, exampleManifest(), { header });
    const name = Object.keys(header)[0];
    assert.throws(() => verify(t, token, owner), failure("MANIFEST_INVALID", `header has "${name}"`));
  }
  const critical = { crit: ["com.example.unknown"], "com.example.unknown": true };
  const token = await signToken(owner, exampleManifest(), { header: critical });
  assert.throws(() => verify(t, token, owner), failure("MANIFEST_INVALID", "critical"));
  const unencoded = `${encode({ alg: "EdDSA", kid: owner.kid, typ: "edgerun-capability+jws", b64: false })}.e30.AAAA`;
  assert.throws(() => verify(t, unencoded, owner), failure("MANIFEST_INVALID", 'header has "b64"'));
});

test("a token of another type, without kid, or with a header that is not an object or has a name twice", async (t) => {
  const owner = await makeOwner();
  const other = await signToken(owner, exampleManifest(), { typ: "JWT" });
  assert.throws(() => verify(t, other, owner), failure("MANIFEST_INVALID", "does not have typ"));
  const twice = `{"alg":"none","alg":"EdDSA","kid":"${owner.kid}","typ":"edgerun-capability+jws"}`;
  assert.throws(() => verify(t, `${encode(twice)}.e30.AAAA`, owner), failure("MANIFEST_INVALID", "there twice"));
  assert.throws(() => verify(t, `${encode("[]")}.e30.AAAA`, owner), failure("MANIFEST_INVALID", "not a JSON object"));
  const anonymous = encode({ alg: "EdDSA", typ: "edgerun-capability+jws" });
  assert.throws(() => verify(t, `${anonymous}.e30.AAAA`, owner), failure("MANIFEST_INVALID", "lacks alg or kid"));
});

test("a kid that is a path selects nothing, and is quoted on one line", async (t) => {
  const owner = await makeOwner();
  for (const kid of ["../../root/key", "owner0", "owner0.jwk", "/etc/passwd", "__proto__", "line\nbreak"]) {
    const token = await signToken(owner, exampleManifest(), { kid });
    assert.throws(() => verify(t, token, owner), failure("MANIFEST_INVALID", "which is not in"));
  }
});

test("what is not a token: empty, too many parts, padding, white space, 10 MB", async (t) => {
  const owner = await makeOwner();
  const token = await signToken(owner, exampleManifest());
  for (const text of ["", "\n", ".", "..", "a.b", `${token}.x`]) {
    assert.throws(() => verify(t, text, owner), failure("MANIFEST_INVALID", "not a signed JWS"), JSON.stringify(text));
  }
  for (const text of [`${token}=`, `${token} `, ` ${token}`, `${token}\n\n`]) {
    assert.throws(() => verify(t, text, owner), failure("MANIFEST_INVALID", "base64url"), JSON.stringify(text));
  }
  const large = await signToken(owner, exampleManifest({ jti: "x".repeat(7_500_000) }));
  assert.ok(large.length > 10_000_000);
  assert.throws(() => verify(t, large, owner), failure("MANIFEST_INVALID", "larger than 4194304 bytes"));
});

test("a payload with a property twice, unknown properties, or another schema, though signed", async (t) => {
  const owner = await makeOwner();
  const text = JSON.stringify(exampleManifest());
  const cases: [string, string][] = [
    [text.replace('"seq":17', '"seq":17,"seq":18'), "there twice"],
    [text.replace('"seq":17', '"seq":17,"extra":1'), "$.extra: unknown property"],
    [text.replace('"pids":{', '"pids":{"burst":1,'), "$.grants.pids.burst: unknown property"],
    [text.replace("capability/v1", "capability/v2"), "is not known to this version"],
    ["[]", "expected an object"],
    ["not json", "payload is refused"],
  ];
  for (const [payloadText, expected] of cases) {
    const token = await signToken(owner, null, { payloadText });
    assert.throws(() => verify(t, token, owner), failure("MANIFEST_INVALID", expected));
  }
});

test("time: expired, not yet valid, issued in the future, and the edges of each", async (t) => {
  const owner = await makeOwner();
  const check = async (times: object): Promise<() => unknown> => {
    const token = await signToken(owner, exampleManifest(times));
    return () => verify(t, token, owner);
  };
  assert.throws(await check({ exp: now }), failure("MANIFEST_INVALID", "expired at"));
  assert.doesNotThrow(await check({ exp: now + 1 }));
  assert.throws(await check({ nbf: now + 1 }), failure("MANIFEST_INVALID", "not valid before"));
  assert.doesNotThrow(await check({ nbf: now }));
  assert.throws(await check({ iat: now + 301 }), failure("MANIFEST_INVALID", "in the future"));
  assert.doesNotThrow(await check({ iat: now + 300 }));
});
