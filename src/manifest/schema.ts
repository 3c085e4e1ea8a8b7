// SPDX-License-Identifier: Apache-2.0
// The payload of a capability manifest, version 1. Unknown properties are refused everywhere: a device must never
// start an app under a manifest of which it understood only a part. Quantities carry their unit in their name.
import type { Decoded, Schema } from "../schema/schema.ts";

/** `schema` of the payload. A later version gets a schema of its own beside this one, selected in decode.ts. */
export const schemaV1 = "edgerun/capability/v1";

/** Seconds since the epoch, up to the year 9999. */
const seconds = { integer: [0, 253402300799] } as const satisfies Schema;
const largest = Number.MAX_SAFE_INTEGER;

const deviceGrant = {
  required: { path: "absolute_path", access: "nonempty_string" },
  optional: {},
  unknown: "reject",
} as const satisfies Schema;

const mountGrant = {
  required: { source: "absolute_path", destination: "absolute_path", access: { oneOf: ["ro", "rw"] } },
  optional: {},
  unknown: "reject",
} as const satisfies Schema;

/** What is absent is not granted; memory and pids have no default that could be right for an app, so they are required. */
export const grantsSchema = {
  required: {
    memory: { required: { limitBytes: { integer: [1048576, largest] } }, optional: {}, unknown: "reject" },
    pids: { required: { limit: { integer: [1, 4194304] } }, optional: {}, unknown: "reject" },
  },
  optional: {
    cpu: {
      required: { quotaPercent: { integer: [1, 100000] } },
      optional: { cpus: "nonempty_string" },
      unknown: "reject",
    },
    capabilities: { list: "nonempty_string" },
    devices: { list: deviceGrant },
    mounts: { list: mountGrant },
    network: {
      required: { mode: { oneOf: ["none", "host", "namespace"] } },
      optional: { path: "absolute_path" },
      unknown: "reject",
    },
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
    app: { required: { id: "nonempty_string" }, optional: { version: "nonempty_string" }, unknown: "reject" },
    binding: {
      required: { image: "nonempty_string" },
      optional: { args: { list: "string", minItems: 1 } },
      unknown: "reject",
    },
    grants: grantsSchema,
  },
  optional: { nbf: seconds },
  unknown: "reject",
} as const satisfies Schema;

export type Manifest = Decoded<typeof manifestSchema>;
export type Grants = Manifest["grants"];
export type DeviceGrant = Decoded<typeof deviceGrant>;
export type MountGrant = Decoded<typeof mountGrant>;
