// SPDX-License-Identifier: Apache-2.0
// The two documents of a trust store: the policy (what each key may do), and the signed trust root, which carries the
// keys and the policy and says who may sign the next one.
import type { Decoded, Schema } from "../schema/schema.ts";
import { jwkSchema } from "./keys.ts";
import { audienceSchema } from "./schema.ts";

export const trustPolicyV1 = "edgerun/trust-policy/v1";
export const trustRootV1 = "edgerun/trust-root/v1";

const seconds = { integer: [0, 253402300799] } as const satisfies Schema;
const kid = "nonempty_string" as const;

const keyPolicySchema = {
  required: { roles: { list: { oneOf: ["operator", "certifier", "revoker"] }, minItems: 1 } },
  optional: {
    apps: { list: { text: "app_pattern" }, minItems: 1 },
    audience: audienceSchema,
    notAfter: seconds,
  },
  unknown: "reject",
} as const satisfies Schema;

export const trustPolicySchema = {
  required: { schema: { oneOf: [trustPolicyV1] }, keys: { map: keyPolicySchema } },
  optional: {
    operators: { integer: [1, 16] },
    certifiers: { integer: [0, 16] },
    otherSignatures: { oneOf: ["refuse", "ignore"] },
    audience: { oneOf: ["optional", "required"] },
    revocations: { oneOf: ["optional", "warn", "required"] },
  },
  unknown: "reject",
} as const satisfies Schema;

export const trustRootSchema = {
  required: {
    schema: { oneOf: [trustRootV1] },
    version: { integer: [1, Number.MAX_SAFE_INTEGER] },
    epoch: { integer: [0, Number.MAX_SAFE_INTEGER] },
    iat: seconds,
    jwks: { list: jwkSchema, minItems: 1, maxItems: 256 },
    rootKeys: { list: kid, minItems: 1, maxItems: 16 },
    threshold: { integer: [1, 16] },
    policy: trustPolicySchema,
  },
  optional: { exp: seconds },
  unknown: "reject",
} as const satisfies Schema;

export type KeyPolicy = Decoded<typeof keyPolicySchema>;
export type TrustPolicy = Decoded<typeof trustPolicySchema>;
export type TrustRoot = Decoded<typeof trustRootSchema>;
export type Role = KeyPolicy["roles"][number];
