// SPDX-License-Identifier: Apache-2.0
// The trust root: a signed document with all keys of a device's owner and the policy, so that keys can be replaced on
// devices in the field. It is signed by a threshold of its own root keys, and a new one by a threshold of the old one's,
// too (The Update Framework, section 5.3: rotation of the root).
import type { Host, Json } from "../host/functions.ts";
import { decode } from "../schema/decode.ts";
import { quote } from "../schema/describe.ts";
import { type DocumentType, peekPayload, verifyDocument } from "./envelope.ts";
import { manifestFormats } from "./formats.ts";
import { decodeKey, type PublicKey } from "./keys.ts";
import type { Site } from "./site.ts";
import { invalidManifest } from "./text.ts";
import { type TrustRoot, trustRootSchema } from "./trust_schema.ts";

export const trustRootType: DocumentType = {
  typ: "edgerun-trust-root+jws",
  label: "the trust root",
  maxBytes: 1 << 20,
};

export type OpenedRoot = {
  root: TrustRoot;
  /** Of the payload. */
  digest: string;
  keys: PublicKey[];
};

/**
 * Verifies a trust root with its own root keys. That shows that it is whole and that its keys are at hand for the next
 * one; that it is the owner's shows only where it lies, or acceptSuccessor().
 * @throws MANIFEST_INVALID
 */
export function openTrustRoot(site: Site, text: string, file: string): OpenedRoot {
  const { host } = site;
  const { root, keys } = decodeTrustRoot(host, peekPayload(host, text, trustRootType), file);
  const { signers, digest } = verifyDocument(host, text, trustRootType, {
    keys: keys.filter(({ kid }) => root.rootKeys.includes(kid)),
    unknown: "ignore",
    source: file,
  });
  requireThreshold(root, signers, "its own");
  return { root, digest, keys };
}

/**
 * Checks that a root may take the place of another: signed by the old one's threshold, and of a later version.
 * @throws MANIFEST_INVALID
 */
export function acceptSuccessor(site: Site, old: OpenedRoot, next: OpenedRoot, nextText: string): void {
  const { root } = old;
  if (next.root.version <= root.version) {
    throw invalidManifest(
      `the trust root has version ${next.root.version}, and version ${root.version} is in force already`,
    );
  }
  if (next.root.epoch < root.epoch) {
    throw invalidManifest(`the trust root has epoch ${next.root.epoch}, and epoch ${root.epoch} is in force already`);
  }
  const { signers } = verifyDocument(site.host, nextText, trustRootType, {
    keys: old.keys.filter(({ kid }) => root.rootKeys.includes(kid)),
    unknown: "ignore",
    source: "the trust root in force",
  });
  requireThreshold(root, signers, "the root in force's");
}

function requireThreshold(root: TrustRoot, signers: readonly PublicKey[], whose: string): void {
  if (signers.length >= root.threshold) return;
  throw invalidManifest(
    `the trust root is signed by ${signers.length} of ${whose} root keys, and ${root.threshold} are needed`,
  );
}

/**
 * Decodes and checks the payload of a root. The keys that verify a root are in it: it is read first, and believed only
 * when openTrustRoot() has used them.
 * @throws MANIFEST_INVALID
 */
export function decodeTrustRoot(host: Host, payload: Json, file: string): { root: TrustRoot; keys: PublicKey[] } {
  const root = decode(trustRootSchema, payload, file, "MANIFEST_INVALID", manifestFormats).value;
  const keys = root.jwks.map((jwk, index) => {
    try {
      return decodeKey(host, jwk, file);
    } catch (error) {
      throw invalidManifest(`${file}: $.jwks[${index}]`, error);
    }
  });
  const kids = keys.map(({ kid }) => kid);
  if (new Set(kids).size < kids.length) throw invalidManifest(`${file}: $.jwks: has a key twice`);
  const unknown = root.rootKeys.find((kid, index) => !kids.includes(kid) || root.rootKeys.indexOf(kid) !== index);
  if (unknown !== undefined) throw invalidManifest(`${file}: $.rootKeys: ${quote(unknown)} is not in jwks, or twice`);
  if (root.threshold > root.rootKeys.length) {
    throw invalidManifest(`${file}: $.threshold: is more than there are root keys`);
  }
  return { root, keys };
}
