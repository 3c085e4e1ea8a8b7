// SPDX-License-Identifier: Apache-2.0
// Tokens against the verifier, with the device's own cryptography. Whatever a token is, it is refused as
// MANIFEST_INVALID, or Node's cryptography finds its signature valid as well, and its payload says what was decoded.
import assert from "node:assert/strict";
import { createECDH, createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import type { Host, Json } from "../../src/host/functions.ts";
import { manifestType } from "../../src/manifest/envelope.ts";
import type { TrustedKey, TrustStore } from "../../src/manifest/trust.ts";
import { type Verifier, verifyManifest } from "../../src/manifest/verify.ts";
import { now } from "../unit/manifest_fixture.ts";
import { mutateJson, printJson } from "./json_mutator.ts";
import type { Random } from "./random.ts";
import { realManifests } from "./real_manifests.ts";
import { attempt, type Target } from "./target.ts";

type Owner = { alg: "EdDSA" | "ES256"; privateKey: KeyObject; trusted: TrustedKey };

/** The order of P-256's base point: (r, n - s) is valid wherever (r, s) is. */
const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** The same keys each time, so that a finding can be repeated. */
function makeOwners(): Owner[] {
  const secret = Buffer.alloc(32, 7);
  const ed25519 = createPrivateKey({
    key: Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), secret]), // RFC 8410
    format: "der",
    type: "pkcs8",
  });
  const { x = "" } = createPublicKey(ed25519).export({ format: "jwk" });
  const curve = createECDH("prime256v1");
  curve.setPrivateKey(secret);
  const point = curve.getPublicKey();
  const [px, py] = [point.subarray(1, 33).toString("base64url"), point.subarray(33).toString("base64url")];
  const jwk = { kty: "EC", crv: "P-256", x: px, y: py, d: secret.toString("base64url") };
  return [
    {
      alg: "EdDSA",
      privateKey: ed25519,
      trusted: trust("EdDSA", Buffer.from(x, "base64url"), `{"crv":"Ed25519","kty":"OKP","x":"${x}"}`),
    },
    {
      alg: "ES256",
      privateKey: createPrivateKey({ key: jwk, format: "jwk" }),
      trusted: trust("ES256", point, `{"crv":"P-256","kty":"EC","x":"${px}","y":"${py}"}`),
    },
  ];
}

function trust(algorithm: "EdDSA" | "ES256", key: Buffer, members: string): TrustedKey {
  const kid = createHash("sha256").update(members).digest("base64url");
  const file = `/etc/edgerun/trust/${algorithm}.jwk`;
  return { kid, algorithm, key: new Uint8Array(key), file, roles: ["operator"] };
}

function encode(text: string): string {
  return Buffer.from(text).toString("base64url");
}

function signToken({ alg, privateKey, trusted }: Owner, payload: string, header: object = {}): string {
  const signed = `${encode(JSON.stringify({ alg, kid: trusted.kid, typ: manifestType.typ, ...header }))}.${encode(payload)}`;
  const key = alg === "ES256" ? ({ key: privateKey, dsaEncoding: "ieee-p1363" } as const) : privateKey;
  return `${signed}.${sign(alg === "ES256" ? "sha256" : null, Buffer.from(signed), key).toString("base64url")}`;
}

/** The same document in general JSON serialization, signed by both owners. */
function signTwice(owners: readonly Owner[], payload: string): string {
  const signatures = owners.map((owner) => {
    const [header = "", , signature = ""] = signToken(owner, payload).split(".");
    return { protected: header, signature };
  });
  return JSON.stringify({ payload: encode(payload), signatures });
}

type Envelope = { payload: string; signatures: { protected: string; signature: string }[] };

function readEnvelope(token: string): Envelope {
  if (token.startsWith("{")) return JSON.parse(token) as Envelope;
  const [header = "", payload = "", signature = ""] = token.replace(/\n$/, "").split(".");
  return { payload, signatures: [{ protected: header, signature }] };
}

/** Whether owners signed this, each of its signatures, by Node's cryptography. */
function isSigned(owners: readonly Owner[], token: string): boolean {
  const { payload, signatures } = readEnvelope(token);
  return signatures.every(({ protected: header, signature }) => isSignedBy(owners, header, payload, signature));
}

function isSignedBy(owners: readonly Owner[], header: string, payload: string, signature: string): boolean {
  return owners.some(({ alg, privateKey }) => {
    const publicKey = createPublicKey(privateKey);
    const key = alg === "ES256" ? ({ key: publicKey, dsaEncoding: "ieee-p1363" } as const) : publicKey;
    const bytes = Buffer.from(signature, "base64url");
    return verify(alg === "ES256" ? "sha256" : null, Buffer.from(`${header}.${payload}`), key, bytes);
  });
}

/** Something done to a token by somebody who does not have the key. */
function tamper(random: Random, token: string, others: readonly string[], kids: readonly string[]): string {
  const parts = token.split(".");
  const index = random.below(3);
  const part = parts[index] ?? "";
  const at = random.below(part.length + 1);
  switch (random.below(8)) {
    case 0: // a character
      parts[index] = part.slice(0, at) + random.pick([..."AQgw_-Zz09.=+/ \n\0é"]) + part.slice(at + 1);
      break;
    case 1: // a bit of what is encoded
      parts[index] = flipBit(random, part);
      break;
    case 2: // a part of another token
      parts[index] = random.pick(others).split(".")[index] ?? "";
      break;
    case 3:
      parts[index] = part.slice(0, at);
      break;
    case 4: {
      const header: Json = {
        alg: random.pick(["EdDSA", "ES256", "none"]),
        kid: random.pick(kids),
        typ: manifestType.typ,
      };
      parts[0] = encode(printJson(mutateJson(random, header, [{ alg: "none", jwk: {}, crit: [], b64: false }])));
      break;
    }
    case 5:
      parts[2] = otherSignature(parts[2] ?? "");
      break;
    case 6:
      parts[2] = encode("\0".repeat(random.below(70)));
      break;
    default:
      parts.splice(index, random.below(2), random.pick(["", "AA", part]));
  }
  return parts.join(".");
}

function flipBit(random: Random, part: string): string {
  const bytes = Buffer.from(part, "base64url");
  const at = random.below(Math.max(bytes.length, 1));
  bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
  return bytes.toString("base64url");
}

function otherSignature(part: string): string {
  const hex = Buffer.from(part, "base64url").toString("hex");
  const s = order - BigInt(`0x${hex.slice(64) || "0"}`);
  if (s < 0n) return part;
  return Buffer.from(hex.slice(0, 64) + s.toString(16).padStart(64, "0"), "hex").toString("base64url");
}

/** An input is a token. */
export function makeManifestTarget(realHost: Host): Target {
  const host = Object.assign(Object.create(realHost) as Host, { clock: () => [now, 0] });
  const owners = makeOwners();
  const store: TrustStore = {
    directory: "/etc/edgerun/trust",
    keys: owners.map(({ trusted }) => trusted),
    policy: {
      operators: 1,
      certifiers: 0,
      otherSignatures: "refuse",
      audience: "optional",
      revocations: "optional",
    },
    epoch: 0,
  };
  const verifier: Verifier = {
    // Nothing was ever accepted here, and nobody says which device it is.
    site: { host, configRoot: "/nonexistent/etc", dataRoot: "/nonexistent/var", uid: 0 },
    trust: store,
    clock: { now, known: 0, isPlausible: true },
    revocations: null,
  };
  const manifests = realManifests();
  const kids = store.keys.map(({ kid }) => kid);
  const tokens = owners.flatMap((owner) => manifests.map((manifest) => signToken(owner, JSON.stringify(manifest))));
  tokens.push(signTwice(owners, JSON.stringify(manifests[0])));
  for (const token of tokens) verifyManifest(verifier, token); // those that the others are made of are good
  return {
    make(random) {
      if (random.once(5)) {
        const envelope = JSON.parse(signTwice(owners, printJson(random.pick(manifests)))) as Json;
        return printJson(mutateJson(random, envelope, [{ header: {}, payload: "", signatures: [] }]));
      }
      if (random.once(3)) {
        const manifest = mutateJson(random, random.pick(manifests), manifests);
        return signToken(random.pick(owners), printJson(manifest));
      }
      let token = random.pick(tokens);
      for (let changes = 1 + random.below(3); changes > 0; changes--) token = tamper(random, token, tokens, kids);
      return token;
    },
    check(token) {
      const verified = attempt(["MANIFEST_INVALID"], () => verifyManifest(verifier, token));
      if (verified === undefined) return;
      assert.ok(isSigned(owners, token), "accepted, but nobody signed it");
      const payload = JSON.parse(Buffer.from(readEnvelope(token).payload, "base64url").toString());
      assert.deepEqual(normalize(verified.manifest), normalize(payload));
    },
  };
}

/** In one order, and without null: where it is optional, that is as good as absent. */
function normalize(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(normalize);
  const members = Object.entries(value).filter(([, member]) => member !== null);
  return Object.fromEntries(
    members.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, member]) => [key, normalize(member)]),
  );
}
