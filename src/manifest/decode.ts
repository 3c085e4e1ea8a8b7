// SPDX-License-Identifier: Apache-2.0
// From parsed JSON to a Manifest: the schema's version, the schema, and what a schema can't say. Used on the device
// after the signature was checked, and by the owner's tool before signing.
import type { Json } from "../host/functions.ts";
import { decode } from "../schema/decode.ts";
import { quote } from "../schema/describe.ts";
import { checkGrants } from "./check_grants.ts";
import { manifestFormats } from "./formats.ts";
import { type Grants, type Manifest, manifestSchema, schemaV1 } from "./schema.ts";
import { grantsSchema } from "./schema_grants.ts";
import { invalidManifest } from "./text.ts";

/**
 * Decodes and checks a payload; time is not looked at, see checkValidity().
 * @throws MANIFEST_INVALID with the JSON path of the first problem
 */
export function decodeManifest(payload: Json): Manifest {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) {
    throw invalidManifest("manifest: expected an object");
  }
  // First of all, so that a newer manifest is called newer, and not a collection of unknown properties.
  const version = payload.schema;
  if (typeof version === "string" && version !== schemaV1) {
    throw invalidManifest(
      `manifest: $.schema: ${quote(version)} is not known to this version, which knows "${schemaV1}"`,
    );
  }
  const manifest = decode(manifestSchema, payload, "manifest", "MANIFEST_INVALID", manifestFormats).value;
  if ((manifest.nbf ?? manifest.iat) >= manifest.exp) fail("exp", "must be later than nbf and iat");
  const { audience, binding } = manifest;
  if (audience !== undefined && audience.devices === undefined && audience.classes === undefined) {
    fail("audience", "names neither devices nor classes");
  }
  if (binding.image === undefined && binding.layers === undefined && binding.rootfs === undefined) {
    fail("binding", "needs one of image, layers and rootfs: a manifest is for one app's files");
  }
  checkGrants(manifest.grants, fail);
  return manifest;
}

/**
 * Decodes grants that a container's record holds; they were checked when it was created.
 * @throws CONFIG_INVALID
 */
export function decodeGrants(json: Json, label: string): Grants {
  return decode(grantsSchema, json, label, "CONFIG_INVALID", manifestFormats).value;
}

function fail(path: string, problem: string): never {
  throw invalidManifest(`manifest: $.${path}: ${problem}`);
}
