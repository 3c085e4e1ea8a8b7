// SPDX-License-Identifier: Apache-2.0
// Protection against going back: for each kind of signed document the highest sequence number that was accepted here,
// with the digest of what had it. DATA_ROOT/sequences/NAME.json outlives containers, images and reboots. An older number
// is a rollback; the same number with another digest means that the owner's key signed two different things.
import { EdgerunError, wrap } from "../errors.ts";
import { decode } from "../schema/decode.ts";
import type { Schema } from "../schema/schema.ts";
import { prepareDataRoot, withLock } from "./data_root.ts";
import { manifestFormats } from "./formats.ts";
import { readOwnedJson, type Site } from "./site.ts";
import { invalidManifest } from "./text.ts";

/** What the number counts for, and where it stands. */
export type Sequence = {
  /** File name, without suffix. */
  name: string;
  /** For errors: `manifest "a" of "com.example.app"`. */
  what: string;
  seq: number;
  /** Of the document: "sha256:...". */
  digest: string;
  /** Of the trust root. Marks of an earlier epoch don't count any more. */
  epoch: number;
};

const markSchema = {
  required: {
    seq: { integer: [0, Number.MAX_SAFE_INTEGER] },
    digest: { text: "digest" },
    epoch: { integer: [0, Number.MAX_SAFE_INTEGER] },
  },
  optional: {},
  unknown: "reject",
} as const satisfies Schema;

const maxMarkBytes = 4096;

/** The name for the manifests that one issuer signs for one app. */
export function nameSequence(site: Site, issuer: string, app: string): string {
  return site.host.sha256(site.host.textToBytes(JSON.stringify([issuer, app])));
}

/**
 * Checks a number against the highest one; changes nothing.
 * @returns true if it is higher, so that raiseMark() has to be called before it is acted on
 * @throws MANIFEST_INVALID if it is lower, or the same for another document
 */
export function checkSequence(site: Site, { name, what, seq, digest, epoch }: Sequence): boolean {
  const path = markPath(site, name);
  const json = readOwnedJson(site, path, maxMarkBytes, "sequence number");
  if (json === undefined) return true;
  const mark = decode(markSchema, json, path, "MANIFEST_INVALID", manifestFormats).value;
  if (mark.epoch > epoch) {
    throw invalidManifest(`the trust root has epoch ${epoch}, and epoch ${mark.epoch} was in force here already`);
  }
  if (mark.epoch < epoch || seq > mark.seq) return true;
  if (seq < mark.seq) {
    throw invalidManifest(`${what} has seq ${seq}, and one with seq ${mark.seq} was accepted here already`);
  }
  if (digest !== mark.digest) {
    throw invalidManifest(
      `${what} has seq ${seq}, and so had another one that was accepted here (${mark.digest}): sign it with a higher one`,
    );
  }
  return false;
}

/**
 * Remembers a number; it is on disk when this returns. Whoever raises it at the same time: the highest one stays.
 * @throws MANIFEST_INVALID as checkSequence(); HOST, e.g. for a full disk, and nothing has changed then
 */
export function raiseMark(site: Site, sequence: Sequence): void {
  const directory = `${site.dataRoot}/sequences`;
  try {
    prepareDataRoot(site);
    site.host.makeDirectories(directory, 0o700);
    withLock(site, directory, () => {
      if (checkSequence(site, sequence)) writeMark(site, sequence);
    });
  } catch (error) {
    if (!(error instanceof EdgerunError) || error.code !== "HOST") throw error;
    throw wrap(`cannot remember that ${sequence.what} is in force`, error);
  }
}

function writeMark(site: Site, { name, seq, digest, epoch }: Sequence): void {
  site.host.replaceFile(markPath(site, name), `${JSON.stringify({ seq, digest, epoch })}\n`, 0o600, 1);
}

function markPath(site: Site, name: string): string {
  return `${site.dataRoot}/sequences/${name}.json`;
}
