// SPDX-License-Identifier: Apache-2.0
// Who may sign what, for whom, when and how often: several signatures, the trust policy, the trust root, devices, the
// clock, sequence numbers, revocation. Tokens come from jose; each refusal has its twin that passes.
import assert from "node:assert/strict";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { CompactSign, GeneralSign, generalVerify, importJWK } from "jose";
import { EdgerunError } from "../../src/errors.ts";
import type { Host } from "../../src/host/functions.ts";
import { commitAdmission } from "../../src/manifest/admit.ts";
import { keepTime, readClock } from "../../src/manifest/clock.ts";
import type { Manifest } from "../../src/manifest/schema.ts";
import { raiseMark } from "../../src/manifest/sequence.ts";
import type { Site } from "../../src/manifest/site.ts";
import { readTrustStore } from "../../src/manifest/trust.ts";
import { acceptSuccessor, openTrustRoot } from "../../src/manifest/trust_root.ts";
import { openVerifier, verifyManifest } from "../../src/manifest/verify.ts";
import {
  exampleManifest,
  failure,
  makeOwner,
  makeSite,
  now,
  type Owner,
  signToken,
  verifyOn,
  writeKey,
} from "./manifest_fixture.ts";
import { nodeHost } from "./node_host.ts";

const invalid = (text: string) => failure("MANIFEST_INVALID", text);

/** The manifest in general JSON serialization, signed by all of them. */
async function signAll(owners: readonly Owner[], manifest: unknown = exampleManifest()): Promise<string> {
  const signing = new GeneralSign(new TextEncoder().encode(JSON.stringify(manifest)));
  for (const { alg, kid, privateKey } of owners) {
    signing.addSignature(privateKey).setProtectedHeader({ alg, kid, typ: "edgerun-capability+jws" });
  }
  return JSON.stringify(await signing.sign());
}

function writePolicy(site: Site, keys: { [kid: string]: object }, changes: object = {}): void {
  const policy = { schema: "edgerun/trust-policy/v1", keys, ...changes };
  writeKey(`${site.configRoot}/trust`, "policy.json", JSON.stringify(policy));
}

const operator = { roles: ["operator"] };

// --- several signatures

test("a manifest with signatures of three algorithms is valid for jose and for the device", async (t) => {
  const owners = [await makeOwner("EdDSA"), await makeOwner("ES256"), await makeOwner("ES512")];
  const token = await signAll(owners);
  for (const { jwk, alg } of owners) await generalVerify(JSON.parse(token), await importJWK(jwk, alg));
  const site = makeSite(t, ...owners.map(({ jwk }) => jwk));
  const verified = verifyOn(site, token);
  assert.deepEqual(verified.signers.map(({ kid }) => kid).sort(), owners.map(({ kid }) => kid).sort());
  // The same document with other signatures has the same name.
  assert.equal(verifyOn(site, await signToken(owners[0]!, exampleManifest())).digest, verified.digest);
  assert.equal(verifyOn(site, `${token}\n`).digest, verified.digest);
});

test("every signature has to be valid and by a known key; of unknown ones the policy may say that they are ignored", async (t) => {
  const [a, b, stranger] = [await makeOwner(), await makeOwner(), await makeOwner()];
  const site = makeSite(t, a.jwk, b.jwk);
  const foreign = await signAll([a, stranger]);
  assert.throws(() => verifyOn(site, foreign), invalid(`signed by key "${stranger.kid}", which is not in`));
  const broken = JSON.parse(await signAll([a, b]));
  broken.signatures[1].signature = broken.signatures[0].signature;
  assert.throws(() => verifyOn(site, JSON.stringify(broken)), invalid("signature is not valid"));
  writePolicy(site, { [a.kid]: operator, [b.kid]: operator }, { otherSignatures: "ignore" });
  assert.equal(verifyOn(site, foreign).signers.length, 1);
  assert.throws(() => verifyOn(site, JSON.stringify(broken)), invalid("signature is not valid"));
  const alone = await signAll([stranger]);
  assert.throws(() => verifyOn(site, alone), invalid("signed by no key of"));
});

test("the same key twice, no signature, unprotected headers, too many signatures", async (t) => {
  const owner = await makeOwner();
  const site = makeSite(t, owner.jwk);
  const token = JSON.parse(await signAll([owner]));
  const [signature] = token.signatures;
  const cases: [object, string][] = [
    [{ ...token, signatures: [signature, signature] }, "signed twice by key"],
    [{ ...token, signatures: [] }, "$.signatures: must not be empty"],
    [{ ...token, signatures: [{ ...signature, header: { alg: "none" } }] }, "$.signatures[0].header: unknown property"],
    [{ ...token, header: {} }, "$.header: unknown property"],
    [{ payload: token.payload, ...signature }, "not a signed JWS"],
    [{ ...token, signatures: new Array(17).fill(signature) }, "17 items, 16 is the most"],
    [{ ...token, payload: "" }, "$.payload: "],
    [{ signatures: token.signatures }, "$.payload: required"],
    [exampleManifest(), "not a signed JWS"],
  ];
  assert.equal(verifyOn(site, JSON.stringify(token)).manifest.seq, 17);
  for (const [changed, text] of cases)
    assert.throws(() => verifyOn(site, JSON.stringify(changed)), invalid(text), text);
  const twice = JSON.stringify(token).replace("{", '{"payload":"e30",');
  assert.throws(() => verifyOn(site, twice), invalid("there twice"));
});

test("a threshold of operators, and a certifier besides", async (t) => {
  const [a, b, certifier] = [await makeOwner(), await makeOwner("ES256"), await makeOwner()];
  const site = makeSite(t, a.jwk, b.jwk, certifier.jwk);
  const keys = { [a.kid]: operator, [b.kid]: operator, [certifier.kid]: { roles: ["certifier"] } };
  writePolicy(site, keys, { operators: 2, certifiers: 1 });
  assert.equal(verifyOn(site, await signAll([a, b, certifier])).signers.length, 3);
  for (const [signers, text] of [
    [[a, b], "2 operator(s) and 0 certifier(s)"],
    [[a, certifier], "1 operator(s) and 1 certifier(s)"],
    [[a], "requires 2 operator(s) and 1 certifier(s)"],
  ] as const) {
    const token = await signAll(signers);
    assert.throws(() => verifyOn(site, token), invalid(text));
  }
  // One person with both roles is still one person.
  writePolicy(site, { ...keys, [a.kid]: { roles: ["operator", "certifier"] } }, { operators: 1, certifiers: 1 });
  const alone = await signAll([a]);
  assert.throws(() => verifyOn(site, alone), invalid("by 1 key(s) in all"));
  assert.equal(verifyOn(site, await signAll([a, b])).signers.length, 2);
});

// --- what a key may do

test("a key signs for the apps, devices and times that it is for, and in the roles that it has", async (t) => {
  const owner = await makeOwner();
  const token = await signToken(owner, exampleManifest());
  const cases: [object, string | null][] = [
    [{ ...operator, apps: ["com.example.meter-reader"] }, null],
    [{ ...operator, apps: ["com.example.*"] }, null],
    [{ ...operator, apps: ["com.other.*", "*"] }, null],
    [{ ...operator, apps: ["com.example.meter"] }, 'may sign for "com.example.meter" only'],
    [{ ...operator, apps: ["com.exam.*"] }, "may sign for"],
    [{ ...operator, apps: ["com.example.meter-reader.*"] }, "may sign for"],
    [{ ...operator, notAfter: now + 1 }, null],
    [{ ...operator, notAfter: now }, `is not accepted since ${now}`],
    [{ roles: ["revoker"] }, "which may not sign manifests"],
    [{ roles: ["certifier"] }, "0 operator(s)"],
    [{ ...operator, audience: { classes: ["meter-a7"] } }, null],
    [{ ...operator, audience: { devices: ["other"] } }, 'is for device "other"; this is device "meter-0815"'],
  ];
  for (const [keyPolicy, text] of cases) {
    const site = makeSite(t, owner.jwk);
    writeDevice(site);
    writePolicy(site, { [owner.kid]: keyPolicy });
    if (text === null) assert.equal(verifyOn(site, token).manifest.seq, 17, JSON.stringify(keyPolicy));
    else assert.throws(() => verifyOn(site, token), invalid(text), JSON.stringify(keyPolicy));
  }
});

test("a trust policy that is not in order refuses the whole store", async (t) => {
  const [owner, other] = [await makeOwner(), await makeOwner()];
  const cases: [text: string, expected: string][] = [
    ["", "is refused"],
    ["[]", "expected an object"],
    [JSON.stringify({ schema: "edgerun/trust-policy/v1", keys: {} }), "has no entry in the trust policy"],
    [policyOf({ [owner.kid]: operator, [other.kid]: operator }), "which is not there"],
    [policyOf({ [owner.kid]: { roles: [] } }), "must not be empty"],
    [policyOf({ [owner.kid]: { roles: ["root"] } }), "expected one of operator, certifier, revoker"],
    [policyOf({ [owner.kid]: { ...operator, apps: ["com.*.app"] } }), "expected an app id"],
    [policyOf({ [owner.kid]: operator }, { operators: 0 }), "$.operators"],
    [policyOf({ [owner.kid]: operator }, { strict: true }), "$.strict: unknown property"],
    [" ".repeat(1 << 21), "larger than"],
  ];
  for (const [text, expected] of cases) {
    const site = makeSite(t, owner.jwk);
    writeKey(`${site.configRoot}/trust`, "policy.json", text);
    assert.throws(() => readTrustStore(site), invalid(expected), text.slice(0, 100));
  }
  const site = makeSite(t, owner.jwk);
  writePolicy(site, { [owner.kid]: operator });
  assert.equal(readTrustStore(site).keys.length, 1);
  chmodSync(`${site.configRoot}/trust/policy.json`, 0o666);
  assert.throws(() => readTrustStore(site), invalid("writable by others"));
});

function policyOf(keys: object, changes: object = {}): string {
  return JSON.stringify({ schema: "edgerun/trust-policy/v1", keys, ...changes });
}

// --- devices

function writeDevice(site: Site, device: object = { id: "meter-0815", classes: ["meter-a7", "pilot"] }): void {
  writeKey(site.configRoot, "device.json", JSON.stringify({ schema: "edgerun/device/v1", ...device }));
}

test("a manifest is for this device, or one of its classes, or refused", async (t) => {
  const owner = await makeOwner();
  const cases: [Manifest["audience"], string | null][] = [
    [{ devices: ["meter-0815"] }, null],
    [{ devices: ["other", "meter-0815"] }, null],
    [{ classes: ["pilot"] }, null],
    [{ devices: ["other"], classes: ["meter-a7"] }, null],
    [{ devices: ["other"] }, 'is for device "other"; this is device "meter-0815" of class "meter-a7", "pilot"'],
    [{ classes: ["meter-a8"] }, 'is for class "meter-a8"'],
    [{ devices: ["meter-a7"] }, 'is for device "meter-a7"'],
  ];
  for (const [audience, text] of cases) {
    const site = makeSite(t, owner.jwk);
    const token = await signToken(owner, { ...exampleManifest(), audience });
    assert.throws(() => verifyOn(site, token), invalid('device.json" is missing'));
    writeDevice(site);
    if (text === null) assert.equal(verifyOn(site, token).manifest.seq, 17, JSON.stringify(audience));
    else assert.throws(() => verifyOn(site, token), invalid(text), JSON.stringify(audience));
  }
});

test("the policy can require an audience; a device's identity is refused like a key", async (t) => {
  const owner = await makeOwner();
  const site = makeSite(t, owner.jwk);
  writePolicy(site, { [owner.kid]: operator }, { audience: "required" });
  const everywhere = await signToken(owner, exampleManifest());
  assert.throws(() => verifyOn(site, everywhere), invalid("has no audience, and the trust policy requires one"));
  const here = await signToken(owner, { ...exampleManifest(), audience: { devices: ["meter-0815"] } });
  writeDevice(site);
  assert.equal(verifyOn(site, here).manifest.seq, 17);
  const file = `${site.configRoot}/device.json`;
  for (const text of ["", "{}", '{"schema":"edgerun/device/v1","id":""}', '{"schema":"edgerun/device/v2","id":"a"}']) {
    writeFileSync(file, text);
    assert.throws(() => verifyOn(site, here), invalid("device.json"), text);
  }
  writeDevice(site);
  chmodSync(file, 0o646);
  assert.throws(() => verifyOn(site, here), invalid("writable by others"));
  rmSync(file);
  symlinkSync("/etc/hostname", file);
  assert.throws(() => verifyOn(site, here), invalid("links are refused"));
});

// --- the clock

test("time never runs backwards: a clock of 1970 does not revive what has expired", async (t) => {
  const owner = await makeOwner();
  const site = makeSite(t, owner.jwk);
  const at = (seconds: number): Site => ({ ...site, host: nodeHost(seconds) });
  const token = await signToken(owner, exampleManifest({ exp: now + 1000 }));
  assert.equal(keepTime(at(now + 2000), readClock(at(now + 2000)), now), undefined);
  assert.throws(() => verifyOn(at(0), token), invalid(`expired at ${now + 1000}, now it is ${now + 2000}`));
  assert.throws(() => verifyOn(at(now), token), invalid("expired at"));
  const longer = await signToken(owner, exampleManifest({ exp: now + 10_000 }));
  assert.equal(verifyOn(at(0), longer).manifest.seq, 17);
});

test("a clock that is known to be behind can't call a new manifest one of the future", async (t) => {
  const owner = await makeOwner();
  const site = makeSite(t, owner.jwk);
  const at = (seconds: number): Site => ({ ...site, host: nodeHost(seconds) });
  keepTime(at(now), readClock(at(now)), now);
  const later = await signToken(owner, exampleManifest({ iat: now + 5000, nbf: now + 5000, exp: now + 9000 }));
  assert.throws(() => verifyOn(at(now + 100), later), invalid("not valid before"));
  assert.equal(verifyOn(at(0), later).manifest.iat, now + 5000);
  // It was believed: from now on it is at least that late.
  keepTime(at(0), readClock(at(0)), now + 5000);
  assert.equal(readClock(at(0)).now, now + 5000);
  const earlier = await signToken(owner, exampleManifest({ exp: now + 4000 }));
  assert.throws(() => verifyOn(at(0), earlier), invalid("expired at"));
});

test("the time is written once an hour, and not at all when the disk is full", (t) => {
  const site = makeSite(t);
  let writes = 0;
  const at = (seconds: number, changes: Partial<Host> = {}): Site => {
    const host = nodeHost(seconds);
    const replaceFile: Host["replaceFile"] = (...args) => {
      writes++;
      return host.replaceFile(...args);
    };
    return { ...site, host: { ...host, replaceFile, ...changes } };
  };
  for (const seconds of [now, now + 1, now + 3599, now - 5000, now + 3600, now + 3601]) {
    keepTime(at(seconds), readClock(at(seconds)), now);
  }
  assert.equal(writes, 2);
  const full = at(now + 9000, {
    replaceFile: () => {
      throw new EdgerunError("HOST", "no space left on device", { errno: "ENOSPC" });
    },
  });
  assert.match(keepTime(full, readClock(full), now) ?? "", /^cannot keep the time: no space left/);
  assert.equal(readClock(at(0)).now, now + 3600);
  chmodSync(`${site.dataRoot}/clock.json`, 0o666);
  assert.throws(() => readClock(at(now)), invalid("writable by others"));
});

// --- sequence numbers

/** Verifies a manifest, and remembers it as a start does. */
function start(site: Site, text: string): Manifest {
  const verifier = openVerifier(site, () => undefined);
  const verified = verifyManifest(verifier, text);
  commitAdmission(site, { verified: { ...verified, verifier, text } }, () => undefined);
  return verified.manifest;
}

test("an older manifest is refused after a newer one, and so is another one with the same number", async (t) => {
  const owner = await makeOwner();
  const site = makeSite(t, owner.jwk);
  const sign = (changes: Partial<Manifest>) => signToken(owner, exampleManifest(changes));
  const [first, second] = [await sign({ seq: 1 }), await sign({ seq: 2 })];
  start(site, first);
  start(site, second);
  start(site, second);
  assert.throws(() => verifyOn(site, first), invalid("has seq 1, and one with seq 2 was accepted here already"));
  const other = await sign({ seq: 2, jti: "another" });
  assert.throws(() => verifyOn(site, other), invalid("has seq 2, and so had another one that was accepted here"));
  // Other apps, and other issuers, have numbers of their own.
  start(site, await sign({ seq: 1, app: { id: "com.example.other" } }));
  start(site, await sign({ seq: 1, iss: "city.example" }));
  start(site, await sign({ seq: 3 }));
  assert.throws(() => verifyOn(site, second), invalid("has seq 2, and one with seq 3"));
});

test("verifying alone remembers nothing", async (t) => {
  const owner = await makeOwner();
  const site = makeSite(t, owner.jwk);
  verifyOn(site, await signToken(owner, exampleManifest({ seq: 5 })));
  verifyOn(site, await signToken(owner, exampleManifest({ seq: 4 })));
  assert.deepEqual(readdirSync(site.dataRoot), []);
});

test("when the number can't be kept the start fails, and nothing has changed", async (t) => {
  const owner = await makeOwner();
  const site = makeSite(t, owner.jwk);
  const [first, second] = [
    await signToken(owner, exampleManifest({ seq: 1 })),
    await signToken(owner, exampleManifest({ seq: 2 })),
  ];
  start(site, first);
  const full: Site = {
    ...site,
    host: nodeHost(now, {
      replaceFile: () => {
        throw new EdgerunError("HOST", 'write ".tmp": no space left on device', { errno: "ENOSPC" });
      },
    }),
  };
  assert.throws(() => start(full, second), failure("HOST", "no space left on device"));
  start(site, first);
  start(full, first); // what is remembered already needs no space
});

test("two starts that race an update: the highest number stays, whoever writes last", async (t) => {
  const owner = await makeOwner();
  const site = makeSite(t, owner.jwk);
  const tokens = [
    await signToken(owner, exampleManifest({ seq: 1 })),
    await signToken(owner, exampleManifest({ seq: 2 })),
  ];
  const [old, young] = tokens.map((token) => verifyOn(site, token));
  raiseMark(site, young!.sequence);
  // Verified before, committed after: it must not take the number back.
  assert.throws(() => raiseMark(site, old!.sequence), invalid("has seq 1, and one with seq 2"));
  raiseMark(site, young!.sequence);
  assert.throws(() => verifyOn(site, tokens[0]!), invalid("seq 2"));
});

test("what is remembered is refused when others could have written it, or it is broken", async (t) => {
  const owner = await makeOwner();
  const site = makeSite(t, owner.jwk);
  const token = await signToken(owner, exampleManifest());
  start(site, token);
  const directory = `${site.dataRoot}/sequences`;
  const file = `${directory}/${readdirSync(directory)[0]}`;
  const good = readFileSync(file, "utf8");
  for (const text of ["", "{}", good.replace("seq", "sep"), good.replace('"seq":17', '"seq":-1')]) {
    writeFileSync(file, text);
    assert.throws(() => verifyOn(site, token), invalid("sequence"), text);
  }
  writeFileSync(file, good);
  chmodSync(file, 0o666);
  assert.throws(() => verifyOn(site, token), invalid("writable by others"));
});

// --- revocation

async function revoke(site: Site, owner: Owner, list: object, typ = "edgerun-revocations+jws"): Promise<void> {
  const payload = { schema: "edgerun/revocations/v1", iss: "utility.example", seq: 1, iat: now - 10, ...list };
  const token = await new CompactSign(new TextEncoder().encode(JSON.stringify(payload)))
    .setProtectedHeader({ alg: owner.alg, kid: owner.kid, typ })
    .sign(owner.privateKey);
  writeFileSync(`${site.configRoot}/revocations.jws`, `${token}\n`);
}

test("revoked by key, jti, digest, app or number; what is not listed stays valid", async (t) => {
  const [owner, revoker] = [await makeOwner(), await makeOwner()];
  const token = await signToken(owner, exampleManifest());
  const { digest } = verifyOn(makeSite(t, owner.jwk), token);
  const cases: [object, string | null][] = [
    [{}, null],
    [{ kids: [owner.kid] }, `signed by key "${owner.kid}", which is revoked`],
    [{ kids: [revoker.kid] }, null],
    [{ jtis: ["meter-reader-17"] }, "is revoked: it is listed by its jti (revocation list 1 of"],
    [{ jtis: ["meter-reader-1"] }, null],
    [{ digests: [digest] }, "listed by its digest"],
    [{ apps: ["com.example.*"] }, 'apps "com.example.*" are revoked'],
    [{ apps: ["com.example.meter"] }, null],
    [{ minSeq: { "com.example.meter-reader": 18 } }, "it has seq 17, and 18 is the least"],
    [{ minSeq: { "com.example.meter-reader": 17, "com.example.other": 99 } }, null],
    [{ exp: now - 1, jtis: ["meter-reader-17"] }, "is revoked"],
  ];
  for (const [list, text] of cases) {
    const site = makeSite(t, owner.jwk, revoker.jwk);
    await revoke(site, revoker, list);
    const verify = () =>
      verifyManifest(
        openVerifier(site, () => undefined),
        token,
      );
    if (text === null) assert.equal(verify().manifest.seq, 17, JSON.stringify(list));
    else assert.throws(verify, invalid(text), JSON.stringify(list));
  }
});

test("one of two signatures is by a revoked key: refused, unless others are ignored and enough are left", async (t) => {
  const [a, b] = [await makeOwner(), await makeOwner()];
  const site = makeSite(t, a.jwk, b.jwk);
  const token = await signAll([a, b]);
  const keys = { [a.kid]: operator, [b.kid]: { roles: ["operator", "revoker"] } };
  await revoke(site, b, { kids: [a.kid] });
  writePolicy(site, keys);
  assert.throws(() => verifyOn(site, token), invalid("which is revoked"));
  writePolicy(site, keys, { otherSignatures: "ignore" });
  assert.deepEqual(
    verifyOn(site, token).signers.map(({ kid }) => kid),
    [b.kid],
  );
  writePolicy(site, keys, { otherSignatures: "ignore", operators: 2 });
  assert.throws(() => verifyOn(site, token), invalid("signed by 1 operator(s)"));
});

test("a list is signed by a revoker, of its own type, for this device, and never goes back", async (t) => {
  const [owner, revoker] = [await makeOwner(), await makeOwner()];
  const token = await signToken(owner, exampleManifest());
  const site = makeSite(t, owner.jwk, revoker.jwk);
  writePolicy(site, { [owner.kid]: operator, [revoker.kid]: { roles: ["revoker"] } });
  await revoke(site, revoker, { seq: 4 });
  verifyOn(site, token);
  await revoke(site, owner, { seq: 4 });
  assert.throws(() => verifyOn(site, token), invalid("which is not in"));
  await revoke(site, revoker, { seq: 4 }, "edgerun-capability+jws");
  assert.throws(() => verifyOn(site, token), invalid('does not have typ "edgerun-revocations+jws"'));
  await revoke(site, revoker, { seq: 4, surprise: 1 });
  assert.throws(() => verifyOn(site, token), invalid("$.surprise: unknown property"));
  await revoke(site, revoker, { seq: 4, audience: { devices: ["other"] } });
  assert.throws(() => verifyOn(site, token), invalid("is missing"));
  const digest = `sha256:${"0".repeat(64)}`;
  raiseMark(site, { name: "revocations", what: "the list", seq: 5, digest, epoch: 0 });
  await revoke(site, revoker, { seq: 4 });
  assert.throws(() => verifyOn(site, token), invalid("has seq 4, and one with seq 5 was accepted here already"));
  await revoke(site, revoker, { seq: 6 });
  verifyOn(site, token);
  writeFileSync(`${site.configRoot}/revocations.jws`, "x");
  assert.throws(() => verifyOn(site, token), invalid("the revocation list is not a signed JWS"));
});

test("a missing or expired list: of no concern, a warning, or refused, as the policy says", async (t) => {
  const owner = await makeOwner();
  const token = await signToken(owner, exampleManifest());
  const check = async (rule: string | undefined, list: object | null): Promise<string[]> => {
    const site = makeSite(t, owner.jwk);
    const everything = { [owner.kid]: { roles: ["operator", "revoker"] } };
    writePolicy(site, everything, rule === undefined ? {} : { revocations: rule });
    if (list !== null) await revoke(site, owner, list);
    const warnings: string[] = [];
    verifyManifest(
      openVerifier(site, (message) => warnings.push(message)),
      token,
    );
    return warnings;
  };
  assert.deepEqual(await check(undefined, null), []);
  assert.match((await check("warn", null)).join(), /^there is none in ".*revocations.jws"$/);
  await assert.rejects(check("required", null), invalid("requires a revocation list, and there is none"));
  for (const rule of ["optional", "warn", "required"]) assert.deepEqual(await check(rule, { exp: now + 1 }), []);
  for (const rule of ["optional", "warn"]) assert.match((await check(rule, { exp: now })).join(), /expired at/);
  await assert.rejects(
    check("required", { exp: now }),
    invalid("requires a revocation list, and the one of issue 1 expired"),
  );
});

// --- the trust root

type RootChanges = { [key: string]: unknown };

/** A root: the root keys sign it, the others are those of its policy. */
async function makeRoot(
  rootKeys: Owner[],
  others: Owner[],
  signers: Owner[],
  changes: RootChanges = {},
): Promise<string> {
  const payload = {
    schema: "edgerun/trust-root/v1",
    version: 1,
    epoch: 0,
    iat: now,
    jwks: [...rootKeys, ...others].map(({ jwk }) => jwk),
    rootKeys: rootKeys.map(({ kid }) => kid),
    threshold: 2,
    policy: {
      schema: "edgerun/trust-policy/v1",
      keys: Object.fromEntries(others.map(({ kid }) => [kid, { roles: ["operator", "revoker"] }])),
    },
    ...changes,
  };
  const signing = new GeneralSign(new TextEncoder().encode(JSON.stringify(payload)));
  for (const { alg, kid, privateKey } of signers) {
    signing.addSignature(privateKey).setProtectedHeader({ alg, kid, typ: "edgerun-trust-root+jws" });
  }
  return JSON.stringify(await signing.sign());
}

async function makeOwners(count: number): Promise<Owner[]> {
  return Promise.all(Array.from({ length: count }, () => makeOwner()));
}

function installRoot(t: TestContext, root: string): Site {
  const site = makeSite(t);
  writeKey(`${site.configRoot}/trust`, "root.jws", root);
  return site;
}

test("a trust root brings the keys and the policy; its root keys sign nothing else", async (t) => {
  const [r1, r2, owner] = (await makeOwners(3)) as [Owner, Owner, Owner];
  const site = installRoot(t, await makeRoot([r1, r2], [owner], [r1, r2]));
  assert.deepEqual(
    readTrustStore(site).keys.map(({ kid }) => kid),
    [owner.kid],
  );
  assert.equal(verifyOn(site, await signToken(owner, exampleManifest())).manifest.seq, 17);
  const byRoot = await signToken(r1, exampleManifest());
  assert.throws(() => verifyOn(site, byRoot), invalid("which is not in"));
  writeKey(`${site.configRoot}/trust`, "owner.jwk", JSON.stringify(owner.jwk));
  assert.throws(() => readTrustStore(site), invalid('has both "root.jws" and "owner.jwk"'));
});

test("a trust root that its own keys have not signed, or that is not in order", async (t) => {
  const [r1, r2, owner, stranger] = (await makeOwners(4)) as [Owner, Owner, Owner, Owner];
  const cases: [Promise<string>, string][] = [
    [makeRoot([r1, r2], [owner], [r1]), "signed by 1 of its own root keys, and 2 are needed"],
    [makeRoot([r1, r2], [owner], [r1, owner]), "signed by 1 of its own root keys"],
    [makeRoot([r1, r2], [owner], [stranger]), "signed by no key"],
    [makeRoot([r1, r2], [owner], [r1, r2], { threshold: 3 }), "$.threshold"],
    [makeRoot([r1, r2], [owner], [r1, r2], { rootKeys: [r1.kid, r1.kid] }), "$.rootKeys"],
    [makeRoot([r1, r2], [owner], [r1, r2], { rootKeys: [r1.kid, stranger.kid] }), "is not in jwks"],
    [makeRoot([r1, r2], [owner, owner], [r1, r2]), "has a key twice"],
    [
      makeRoot([r1, r2], [], [r1, r2], { policy: { schema: "edgerun/trust-policy/v1", keys: { x: operator } } }),
      "is about key",
    ],
    [makeRoot([r1, r2], [{ ...owner, jwk: { ...owner.jwk, kid: "x" } }], [r1, r2]), "$.jwks[2]: "],
    [makeRoot([r1, r2], [owner], [r1, r2], { version: 0 }), "$.version"],
  ];
  for (const [root, text] of cases) {
    const site = installRoot(t, await root);
    assert.throws(() => readTrustStore(site), invalid(text), text);
  }
});

test("a trust root that has expired refuses every manifest", async (t) => {
  const [r1, r2, owner] = (await makeOwners(3)) as [Owner, Owner, Owner];
  const token = await signToken(owner, exampleManifest());
  const at = async (exp: number) => installRoot(t, await makeRoot([r1, r2], [owner], [r1, r2], { exp }));
  assert.equal(verifyOn(await at(now + 1), token).manifest.seq, 17);
  const late = await at(now);
  assert.throws(() => verifyOn(late, token), invalid(`the trust root expired at ${now}`));
});

test("a new trust root is signed by the old keys and the new ones, and never older", async (t) => {
  const [r1, r2, r3, r4, owner] = (await makeOwners(5)) as [Owner, Owner, Owner, Owner, Owner];
  const site = makeSite(t);
  const open = (text: string) => openTrustRoot(site, text, "root.jws");
  const old = open(await makeRoot([r1, r2], [owner], [r1, r2], { version: 2, epoch: 1 }));
  const accept = async (root: Promise<string>): Promise<void> => {
    const text = await root;
    acceptSuccessor(site, old, open(text), text);
  };
  const next = (signers: Owner[], changes: RootChanges = {}) =>
    makeRoot([r3, r4], [owner], signers, { version: 3, epoch: 1, ...changes });
  await accept(next([r1, r2, r3, r4]));
  await assert.rejects(accept(next([r3, r4])), invalid("signed by no key"));
  await assert.rejects(accept(next([r1, r3, r4])), invalid("signed by 1 of the root in force's root keys, and 2"));
  await assert.rejects(accept(next([r1, r2, r3])), invalid("signed by 1 of its own root keys"));
  await assert.rejects(accept(next([r1, r2, r3, r4], { version: 2 })), invalid("version 2 is in force already"));
  await assert.rejects(accept(next([r1, r2, r3, r4], { epoch: 0 })), invalid("epoch 1 is in force already"));
});

test("a higher epoch starts the sequence numbers anew; a lower one is refused", async (t) => {
  const [r1, r2, owner] = (await makeOwners(3)) as [Owner, Owner, Owner];
  const site = installRoot(t, await makeRoot([r1, r2], [owner], [r1, r2]));
  start(site, await signToken(owner, exampleManifest({ seq: Number.MAX_SAFE_INTEGER })));
  const low = await signToken(owner, exampleManifest({ seq: 1 }));
  assert.throws(() => verifyOn(site, low), invalid("was accepted here already"));
  const file = `${site.configRoot}/trust/root.jws`;
  writeFileSync(file, await makeRoot([r1, r2], [owner], [r1, r2], { version: 2, epoch: 1 }));
  start(site, low);
  writeFileSync(file, await makeRoot([r1, r2], [owner], [r1, r2]));
  assert.throws(() => verifyOn(site, low), invalid("epoch 1 was in force here already"));
  assert.ok(existsSync(`${site.dataRoot}/sequences`));
});
