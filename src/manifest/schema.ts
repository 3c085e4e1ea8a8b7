// SPDX-License-Identifier: Apache-2.0
// The payload of a capability manifest, version 1. Unknown properties are refused everywhere: a device must never
// start an app under a manifest of which it understood only a part. What each key means is in reference.ts, from which
// spec/manifest.schema.json and docs/manifest.md are written; what no schema can say is checked in decode.ts.
//
// Everything below `grants` is something that the app has more of than nothing. What is not enforced yet is listed in
// unenforced.ts, and refuses the start.
import type { Decoded, Schema } from "../schema/schema.ts";
import { grantsSchema } from "./schema_grants.ts";

/** `schema` of the payload. A later version gets a schema of its own beside this one, selected in decode.ts. */
export const schemaV1 = "edgerun/capability/v1";

const largest = Number.MAX_SAFE_INTEGER;
/** Seconds since the epoch, up to the year 9999. */
const seconds = { integer: [0, 253402300799] } as const satisfies Schema;

export const audienceSchema = {
  required: {},
  optional: {
    devices: { list: "nonempty_string", minItems: 1 },
    classes: { list: { text: "logical_name" }, minItems: 1 },
  },
  unknown: "reject",
} as const satisfies Schema;

const bindingSchema = {
  required: {},
  optional: {
    image: { text: "digest" },
    layers: { list: { text: "digest" }, minItems: 1 },
    rootfs: {
      required: { type: { oneOf: ["tree", "squashfs", "erofs"] }, digest: { text: "digest" } },
      optional: {},
      unknown: "reject",
    },
    config: { text: "digest" },
    args: { list: "string", minItems: 1 },
    argsPrefixes: { list: { list: "string", minItems: 1 }, minItems: 1 },
    user: {
      required: { uid: "u32", gid: "u32" },
      optional: { additionalGids: { list: "u32" } },
      unknown: "reject",
    },
    environment: { list: { text: "environment_name" } },
  },
  unknown: "reject",
} as const satisfies Schema;

export const manifestSchema = {
  required: {
    schema: { oneOf: [schemaV1] },
    iss: "nonempty_string",
    jti: "nonempty_string",
    seq: { integer: [0, largest] },
    iat: seconds,
    exp: seconds,
    app: {
      required: { id: { text: "reverse_dns" } },
      optional: { version: "nonempty_string" },
      unknown: "reject",
    },
    binding: bindingSchema,
    grants: grantsSchema,
  },
  optional: {
    nbf: seconds,
    audience: audienceSchema,
    strict: "boolean",
    /** What the manifest was made from, kept to the byte: a GEISA manifest with its own signature. Grants nothing. */
    source: {
      required: { format: "nonempty_string", text: "string" },
      optional: {},
      unknown: "reject",
    },
  },
  unknown: "reject",
} as const satisfies Schema;

export type Manifest = Decoded<typeof manifestSchema>;
export type Audience = Decoded<typeof audienceSchema>;
export type Binding = Decoded<typeof bindingSchema>;
export type {
  AcceleratorGrant,
  DeviceGrant,
  Grants,
  MountGrant,
  PersistentGrant,
  PointGrant,
  TemporaryGrant,
} from "./schema_grants.ts";
export type { NetworkClass, NetworkGrant, Rate, VolumeWindow } from "./schema_network.ts";
