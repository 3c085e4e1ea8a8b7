// SPDX-License-Identifier: Apache-2.0
// Revocation lists: a signed document, CONFIG_ROOT/revocations.jws, that takes back what was signed before. It works
// without a connection, however it gets to the device, and replaces the list before it.
import { decode } from "../schema/decode.ts";
import { quote } from "../schema/describe.ts";
import type { Decoded, Schema } from "../schema/schema.ts";
import type { Clock } from "./clock.ts";
import { requireAudience } from "./device.ts";
import { type DocumentType, parseJson, verifyDocument } from "./envelope.ts";
import { manifestFormats, matchesApp } from "./formats.ts";
import { audienceSchema, type Manifest } from "./schema.ts";
import { checkSequence, type Sequence } from "./sequence.ts";
import { readLimited, type Site } from "./site.ts";
import { invalidManifest } from "./text.ts";
import type { TrustStore } from "./trust.ts";

export const revocationsV1 = "edgerun/revocations/v1";

const seconds = { integer: [0, 253402300799] } as const satisfies Schema;
const largest = Number.MAX_SAFE_INTEGER;

export const revocationsSchema = {
  required: {
    schema: { oneOf: [revocationsV1] },
    iss: "nonempty_string",
    seq: { integer: [0, largest] },
    iat: seconds,
  },
  optional: {
    exp: seconds,
    audience: audienceSchema,
    kids: { list: "nonempty_string" },
    jtis: { list: "nonempty_string" },
    digests: { list: { text: "digest" } },
    apps: { list: { text: "app_pattern" } },
    minSeq: { map: { integer: [0, largest] } },
  },
  unknown: "reject",
} as const satisfies Schema;

export type RevocationList = Decoded<typeof revocationsSchema>;

export const revocationsType: DocumentType = {
  typ: "edgerun-revocations+jws",
  label: "the revocation list",
  maxBytes: 4 << 20,
};

export type OpenedRevocations = { list: RevocationList; sequence: Sequence };

export function revocationsPath(site: Site): string {
  return `${site.configRoot}/revocations.jws`;
}

/**
 * The list in force; null if there is none. One that has expired is in force as well: nothing comes back by waiting.
 * @param warn is told what the policy only warns about
 * @throws MANIFEST_INVALID if it is not in order, or missing or expired where the policy requires one
 */
export function readRevocations(
  site: Site,
  trust: TrustStore,
  clock: Clock,
  warn: (message: string) => void,
): RevocationList | null {
  const { revocations: rule } = trust.policy;
  const path = revocationsPath(site);
  const text = readLimited(site.host, path, revocationsType.maxBytes, "revocation list");
  const complain = (problem: string): void => {
    if (rule === "required") throw invalidManifest(`the trust policy requires a revocation list, and ${problem}`);
    warn(problem);
  };
  if (text === null) {
    if (rule !== "optional") complain(`there is none in ${quote(path)}`);
    return null;
  }
  const { list } = openRevocations(site, trust, text);
  if (list.exp !== undefined && clock.now >= list.exp) {
    complain(`the one of issue ${list.seq} expired at ${list.exp}, now it is ${clock.now}`);
  }
  return list;
}

/**
 * Verifies a list: signed by a key that may revoke, for this device, and not older than one that was in force here.
 * @throws MANIFEST_INVALID
 */
export function openRevocations(site: Site, trust: TrustStore, text: string): OpenedRevocations {
  const { label } = revocationsType;
  const document = verifyDocument(site.host, text, revocationsType, {
    keys: trust.keys.filter(({ roles }) => roles.includes("revoker")),
    unknown: "refuse",
    source: `the revokers of ${trust.directory}`,
  });
  const json = parseJson(site.host, document.text, label);
  const list = decode(revocationsSchema, json, label, "MANIFEST_INVALID", manifestFormats).value;
  if (list.audience !== undefined) requireAudience(site, list.audience, label);
  const what = `${label} of ${quote(list.iss)}`;
  const sequence = { name: "revocations", what, seq: list.seq, digest: document.digest, epoch: trust.epoch };
  checkSequence(site, sequence);
  return { list, sequence };
}

/**
 * Checks that a manifest is not taken back.
 * @throws MANIFEST_INVALID with what revokes it
 */
export function requireNotRevoked(list: RevocationList, manifest: Manifest, digest: string): void {
  const { jti, app, seq } = manifest;
  const name = `manifest ${quote(jti)} for ${quote(app.id)}`;
  const refuse = (why: string): never => {
    throw invalidManifest(`${name} is revoked: ${why} (revocation list ${list.seq} of ${quote(list.iss)})`);
  };
  if (list.jtis?.includes(jti)) refuse("it is listed by its jti");
  if (list.digests?.includes(digest)) refuse("it is listed by its digest");
  const pattern = list.apps?.find((one) => matchesApp(one, app.id));
  if (pattern !== undefined) refuse(`apps ${quote(pattern)} are revoked`);
  const least = list.minSeq !== undefined && Object.hasOwn(list.minSeq, app.id) ? list.minSeq[app.id]! : 0;
  if (seq < least) refuse(`it has seq ${seq}, and ${least} is the least for this app`);
}
