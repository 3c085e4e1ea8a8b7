// SPDX-License-Identifier: Apache-2.0
// The host inventory, /etc/edgerun/inventory.json: what the logical names in manifests are on this device. A manifest
// says "sensor board-temp" or "volume data", and is the same for every device; the inventory is the device's own, and
// written by whoever builds it. It grants nothing by itself.
// What each key means is in reference.ts. Texts are in the formats of src/manifest/formats.ts.
import type { Decoded, Schema } from "../schema/schema.ts";

export const inventorySchemaV1 = "edgerun/inventory/v1";

const name = { text: "logical_name" } as const satisfies Schema;
const path = { text: "plain_path" } as const satisfies Schema;
const node = { text: "device_path" } as const satisfies Schema;
const nodes = { list: node, minItems: 1 } as const satisfies Schema;
const prefixes = { list: { text: "ip_prefix" }, minItems: 1 } as const satisfies Schema;
const port = { integer: [1, 65535] } as const satisfies Schema;

const acceleratorSchema = {
  required: { render: nodes },
  optional: { all: nodes },
  unknown: "reject",
} as const satisfies Schema;

const volumeSchema = {
  required: {},
  optional: { directory: path, blockDevice: node, limitBytes: { integer: [1, Number.MAX_SAFE_INTEGER] } },
  exactlyOne: ["directory", "blockDevice"],
  unknown: "reject",
} as const satisfies Schema;

const modbusSchema = {
  required: {
    device: node,
    unit: { integer: [1, 247] },
    table: { oneOf: ["coils", "discrete_inputs", "input_registers", "holding_registers"] },
    firstAddress: "u16",
    count: { integer: [1, 65536] },
  },
  optional: { baudRate: { integer: [50, 4000000] }, parity: { oneOf: ["none", "even", "odd"] } },
  unknown: "reject",
} as const satisfies Schema;

/** One sensor, actuator or register. */
const pointSchema = {
  required: {},
  optional: {
    device: node,
    gpio: {
      required: { chip: node, line: { integer: [0, 1023] } },
      optional: { activeLow: "boolean" },
      unknown: "reject",
    },
    sysfs: path,
    modbus: modbusSchema,
    socket: path,
    mqtt: {
      required: { broker: name, topic: { text: "mqtt_filter" } },
      optional: { controlTopic: { text: "mqtt_filter" } },
      unknown: "reject",
    },
  },
  exactlyOne: ["device", "gpio", "sysfs", "modbus", "socket", "mqtt"],
  unknown: "reject",
} as const satisfies Schema;

const networkClassSchema = {
  required: { interface: name },
  optional: { prefixes, exceptPrefixes: prefixes, masquerade: "boolean", nameServers: prefixes },
  unknown: "reject",
} as const satisfies Schema;

/** Where a proxy or a broker of the host listens. */
const endpointSchema = {
  required: {},
  optional: {
    socket: path,
    tcp: { required: { address: { text: "ip_prefix" }, port }, optional: {}, unknown: "reject" },
  },
  exactlyOne: ["socket", "tcp"],
  unknown: "reject",
} as const satisfies Schema;

const brokerSchema = {
  required: { endpoint: endpointSchema },
  optional: { dynamicSecurityFile: path },
  unknown: "reject",
} as const satisfies Schema;

export const inventorySchema = {
  required: { schema: { oneOf: [inventorySchemaV1] } },
  optional: {
    devices: { map: { required: { path: node }, optional: {}, unknown: "reject" } },
    accelerators: { map: acceleratorSchema },
    volumes: { map: volumeSchema },
    sensors: { map: pointSchema },
    actuators: { map: pointSchema },
    registers: { map: pointSchema },
    interfaces: { map: { required: { device: "nonempty_string" }, optional: {}, unknown: "reject" } },
    networkClasses: { map: networkClassSchema },
    proxies: { map: endpointSchema },
    brokers: { map: brokerSchema },
    cpuSets: { map: { text: "cpu_list" } },
    userIds: {
      required: { firstId: { integer: [65536, 4294967294] }, count: { integer: [1, 4294901760] } },
      optional: {},
      unknown: "reject",
    },
  },
  unknown: "reject",
} as const satisfies Schema;

export type Inventory = Decoded<typeof inventorySchema>;
export type Point = Decoded<typeof pointSchema>;
export type Endpoint = Decoded<typeof endpointSchema>;
export { endpointSchema, pointSchema };
