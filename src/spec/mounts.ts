// SPDX-License-Identifier: Apache-2.0
// `root`, `mounts` and id mappings of config.json (runtime-spec 1.3, config.md and config-linux.md).
import type { Decoded, Schema } from "../schema/schema.ts";

/** One line of /proc/PID/uid_map or gid_map. */
export const idMappingSchema = {
  required: { containerID: "u32", hostID: "u32", size: { integer: [1, 4294967295] } },
  optional: {},
} as const satisfies Schema;

export const rootSchema = {
  required: { path: "nonempty_string" },
  optional: { readonly: "boolean" },
} as const satisfies Schema;

/** After decodeSpec() `destination` is absolute. Options are still the fstab-like words of the bundle. */
export const mountSchema = {
  required: { destination: "nonempty_string" },
  optional: {
    type: "string",
    source: "string",
    options: { list: "string" },
    uidMappings: { list: idMappingSchema },
    gidMappings: { list: idMappingSchema },
  },
} as const satisfies Schema;

export type IdMapping = Decoded<typeof idMappingSchema>;
export type Root = Decoded<typeof rootSchema>;
export type Mount = Decoded<typeof mountSchema>;
