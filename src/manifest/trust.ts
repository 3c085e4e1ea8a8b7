// SPDX-License-Identifier: Apache-2.0
// The trust store, CONFIG_ROOT/trust, which only root can write:
//   *.jwk         public keys; without a policy, each may do everything
//   policy.json   what each key may do, and which signatures a manifest needs
//   root.jws      instead of both: a signed document with keys and policy (trust_root.ts)
// A host with at least one key is enrolled. One bad file refuses the whole store: an owner who thinks that a key is in
// force must not find out later that it was skipped.
import type { Json } from "../host/functions.ts";
import { decode } from "../schema/decode.ts";
import { quote } from "../schema/describe.ts";
import { manifestFormats } from "./formats.ts";
import { decodeKey, jwkSchema, type PublicKey } from "./keys.ts";
import { checkOwnership, readOwnedFile, readOwnedJson, type Site } from "./site.ts";
import { invalidManifest } from "./text.ts";
import { openTrustRoot, trustRootType } from "./trust_root.ts";
import { type KeyPolicy, type TrustPolicy, trustPolicySchema, trustPolicyV1 } from "./trust_schema.ts";

/** A key and what it may do. */
export type TrustedKey = PublicKey & KeyPolicy;

export type TrustStore = {
  directory: string;
  keys: readonly TrustedKey[];
  policy: Required<Omit<TrustPolicy, "keys" | "schema">>;
  /** Of the trust root; 0 without one. A higher one starts the sequence numbers anew. */
  epoch: number;
  /** When the trust root expires; undefined: never. */
  expires?: number | undefined;
};

const maxKeyBytes = 8192;
const maxPolicyBytes = 1 << 20;

export function trustDirectory(site: Site): string {
  return `${site.configRoot}/trust`;
}

/**
 * Reads and checks the store of a device, or one elsewhere. A directory that is absent is an empty store: the host is not enrolled.
 * @throws MANIFEST_INVALID naming the file, and what is wrong with it
 */
export function readTrustStore(site: Site, directory = trustDirectory(site)): TrustStore {
  if (!checkOwnership(site, directory, "directory", "trust store")) return makeStore(directory, [], undefined, 0);
  // Whoever can write there can put another trust store in its place.
  if (directory === trustDirectory(site)) checkOwnership(site, site.configRoot, "directory", "configuration");
  const names = site.host.listDirectory(directory);
  const keyFiles = names.filter((name) => name.endsWith(".jwk"));
  if (names.includes("root.jws")) {
    const other = names.includes("policy.json") ? "policy.json" : keyFiles[0];
    if (other !== undefined) {
      throw invalidManifest(
        `trust store ${quote(directory)} has both "root.jws" and ${quote(other)}: the root has all keys and the policy, remove the other`,
      );
    }
    return readRootStore(site, directory);
  }
  const keys: PublicKey[] = [];
  for (const name of keyFiles) {
    const key = readKey(site, `${directory}/${name}`);
    if (!keys.some(({ kid }) => kid === key.kid)) keys.push(key);
  }
  return makeStore(directory, keys, readPolicy(site, `${directory}/policy.json`), 0);
}

/** True if the owner of the device has put at least one key in the store. */
export function isEnrolled(store: TrustStore): boolean {
  return store.keys.length > 0;
}

function readRootStore(site: Site, directory: string): TrustStore {
  const file = `${directory}/root.jws`;
  const text = readOwnedFile(site, file, trustRootType.maxBytes, "trust root");
  if (text === null) throw invalidManifest(`trust root ${quote(file)} disappeared while it was read; try again`);
  const { root, keys } = openTrustRoot(site, text, file);
  // A key that only signs roots has no part in the policy, and may sign nothing else.
  const others = keys.filter(({ kid }) => Object.hasOwn(root.policy.keys, kid) || !root.rootKeys.includes(kid));
  return { ...makeStore(directory, others, root.policy, root.epoch), expires: root.exp };
}

function readPolicy(site: Site, file: string): TrustPolicy | undefined {
  const json = readOwnedJson(site, file, maxPolicyBytes, "trust policy");
  if (json === undefined) return undefined;
  return decode(trustPolicySchema, json, file, "MANIFEST_INVALID", manifestFormats).value;
}

/** Without a policy, each key may do everything, and one signature is enough. */
function defaultPolicy(keys: readonly PublicKey[]): TrustPolicy {
  const everything = (): KeyPolicy => ({ roles: ["operator", "certifier", "revoker"] });
  return { schema: trustPolicyV1, keys: Object.fromEntries(keys.map(({ kid }) => [kid, everything()])) };
}

function makeStore(
  directory: string,
  keys: readonly PublicKey[],
  given: TrustPolicy | undefined,
  epoch: number,
): TrustStore {
  const policy = given ?? defaultPolicy(keys);
  const trusted = keys.map((key): TrustedKey => {
    const mayDo = policy.keys[key.kid];
    if (mayDo === undefined) {
      throw invalidManifest(`trusted key ${quote(key.kid)} (${quote(key.file)}) has no entry in the trust policy`);
    }
    return { ...key, ...mayDo };
  });
  const missing = Object.keys(policy.keys).find((kid) => !keys.some((key) => key.kid === kid));
  if (missing !== undefined) {
    throw invalidManifest(`the trust policy of ${quote(directory)} is about key ${quote(missing)}, which is not there`);
  }
  const {
    operators = 1,
    certifiers = 0,
    otherSignatures = "refuse",
    audience = "optional",
    revocations = "optional",
  } = policy;
  return {
    directory,
    keys: trusted,
    policy: { operators, certifiers, otherSignatures, audience, revocations },
    epoch,
  };
}

function readKey(site: Site, file: string): PublicKey {
  const text = readOwnedFile(site, file, maxKeyBytes, "trust store");
  if (text === null) throw invalidManifest(`trusted key ${quote(file)} disappeared while it was read; try again`);
  try {
    const json: Json = site.host.parseJson(text, file);
    return decodeKey(site.host, decode(jwkSchema, json, file, "MANIFEST_INVALID").value, file);
  } catch (error) {
    throw invalidManifest(`trusted key ${quote(file)} is refused`, error);
  }
}
