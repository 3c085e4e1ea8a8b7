// SPDX-License-Identifier: Apache-2.0
// The owner's further tools: signer commands, lint, diff, revoke; and binding to the bytes of config.json.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, createPrivateKey } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { compactVerify, importJWK } from "jose";
import { admitBundle } from "../../src/manifest/admit.ts";
import { openVerifier } from "../../src/manifest/verify.ts";
import { diff } from "../../src/owner/diff.ts";
import { keygen } from "../../src/owner/keygen.ts";
import { lint } from "../../src/owner/lint.ts";
import { revoke } from "../../src/owner/revoke.ts";
import { countersign, sign } from "../../src/owner/sign.ts";
import { derToRaw } from "../../src/owner/signature_form.ts";
import { defaultSpec } from "../../src/spec/default.ts";
import {
  exampleManifest,
  failure,
  image,
  makeDirectory,
  makeOwner,
  makeSite,
  now,
  signToken,
  verifyOn,
} from "./manifest_fixture.ts";

const hasOpenssl = ((): boolean => {
  try {
    execFileSync("openssl", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

for (const [alg, digest] of [
  ["ES256", "sha256"],
  ["ES512", "sha512"],
] as const) {
  const skip = hasOpenssl ? false : "openssl is not installed";
  test(`${alg}: a command signs, in DER; jose and the device take it`, { skip }, async (t) => {
    const directory = makeDirectory(t);
    const { publicFile, privateFile, kid } = await keygen({ out: `${directory}/owner`, alg });
    const key = createPrivateKey({ key: JSON.parse(readFileSync(privateFile, "utf8")), format: "jwk" });
    writeFileSync(`${directory}/key.pem`, key.export({ format: "pem", type: "pkcs8" }));
    writeFileSync(`${directory}/m.json`, JSON.stringify(exampleManifest()));
    const signer = `openssl dgst -${digest} -sign '${directory}/key.pem'`;
    const options = { key: publicFile, manifestFile: `${directory}/m.json`, now };
    await sign({ ...options, signer, out: `${directory}/m.jws` });
    const jwk = JSON.parse(readFileSync(publicFile, "utf8"));
    const token = readFileSync(`${directory}/m.jws`, "utf8");
    await compactVerify(token.trim(), await importJWK(jwk, alg));
    assert.equal(verifyOn(makeSite(t, jwk), token).signers[0]?.kid, kid);

    for (const [bad, text] of [
      ["echo signature", "which are no signature"],
      ["exit 3", "it ended with exit code 3"],
      ["no-such-program", "exit code 127"],
      [`head -c ${alg === "ES256" ? 64 : 132} /dev/zero`, "is not valid for key"],
    ] as const) {
      const signing = sign({ ...options, signer: bad, out: `${directory}/bad.jws` });
      await assert.rejects(signing, failure("HOST", text), bad);
      assert.equal(existsSync(`${directory}/bad.jws`), false);
    }
  });
}

test("DER to r||s: leading zeros, short numbers, and what is no signature", () => {
  assert.deepEqual(derToRaw(new Uint8Array([0x30, 6, 2, 1, 5, 2, 1, 7]), 2), new Uint8Array([0, 5, 0, 7]));
  assert.deepEqual(derToRaw(new Uint8Array([0x30, 7, 2, 2, 0, 0x80, 2, 1, 7]), 1), new Uint8Array([0x80, 7]));
  for (const bytes of [
    [],
    [0x30],
    [0x30, 6, 2, 1, 5, 2, 1],
    [0x30, 6, 2, 1, 5, 2, 1, 7, 0],
    [0x31, 6, 2, 1, 5, 2, 1, 7],
  ]) {
    assert.equal(derToRaw(new Uint8Array(bytes), 2), undefined);
  }
  assert.equal(derToRaw(new Uint8Array([0x30, 7, 2, 2, 1, 5, 2, 1, 7]), 1), undefined);
});

test("a key file of zero bytes", async (t) => {
  const directory = makeDirectory(t);
  writeFileSync(`${directory}/k`, "", { mode: 0o600 });
  writeFileSync(`${directory}/m.json`, JSON.stringify(exampleManifest()));
  const signing = sign({ key: `${directory}/k`, manifestFile: `${directory}/m.json`, out: `${directory}/o`, now });
  await assert.rejects(signing, failure("MANIFEST_INVALID", "is refused: it is empty"));
});

test("countersign: what is signed as another type, or by the same key, is refused", async (t) => {
  const directory = makeDirectory(t);
  const key = await keygen({ out: `${directory}/owner` });
  const owner = await makeOwner();
  const file = `${directory}/m.jws`;
  writeFileSync(file, await signToken(owner, exampleManifest(), { typ: "edgerun-revocations+jws" }));
  const counter = () => countersign({ key: key.privateFile, file, out: `${directory}/o.jws`, now });
  await assert.rejects(counter(), failure("MANIFEST_INVALID", "as another type than it is"));
  writeFileSync(file, await signToken(owner, exampleManifest(), { typ: "JWT" }));
  await assert.rejects(counter(), failure("MANIFEST_INVALID", "token of another type"));
  writeFileSync(file, await signToken(owner, exampleManifest()));
  await counter();
  const site = makeSite(t, owner.jwk, JSON.parse(readFileSync(key.publicFile, "utf8")));
  assert.equal(verifyOn(site, readFileSync(`${directory}/o.jws`, "utf8")).signers.length, 2);
});

test("lint names what is wide, and refuses what a device would", async (t) => {
  const file = `${makeDirectory(t)}/m.json`;
  const check = async (manifest: object) => {
    writeFileSync(file, JSON.stringify(manifest));
    return (await lint({ manifestFile: file, now })).join("\n");
  };
  const user = { uid: 1, gid: 1 };
  const narrow = { audience: { classes: ["a"] }, binding: { image, args: ["a"], user, environment: [] } };
  assert.equal(await check(exampleManifest(narrow)), "");
  const wide = await check(exampleManifest({ exp: now + 1e8 }));
  for (const name of ["audience", "exp", "binding.args", "binding.user", "binding.environment"]) {
    assert.match(wide, new RegExp(`^${name}: `, "m"));
  }
  const { memory, pids } = exampleManifest().grants;
  const grants = { memory, pids, capabilities: ["CAP_SYS_ADMIN"], network: { mode: "host" as const } };
  assert.match(
    await check(exampleManifest({ ...narrow, grants })),
    /CAP_SYS_ADMIN is as good as root\n.*host's own network/,
  );
  await assert.rejects(check({ ...exampleManifest(), surprise: 1 }), failure("MANIFEST_INVALID", "$.surprise"));
});

test("diff shows what was added, changed and taken away, of signed manifests and others", async (t) => {
  const directory = makeDirectory(t);
  const [before, after] = [`${directory}/a`, `${directory}/b`];
  writeFileSync(before, JSON.stringify(exampleManifest()));
  const { memory, pids } = exampleManifest().grants;
  const changed = exampleManifest({ seq: 18, grants: { memory, pids, capabilities: ["CAP_KILL"] } });
  writeFileSync(after, await signToken(await makeOwner(), changed));
  assert.deepEqual(await diff(before, after), ['+ $.grants.capabilities[0]: "CAP_KILL"', "- $.seq: 17", "+ $.seq: 18"]);
  assert.deepEqual(await diff(after, after), []);
});

test("revoke makes a list, adds to it, and a device takes it", async (t) => {
  const directory = makeDirectory(t);
  const key = await keygen({ out: `${directory}/owner` });
  const site = makeSite(t, JSON.parse(readFileSync(key.publicFile, "utf8")));
  const none = { kids: [], jtis: [], digests: [], apps: [], minSeq: [] };
  const list = `${directory}/list.json`;
  const call = (entries: object, iss?: string) =>
    revoke({
      ...{ key: key.privateFile, list, out: `${site.configRoot}/revocations.jws`, now },
      entries: { ...none, ...entries },
      ...(iss === undefined ? {} : { iss }),
    });
  await assert.rejects(call({ jtis: ["a"] }), failure("USAGE", "--iss"));
  await call({ jtis: ["a"] }, "utility.example");
  await call({ jtis: ["b", "a"], minSeq: ["com.example.app=4"] });
  const { revocations } = openVerifier(site, () => undefined);
  assert.deepEqual(
    [revocations?.seq, revocations?.jtis, { ...revocations?.minSeq }],
    [2, ["a", "b"], { "com.example.app": 4 }],
  );
  await assert.rejects(call({ minSeq: ["x"] }), failure("USAGE", "is not APP=NUMBER"));
  await assert.rejects(call({ digests: ["x"] }), failure("MANIFEST_INVALID", "$.digests[0]"));
  assert.equal(JSON.parse(readFileSync(list, "utf8")).seq, 2);
});

test("a manifest bound to the bytes of config.json", async (t) => {
  const owner = await makeOwner();
  const site = makeSite(t, owner.jwk);
  const bundle = makeDirectory(t);
  const spec = { ...defaultSpec(), annotations: { "dev.edgerun.image.digest": image } };
  const text = JSON.stringify(spec, (_, value) => (typeof value === "bigint" ? Number(value) : value));
  writeFileSync(`${bundle}/config.json`, text);
  const config = `sha256:${createHash("sha256").update(text).digest("hex")}`;
  writeFileSync(`${bundle}/manifest.jws`, await signToken(owner, exampleManifest({ binding: { image, config } })));
  const admit = () => admitBundle(site, { spec, bundle, manifestFile: undefined }, () => undefined);
  assert.deepEqual(admit()?.spec.process.args, spec.process.args);
  writeFileSync(`${bundle}/config.json`, `${text} `);
  assert.throws(admit, failure("MANIFEST_INVALID", `bound to config ${config}, but`));
});
