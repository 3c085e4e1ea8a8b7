// SPDX-License-Identifier: Apache-2.0
// The network section of a manifest: which interface, which destinations, how fast, how much, and what is recorded.
import type { Decoded, Schema } from "../schema/schema.ts";

/** Of one list of destinations; a manifest as a whole is bounded by its size (envelope.ts). */
const maxDestinations = 100_000;

const count = { integer: [1, Number.MAX_SAFE_INTEGER] } as const satisfies Schema;
const name = { text: "logical_name" } as const satisfies Schema;
const protocol = { oneOf: ["tcp", "udp"] } as const satisfies Schema;
const ports = { list: { text: "ports" }, minItems: 1, maxItems: 1024 } as const satisfies Schema;
const prefixes = { list: { text: "ip_prefix" }, minItems: 1, maxItems: maxDestinations } as const satisfies Schema;

/** Places of `Rate` in the published schema. */
export const rateSchema = {
  required: {},
  optional: {
    transmitBytesPerSecond: count,
    receiveBytesPerSecond: count,
    transmitPacketsPerSecond: count,
    receivePacketsPerSecond: count,
    burstBytes: count,
    burstPackets: count,
    excess: { oneOf: ["delay", "drop"] },
  },
  unknown: "reject",
} as const satisfies Schema;

/** Places of `Volume` in the published schema. */
export const volumeSchema = {
  required: { limitBytes: count },
  optional: {
    periodSeconds: { integer: [60, 31622400] },
    monthStartDay: { integer: [1, 28] },
    window: { oneOf: ["fixed", "rolling"] },
    direction: { oneOf: ["transmit", "receive", "both"] },
    counts: { oneOf: ["packets", "payload"] },
    exhausted: { oneOf: ["block", "throttle"] },
    throttleBytesPerSecond: count,
    warnPercents: { list: { integer: [1, 100] }, maxItems: 16 },
  },
  exactlyOne: ["periodSeconds", "monthStartDay"],
  unknown: "reject",
} as const satisfies Schema;

const outboundSchema = {
  required: { protocol, ports },
  optional: { to: prefixes, names: { list: { text: "dns_name" }, minItems: 1, maxItems: maxDestinations } },
  exactlyOne: ["to", "names"],
  unknown: "reject",
} as const satisfies Schema;

const inboundSchema = {
  required: { protocol, ports },
  optional: { from: prefixes },
  unknown: "reject",
} as const satisfies Schema;

const multicastSchema = {
  required: { group: { text: "ip_prefix" }, ports },
  optional: { direction: { oneOf: ["transmit", "receive", "both"] } },
  unknown: "reject",
} as const satisfies Schema;

const classSchema = {
  required: {},
  optional: {
    outbound: { list: outboundSchema, maxItems: maxDestinations },
    inbound: { list: inboundSchema, maxItems: 1024 },
    multicast: { list: multicastSchema, maxItems: 1024 },
    ping: "boolean",
    rate: rateSchema,
    volumes: { list: volumeSchema, maxItems: 16 },
    required: "boolean",
  },
  unknown: "reject",
} as const satisfies Schema;

const interfaceSchema = {
  required: { name, method: { oneOf: ["move", "macvlan", "ipvlan"] } },
  optional: { required: "boolean" },
  unknown: "reject",
} as const satisfies Schema;

const proxySchema = {
  required: { name },
  optional: { port: { integer: [1, 65535] }, path: { text: "mount_path" }, required: "boolean" },
  exactlyOne: ["port", "path"],
  unknown: "reject",
} as const satisfies Schema;

const peerSchema = {
  required: { app: { text: "reverse_dns" }, direction: { oneOf: ["connect", "accept"] }, protocol, ports },
  optional: {},
  unknown: "reject",
} as const satisfies Schema;

export const networkSchema = {
  required: { mode: { oneOf: ["none", "indirect", "direct", "interface", "namespace", "host"] } },
  optional: {
    path: { text: "plain_path" },
    interfaces: { list: interfaceSchema, maxItems: 64 },
    proxies: { list: proxySchema, maxItems: 1024 },
    classes: { map: classSchema },
    apps: { list: peerSchema, maxItems: 1024 },
    host: {
      list: { required: { protocol, ports }, optional: {}, unknown: "reject" },
      maxItems: 1024,
    },
    rate: rateSchema,
    volumes: { list: volumeSchema, maxItems: 16 },
    flowLog: { oneOf: ["none", "new", "all"] },
  },
  unknown: "reject",
} as const satisfies Schema;

export type NetworkGrant = Decoded<typeof networkSchema>;
export type NetworkClass = Decoded<typeof classSchema>;
export type Rate = Decoded<typeof rateSchema>;
export type VolumeWindow = Decoded<typeof volumeSchema>;
