// SPDX-License-Identifier: Apache-2.0
// What rules of nf_tables are made of: small programs over registers. A match loads something into register 1 and
// compares it; what follows runs only if it held. They are put as nft puts them, so that it can show them as text.
import type { NftablesBatch } from "./nftables.ts";
import { NFTA, writeValue } from "./nftables_attributes.ts";
import type { NetlinkWriter } from "./writer.ts";

export type Expression = { name: string; write: (writer: NetlinkWriter, batch: NftablesBatch) => void };

/** The first register of 16 bytes, as all that are used alone. */
const NFT_REG_VERDICT = 0;
const NFT_REG_1 = 1;
/** The first register of four bytes; the keys of concatenated sets lie in these. */
const NFT_REG32_00 = 8;

const NFT_META_NFPROTO = 15;
const NFT_META_L4PROTO = 16;
const NFT_META_IIFNAME = 6;
const NFT_META_OIFNAME = 7;
const NFT_PAYLOAD_NETWORK_HEADER = 1;
const NFT_PAYLOAD_TRANSPORT_HEADER = 2;
const NFT_CMP_EQ = 0;
const NFT_CMP_NEQ = 1;
const NFT_LOOKUP_F_INV = 1;
const NFT_CT_STATE = 0;
const NFT_JUMP = -3;
const NFT_RETURN = -5;
const NF_DROP = 0;
const NF_ACCEPT = 1;
const NFT_OBJECT_COUNTER = 1;
const NFT_OBJECT_QUOTA = 2;
const NFT_LIMIT_PKTS = 0;
const NFT_LIMIT_PKT_BYTES = 1;
const NFT_LIMIT_F_INV = 1;
const NFT_CONNLIMIT_F_INV = 1;
const NFT_REJECT_ICMPX_UNREACH = 2;
const NFT_REJECT_ICMPX_ADMIN_PROHIBITED = 3;
const IFNAMSIZ = 16;

/** States of conntrack, as bits (NF_CT_STATE_BIT). */
export const connectionState = { invalid: 1, established: 2, related: 4, new: 8 } as const;

export const protocolNumbers = { icmp: 1, tcp: 6, udp: 17, icmpv6: 58 } as const;

export type Direction = "source" | "destination";

// --- loads

function meta(key: number, register: number): Expression {
  return {
    name: "meta",
    write: (writer) => {
      writer.attributeBe32(NFTA.meta.register, register);
      writer.attributeBe32(NFTA.meta.key, key);
    },
  };
}

function payload(base: number, offset: number, bytes: number, register: number): Expression {
  return {
    name: "payload",
    write: (writer) => {
      writer.attributeBe32(NFTA.payload.register, register);
      writer.attributeBe32(NFTA.payload.base, base);
      writer.attributeBe32(NFTA.payload.offset, offset);
      writer.attributeBe32(NFTA.payload.bytes, bytes);
    },
  };
}

function loadAddress(version: 4 | 6, direction: Direction, register: number): Expression {
  const [offset, bytes] = version === 4 ? [12, 4] : [8, 16];
  return payload(NFT_PAYLOAD_NETWORK_HEADER, direction === "source" ? offset : offset + bytes, bytes, register);
}

function loadPort(direction: Direction, register: number): Expression {
  return payload(NFT_PAYLOAD_TRANSPORT_HEADER, direction === "source" ? 0 : 2, 2, register);
}

function compare(operator: number, value: Uint8Array): Expression {
  return {
    name: "cmp",
    write: (writer) => {
      writer.attributeBe32(NFTA.compare.register, NFT_REG_1);
      writer.attributeBe32(NFTA.compare.operator, operator);
      writeValue(writer, NFTA.compare.data, value);
    },
  };
}

function mask(value: Uint8Array): Expression {
  return {
    name: "bitwise",
    write: (writer) => {
      writer.attributeBe32(NFTA.bitwise.source, NFT_REG_1);
      writer.attributeBe32(NFTA.bitwise.register, NFT_REG_1);
      writer.attributeBe32(NFTA.bitwise.bytes, value.length);
      writeValue(writer, NFTA.bitwise.mask, value);
      writeValue(writer, NFTA.bitwise.xor, new Uint8Array(value.length));
    },
  };
}

function lookup(set: string, register: number, isInverted: boolean): Expression {
  return {
    name: "lookup",
    write: (writer, batch) => {
      writer.attributeText(NFTA.lookup.set, set);
      writer.attributeBe32(NFTA.lookup.register, register);
      const id = batch.setId(set);
      if (id !== 0) writer.attributeBe32(NFTA.lookup.setId, id);
      if (isInverted) writer.attributeBe32(NFTA.lookup.flags, NFT_LOOKUP_F_INV);
    },
  };
}

// --- matches

/** The packet is of that IP version. */
export function matchVersion(version: 4 | 6): Expression[] {
  return [meta(NFT_META_NFPROTO, NFT_REG_1), compare(NFT_CMP_EQ, new Uint8Array([version === 4 ? 2 : 10]))];
}

export function matchProtocol(protocol: number): Expression[] {
  return [meta(NFT_META_L4PROTO, NFT_REG_1), compare(NFT_CMP_EQ, new Uint8Array([protocol]))];
}

/** The packet came in, or goes out, by that interface. */
export function matchInterface(direction: "in" | "out", name: string): Expression[] {
  const padded = new Uint8Array(IFNAMSIZ);
  for (let at = 0; at < name.length && at < IFNAMSIZ - 1; at++) padded[at] = name.charCodeAt(at);
  return [meta(direction === "in" ? NFT_META_IIFNAME : NFT_META_OIFNAME, NFT_REG_1), compare(NFT_CMP_EQ, padded)];
}

/** An address, of 4 or 16 bytes, in a prefix. After matchVersion(). */
export function matchPrefix(direction: Direction, address: Uint8Array, prefixLength: number): Expression[] {
  const version = address.length === 4 ? 4 : 6;
  const load = loadAddress(version, direction, NFT_REG_1);
  if (prefixLength === 8 * address.length) return [load, compare(NFT_CMP_EQ, address)];
  return [load, mask(prefixMask(address.length, prefixLength)), compare(NFT_CMP_EQ, address)];
}

function prefixMask(bytes: number, prefixLength: number): Uint8Array {
  const value = new Uint8Array(bytes);
  for (let bit = 0; bit < prefixLength; bit++) value[bit >> 3]! |= 0x80 >> (bit & 7);
  return value;
}

/** An address that is in a set of addresses, or not. After matchVersion(). */
export function matchAddressSet(direction: Direction, version: 4 | 6, set: string, isIn = true): Expression[] {
  return [loadAddress(version, direction, NFT_REG_1), lookup(set, NFT_REG_1, !isIn)];
}

/** Address, protocol and port, together in a set of (ipv4_addr or ipv6_addr, inet_proto, inet_service). */
export function matchEndpointSet(direction: Direction, version: 4 | 6, set: string): Expression[] {
  const behind = NFT_REG32_00 + (version === 4 ? 1 : 4);
  return [
    loadAddress(version, direction, version === 4 ? NFT_REG32_00 : NFT_REG_1),
    meta(NFT_META_L4PROTO, behind),
    loadPort(direction, behind + 1),
    lookup(set, NFT_REG_1, false),
  ];
}

/** A port in a range, both ends included. After matchProtocol(). */
export function matchPorts(direction: Direction, first: number, last: number): Expression[] {
  const load = loadPort(direction, NFT_REG_1);
  if (first === last) return [load, compare(NFT_CMP_EQ, portBytes(first))];
  const range: Expression = {
    name: "range",
    write: (writer) => {
      writer.attributeBe32(NFTA.range.register, NFT_REG_1);
      writer.attributeBe32(NFTA.range.operator, NFT_CMP_EQ);
      writeValue(writer, NFTA.range.from, portBytes(first));
      writeValue(writer, NFTA.range.to, portBytes(last));
    },
  };
  return [load, range];
}

function portBytes(port: number): Uint8Array {
  return new Uint8Array([port >> 8, port & 0xff]);
}

/** The type of an ICMP or ICMPv6 message. After matchProtocol(). */
export function matchIcmpType(type: number): Expression[] {
  return [payload(NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, NFT_REG_1), compare(NFT_CMP_EQ, new Uint8Array([type]))];
}

/** The connection is in one of the states (bits of connectionState). */
export function matchConnectionState(states: number): Expression[] {
  const conntrack: Expression = {
    name: "ct",
    write: (writer) => {
      writer.attributeBe32(NFTA.conntrack.register, NFT_REG_1);
      writer.attributeBe32(NFTA.conntrack.key, NFT_CT_STATE);
    },
  };
  // A bit mask in the machine's order.
  return [conntrack, mask(new Uint8Array([states, 0, 0, 0])), compare(NFT_CMP_NEQ, new Uint8Array(4))];
}

// --- limits and counts

/** Holds while a named quota is used up; every packet that gets here counts. */
export function overQuota(name: string): Expression {
  return objectReference(NFT_OBJECT_QUOTA, name);
}

/** Counts in a named counter. */
export function countIn(name: string): Expression {
  return objectReference(NFT_OBJECT_COUNTER, name);
}

function objectReference(type: number, name: string): Expression {
  return {
    name: "objref",
    write: (writer) => {
      writer.attributeBe32(NFTA.objectReference.type, type);
      writer.attributeText(NFTA.objectReference.name, name);
    },
  };
}

/** Counts the packets and bytes that get here. */
export function counter(): Expression {
  return {
    name: "counter",
    write: (writer) => {
      writer.attributeBe64(NFTA.counter.bytes, 0);
      writer.attributeBe64(NFTA.counter.packets, 0);
    },
  };
}

/** Holds for what is more than `rate` a second (bytes or packets), beyond a burst. */
export function overRate(unit: "bytes" | "packets", rate: number, burst: number): Expression {
  return {
    name: "limit",
    write: (writer) => {
      writer.attributeBe64(NFTA.limit.rate, rate);
      writer.attributeBe64(NFTA.limit.unit, 1);
      writer.attributeBe32(NFTA.limit.burst, burst);
      writer.attributeBe32(NFTA.limit.type, unit === "bytes" ? NFT_LIMIT_PKT_BYTES : NFT_LIMIT_PKTS);
      writer.attributeBe32(NFTA.limit.flags, NFT_LIMIT_F_INV);
    },
  };
}

/** Holds for connections beyond that number. */
export function overConnections(count: number): Expression {
  return {
    name: "connlimit",
    write: (writer) => {
      writer.attributeBe32(NFTA.connectionLimit.count, count);
      writer.attributeBe32(NFTA.connectionLimit.flags, NFT_CONNLIMIT_F_INV);
    },
  };
}

// --- verdicts and other ends

function verdict(code: number, chain: string): Expression {
  return {
    name: "immediate",
    write: (writer) => {
      writer.attributeBe32(NFTA.immediate.register, NFT_REG_VERDICT);
      writer.nested(NFTA.immediate.data, () => {
        writer.nested(NFTA.data.verdict, () => {
          writer.attributeBe32(NFTA.verdict.code, code);
          if (chain !== "") writer.attributeText(NFTA.verdict.chain, chain);
        });
      });
    },
  };
}

export function accept(): Expression {
  return verdict(NF_ACCEPT, "");
}

export function drop(): Expression {
  return verdict(NF_DROP, "");
}

export function jump(chain: string): Expression {
  return verdict(NFT_JUMP, chain);
}

/** Back to the chain that jumped here. */
export function returnToCaller(): Expression {
  return verdict(NFT_RETURN, "");
}

/** Drops, and tells the sender that it is forbidden. */
export function reject(): Expression {
  return {
    name: "reject",
    write: (writer) => {
      writer.attributeBe32(NFTA.reject.type, NFT_REJECT_ICMPX_UNREACH);
      writer.attributeU8(NFTA.reject.code, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
    },
  };
}

/** Sends a copy of the packet's head to a group of NFLOG listeners (nfnetlink_log), with a text before it. */
export function log(group: number, prefix: string): Expression {
  return {
    name: "log",
    write: (writer) => {
      writer.attribute(NFTA.log.group, () => writer.be16(group));
      writer.attributeText(NFTA.log.prefix, prefix);
    },
  };
}

/** Replaces the source address by that of the interface that the packet leaves by. In a nat chain at postrouting. */
export function masquerade(): Expression {
  return { name: "masq", write: () => {} };
}

/** Sends the packet to another address and port (port 0: as it is). In a nat chain at prerouting. */
export function destinationNat(address: Uint8Array, port: number): Expression[] {
  const load = (register: number, value: Uint8Array): Expression => ({
    name: "immediate",
    write: (writer) => {
      writer.attributeBe32(NFTA.immediate.register, register);
      writeValue(writer, NFTA.immediate.data, value);
    },
  });
  const nat: Expression = {
    name: "nat",
    write: (writer) => {
      writer.attributeBe32(NFTA.nat.type, 1);
      writer.attributeBe32(NFTA.nat.family, address.length === 4 ? 2 : 10);
      writer.attributeBe32(NFTA.nat.addressMin, NFT_REG_1);
      if (port !== 0) writer.attributeBe32(NFTA.nat.portMin, 2);
    },
  };
  return [load(NFT_REG_1, address), ...(port === 0 ? [] : [load(2, portBytes(port))]), nat];
}
