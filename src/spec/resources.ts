// SPDX-License-Identifier: Apache-2.0
// `linux.resources` of config.json, and what `update` takes (runtime-spec 1.3, config-linux.md).
import type { Decoded, Schema } from "../schema/schema.ts";

/** A rule of the device cgroup. Absent major or minor, or -1 as engines write it, means every number. */
export const deviceRuleSchema = {
  required: { allow: "boolean" },
  optional: {
    type: { oneOf: ["a", "c", "b"] },
    major: { integer: [-1, 4294967295] },
    minor: { integer: [-1, 4294967295] },
    access: "string",
  },
} as const satisfies Schema;

/** Limits are bytes, -1 is no limit; `swap` is memory and swap together. */
export const memorySchema = {
  required: {},
  optional: {
    limit: "i64",
    reservation: "i64",
    swap: "i64",
    kernel: "i64",
    kernelTCP: "i64",
    swappiness: { integer: [0, 100] },
    disableOOMKiller: "boolean",
    useHierarchy: "boolean",
    checkBeforeUpdate: "boolean",
  },
} as const satisfies Schema;

/** Times are microseconds; a negative quota is no limit. */
export const cpuSchema = {
  required: {},
  optional: {
    shares: "u64",
    quota: "i64",
    burst: "u64",
    period: "u64",
    realtimeRuntime: "i64",
    realtimePeriod: "u64",
    cpus: "string",
    mems: "string",
    idle: { integer: [0, 1] },
  },
} as const satisfies Schema;

export const throttleDeviceSchema = {
  required: { major: "u32", minor: "u32", rate: "u64" },
  optional: {},
} as const satisfies Schema;

export const weightDeviceSchema = {
  required: { major: "u32", minor: "u32" },
  optional: { weight: "u16", leafWeight: "u16" },
} as const satisfies Schema;

/** Rates are bytes or operations per second. */
export const blockIoSchema = {
  required: {},
  optional: {
    weight: "u16",
    leafWeight: "u16",
    weightDevice: { list: weightDeviceSchema },
    throttleReadBpsDevice: { list: throttleDeviceSchema },
    throttleWriteBpsDevice: { list: throttleDeviceSchema },
    throttleReadIOPSDevice: { list: throttleDeviceSchema },
    throttleWriteIOPSDevice: { list: throttleDeviceSchema },
  },
} as const satisfies Schema;

export const resourcesSchema = {
  required: {},
  optional: {
    devices: { list: deviceRuleSchema },
    memory: memorySchema,
    cpu: cpuSchema,
    pids: { required: {}, optional: { limit: "i64" } },
    blockIO: blockIoSchema,
    hugepageLimits: { list: { required: { pageSize: "string", limit: "u64" }, optional: {} } },
    network: {
      required: {},
      optional: {
        classID: "u32",
        priorities: { list: { required: { name: "nonempty_string", priority: "u32" }, optional: {} } },
      },
    },
    rdma: { map: { required: {}, optional: { hcaHandles: "u32", hcaObjects: "u32" } } },
    unified: { map: "string" },
  },
} as const satisfies Schema;

export type DeviceRule = Decoded<typeof deviceRuleSchema>;
export type LinuxMemory = Decoded<typeof memorySchema>;
export type LinuxCpu = Decoded<typeof cpuSchema>;
export type LinuxBlockIo = Decoded<typeof blockIoSchema>;
export type LinuxResources = Decoded<typeof resourcesSchema>;
