// SPDX-License-Identifier: Apache-2.0
// `linux` of config.json (runtime-spec 1.3, config-linux.md).
import type { Decoded, Schema } from "../schema/schema.ts";
import { idMappingSchema } from "./mounts.ts";
import { resourcesSchema } from "./resources.ts";
import { seccompSchema } from "./seccomp.ts";

/** Without `path` the namespace is new. */
export const namespaceSchema = {
  required: { type: { oneOf: ["pid", "network", "mount", "ipc", "uts", "user", "cgroup", "time"] } },
  optional: { path: "absolute_path" },
} as const satisfies Schema;

/** A device node to make: `u` is an unbuffered `c`, `p` is a FIFO and the only type without major and minor. */
export const deviceSchema = {
  required: { path: "absolute_path", type: { oneOf: ["c", "b", "u", "p"] } },
  optional: { major: "u32", minor: "u32", fileMode: "u32", uid: "u32", gid: "u32" },
} as const satisfies Schema;

export const timeOffsetSchema = {
  required: {},
  optional: { secs: "i64", nanosecs: { integer: [0, 999999999] } },
} as const satisfies Schema;

export const intelRdtSchema = {
  required: {},
  optional: {
    closID: "string",
    schemata: { list: "string" },
    l3CacheSchema: "string",
    memBwSchema: "string",
    enableMonitoring: "boolean",
  },
} as const satisfies Schema;

/** Arguments of set_mempolicy(2); `nodes` is a list such as "0-3,7". */
export const memoryPolicySchema = {
  required: {
    mode: {
      oneOf: [
        "MPOL_DEFAULT",
        "MPOL_BIND",
        "MPOL_INTERLEAVE",
        "MPOL_WEIGHTED_INTERLEAVE",
        "MPOL_PREFERRED",
        "MPOL_PREFERRED_MANY",
        "MPOL_LOCAL",
      ],
    },
  },
  optional: {
    nodes: "string",
    flags: { list: { oneOf: ["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"] } },
  },
} as const satisfies Schema;

export const linuxSchema = {
  required: {},
  optional: {
    namespaces: { list: namespaceSchema },
    uidMappings: { list: idMappingSchema },
    gidMappings: { list: idMappingSchema },
    timeOffsets: { map: timeOffsetSchema },
    devices: { list: deviceSchema },
    netDevices: { map: { required: {}, optional: { name: "string" } } },
    cgroupsPath: "string",
    resources: resourcesSchema,
    sysctl: { map: "string" },
    seccomp: seccompSchema,
    rootfsPropagation: {
      oneOf: ["shared", "rshared", "slave", "rslave", "private", "rprivate", "unbindable", "runbindable"],
    },
    maskedPaths: { list: "absolute_path" },
    readonlyPaths: { list: "absolute_path" },
    mountLabel: "string",
    intelRdt: intelRdtSchema,
    memoryPolicy: memoryPolicySchema,
    personality: { required: { domain: { oneOf: ["LINUX", "LINUX32"] } }, optional: { flags: { list: "string" } } },
  },
} as const satisfies Schema;

/** The namespace of a type that the container has, new or joined; undefined where it stays in the runtime's. */
export function findNamespace(linux: Linux | undefined, type: NamespaceType): Namespace | undefined {
  return linux?.namespaces?.find((namespace) => namespace.type === type);
}

export type Namespace = Decoded<typeof namespaceSchema>;
export type NamespaceType = Namespace["type"];
export type Device = Decoded<typeof deviceSchema>;
export type TimeOffset = Decoded<typeof timeOffsetSchema>;
export type IntelRdt = Decoded<typeof intelRdtSchema>;
export type MemoryPolicy = Decoded<typeof memoryPolicySchema>;
export type Linux = Decoded<typeof linuxSchema>;
