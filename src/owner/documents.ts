// SPDX-License-Identifier: Apache-2.0
// The documents that owners sign, told apart by their `schema`, each checked as a device would. Node only.
import { EdgerunError } from "../errors.ts";
import type { Host, Json } from "../host/functions.ts";
import { decodeManifest } from "../manifest/decode.ts";
import { type DocumentType, manifestType } from "../manifest/envelope.ts";
import { manifestFormats } from "../manifest/formats.ts";
import { revocationsSchema, revocationsType, revocationsV1 } from "../manifest/revocations.ts";
import { decodeTrustRoot, trustRootType } from "../manifest/trust_root.ts";
import { trustRootV1 } from "../manifest/trust_schema.ts";
import { checkValidity } from "../manifest/verify.ts";
import { decode } from "../schema/decode.ts";

/** What kind of document it is, and what it is called. */
export type Document = { type: DocumentType; name: string };

/**
 * Checks a document as a device would, as far as that is possible before it is signed.
 * @param now seconds since the epoch
 * @throws EdgerunError MANIFEST_INVALID with the JSON path of the first problem
 */
export function checkDocument(host: Host, payload: Json, file: string, now: number): Document {
  const schema =
    typeof payload === "object" && payload !== null && !Array.isArray(payload) ? payload.schema : undefined;
  if (schema === trustRootV1) {
    const { root } = decodeTrustRoot(host, payload, file);
    return { type: trustRootType, name: `trust root ${root.version}` };
  }
  if (schema === revocationsV1) {
    const list = decode(revocationsSchema, payload, "revocations", "MANIFEST_INVALID", manifestFormats).value;
    return { type: revocationsType, name: `revocation list ${list.seq}` };
  }
  const manifest = decodeManifest(payload);
  // One that is valid only later may be signed now; one that a device refuses already may not.
  checkValidity({ ...manifest, nbf: 0 }, { now, isPlausible: true });
  return { type: manifestType, name: manifest.jti };
}

/** The type of a document whose signature's header says so. */
export function typeOf(typ: string | undefined, file: string): DocumentType {
  const found = [manifestType, trustRootType, revocationsType].find((type) => type.typ === typ);
  if (found !== undefined) return found;
  throw new EdgerunError(
    "MANIFEST_INVALID",
    `${JSON.stringify(file)} is a token of another type: ${JSON.stringify(typ ?? null)}`,
  );
}
