// SPDX-License-Identifier: Apache-2.0
// What a manifest grants, except for the network (schema_network.ts). Quantities carry their unit in their name.
// `required: false` in an entry: where this host does not have it, the app starts without.
import type { Decoded, Schema } from "../schema/schema.ts";
import { networkSchema } from "./schema_network.ts";

const largest = Number.MAX_SAFE_INTEGER;
const bytes = { integer: [0, largest] } as const satisfies Schema;
const count = { integer: [1, largest] } as const satisfies Schema;
const weight = { integer: [1, 10000] } as const satisfies Schema;
const name = { text: "logical_name" } as const satisfies Schema;
const appId = { text: "reverse_dns" } as const satisfies Schema;
const hostPath = { text: "plain_path" } as const satisfies Schema;
const mountPath = { text: "mount_path" } as const satisfies Schema;

const memorySchema = {
  required: { limitBytes: { integer: [1048576, largest] } },
  optional: { swapBytes: bytes, highBytes: { integer: [1048576, largest] } },
  unknown: "reject",
} as const satisfies Schema;

const cpuSchema = {
  required: { quotaPercent: { integer: [1, 100000] } },
  optional: { weight, count: { integer: [1, 8192] }, cpus: { text: "cpu_list" }, cpuSet: name },
  unknown: "reject",
} as const satisfies Schema;

/** Resource limits of each process (setrlimit(2)); for what is absent, the base rules have a limit. */
const limitsSchema = {
  required: {},
  optional: {
    openFiles: { integer: [1, 1048576] },
    fileSizeBytes: bytes,
    lockedMemoryBytes: bytes,
    messageQueueBytes: bytes,
    pendingSignals: { integer: [1, 4194304] },
    stackBytes: { integer: [16384, largest] },
    coreBytes: bytes,
  },
  unknown: "reject",
} as const satisfies Schema;

/** For each block device that the container's files are on. */
const ioSchema = {
  required: {},
  optional: {
    weight,
    readBytesPerSecond: count,
    writeBytesPerSecond: count,
    readOperationsPerSecond: count,
    writeOperationsPerSecond: count,
  },
  unknown: "reject",
} as const satisfies Schema;

const temporarySchema = {
  required: { path: mountPath, limitBytes: count },
  optional: { limitInodes: count, executable: "boolean" },
  unknown: "reject",
} as const satisfies Schema;

const persistentSchema = {
  required: { volume: name, path: mountPath, limitBytes: count },
  optional: {
    name,
    limitInodes: count,
    access: { oneOf: ["ro", "rw"] },
    executable: "boolean",
    writeBytesPerDay: count,
    required: "boolean",
  },
  unknown: "reject",
} as const satisfies Schema;

const mountSchema = {
  required: { source: hostPath, destination: mountPath, access: { oneOf: ["ro", "rw"] } },
  optional: {},
  unknown: "reject",
} as const satisfies Schema;

const deviceSchema = {
  required: { access: { text: "device_access" } },
  optional: { path: { text: "device_path" }, name, required: "boolean" },
  exactlyOne: ["path", "name"],
  unknown: "reject",
} as const satisfies Schema;

const acceleratorSchema = {
  required: {},
  optional: {
    name,
    cdi: { text: "cdi_name" },
    nodes: { oneOf: ["render", "all"] },
    memoryBytes: count,
    required: "boolean",
  },
  exactlyOne: ["name", "cdi"],
  unknown: "reject",
} as const satisfies Schema;

const sensorSchema = {
  required: { name },
  optional: { required: "boolean" },
  unknown: "reject",
} as const satisfies Schema;

const pointSchema = {
  required: { name, operations: { list: { oneOf: ["read", "control"] }, minItems: 1, maxItems: 2 } },
  optional: { required: "boolean" },
  unknown: "reject",
} as const satisfies Schema;

const servicesSchema = {
  required: {},
  optional: {
    offers: {
      list: { required: { name: appId, to: { list: appId, minItems: 1 } }, optional: {}, unknown: "reject" },
    },
    uses: {
      list: { required: { name: appId, from: appId }, optional: { required: "boolean" }, unknown: "reject" },
    },
  },
  unknown: "reject",
} as const satisfies Schema;

const topics = { list: { text: "mqtt_filter" } } as const satisfies Schema;
const serviceNames = { list: appId } as const satisfies Schema;

const apisSchema = {
  required: {},
  optional: {
    mqtt: {
      required: { broker: name },
      optional: { publish: topics, subscribe: topics, messagesPerDay: count },
      unknown: "reject",
    },
    geisa: {
      required: { broker: name },
      optional: {
        sensor: "boolean",
        actuatorStatus: "boolean",
        actuatorControl: "boolean",
        instantaneous: "boolean",
        waveform: "boolean",
        messaging: { required: { messagesPerDay: count }, optional: {}, unknown: "reject" },
        appToApp: {
          required: {},
          optional: { publish: serviceNames, subscribe: serviceNames, respond: serviceNames, request: serviceNames },
          unknown: "reject",
        },
      },
      unknown: "reject",
    },
  },
  unknown: "reject",
} as const satisfies Schema;

const seccompSchema = {
  required: { base: name },
  optional: { allow: { list: { text: "syscall" } }, profileDigest: { text: "digest" } },
  unknown: "reject",
} as const satisfies Schema;

const landlockSchema = {
  required: {},
  optional: { read: { list: hostPath }, write: { list: hostPath }, execute: { list: hostPath } },
  unknown: "reject",
} as const satisfies Schema;

/** What is absent is not granted; memory and pids have no default that could be right for an app, so they are required. */
export const grantsSchema = {
  required: {
    memory: memorySchema,
    pids: { required: { limit: { integer: [1, 4194304] } }, optional: {}, unknown: "reject" },
  },
  optional: {
    cpu: cpuSchema,
    limits: limitsSchema,
    io: ioSchema,
    storage: {
      required: {},
      optional: { temporary: { list: temporarySchema }, persistent: { list: persistentSchema } },
      unknown: "reject",
    },
    mounts: { list: mountSchema },
    devices: { list: deviceSchema },
    accelerators: { list: acceleratorSchema },
    sensors: { list: sensorSchema },
    actuators: { list: pointSchema },
    registers: { list: pointSchema },
    services: servicesSchema,
    apis: apisSchema,
    capabilities: { list: { text: "capability" } },
    seccomp: seccompSchema,
    landlock: landlockSchema,
    userNamespace: { required: { idCount: { integer: [1, 2147483648] } }, optional: {}, unknown: "reject" },
    network: networkSchema,
  },
  unknown: "reject",
} as const satisfies Schema;

export type Grants = Decoded<typeof grantsSchema>;
export type DeviceGrant = Decoded<typeof deviceSchema>;
export type MountGrant = Decoded<typeof mountSchema>;
export type TemporaryGrant = Decoded<typeof temporarySchema>;
export type PersistentGrant = Decoded<typeof persistentSchema>;
export type AcceleratorGrant = Decoded<typeof acceleratorSchema>;
export type PointGrant = Decoded<typeof pointSchema>;
