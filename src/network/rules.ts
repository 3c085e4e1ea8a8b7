// SPDX-License-Identifier: Apache-2.0
// Rules of nf_tables for one container, from what it is granted. Twice: on the host, where nothing inside can reach
// them, not even with CAP_NET_ADMIN in the container's own network; and inside, so that what is refused is refused
// where it is sent. Everything that no rule lets through is dropped.
//
// What the app sends is matched packet by packet, without the state of connections: a rule that is taken away cuts
// connections that are there. What it receives are answers, and what its inbound grants let in.
import type { BaseChain, NftablesBatch, SetDefinition, SetElement } from "../netlink/nftables.ts";
import {
  accept,
  connectionState,
  counter,
  type Direction,
  destinationNat,
  drop,
  type Expression,
  jump,
  masquerade,
  matchAddressSet,
  matchConnectionState,
  matchEndpointSet,
  matchIcmpType,
  matchInterface,
  matchPorts,
  matchPrefix,
  matchProtocol,
  matchVersion,
  overRate,
  protocolNumbers,
} from "../netlink/nftables_expressions.ts";
import type { Link } from "./link.ts";
import { burstBytes, isDelayed } from "./rate.ts";
import type { ClassRequest, Flow, NetworkRequest, PortRange, Prefix } from "./request.ts";

export type Rule = { chain: string; comment: string; expressions: readonly Expression[] };
export type RuleSet = {
  chains: { name: string; base: BaseChain | null }[];
  sets: { definition: SetDefinition; elements: SetElement[] }[];
  rules: Rule[];
};

const versions = [4, 6] as const;
const answers = connectionState.established | connectionState.related;
/** Before the chains of others, which are at 0. */
const priority = -10;
const filter = (hook: BaseChain["hook"], policy: BaseChain["policy"]): BaseChain => ({
  type: "filter",
  hook,
  priority,
  policy,
});
const icmpEcho = { 4: [protocolNumbers.icmp, 8], 6: [protocolNumbers.icmpv6, 128] } as const;
/** Router and neighbour discovery (RFC 4861): 133 to 136. */
const discoveryTypes = [133, 134, 135, 136];

/** Puts all of it into a transaction. */
export function writeRules(batch: NftablesBatch, { chains, sets, rules }: RuleSet): void {
  for (const { name, base } of chains) batch.addChain(name, base);
  for (const { definition, elements } of sets) {
    batch.addSet(definition);
    batch.addElements(definition, elements);
  }
  for (const { chain, expressions, comment } of rules) batch.addRule(chain, expressions, comment.slice(0, 120));
}

/** The rules on the host. Its base chains let pass what is not the link's: there are others on the host. */
export function planHostRules(request: NetworkRequest, link: Link): RuleSet {
  const set: RuleSet = {
    chains: [
      { name: "transmit", base: null },
      { name: "receive", base: null },
      { name: "host", base: null },
      ...request.classes.map(({ name }) => ({ name: `to-${name}`, base: null })),
      { name: "forward", base: filter("forward", "accept") },
      { name: "input", base: filter("input", "accept") },
      { name: "source", base: { type: "nat", hook: "postrouting", priority: 90, policy: "accept" } },
      { name: "destination", base: { type: "nat", hook: "prerouting", priority: -110, policy: "accept" } },
    ],
    sets: [],
    rules: [],
  };
  const add = (chain: string, comment: string, ...expressions: Expression[]): void => {
    set.rules.push({ chain, comment, expressions });
  };
  const fromLink = matchInterface("in", link.name);
  add("forward", "from the app", ...fromLink, jump("transmit"));
  add("forward", "to the app", ...matchInterface("out", link.name), jump("receive"));
  add("input", "to the host itself", ...fromLink, jump("host"));

  addRates(set, request, "transmit", "receive");
  for (const version of versions) {
    const own = toBytes(version === 4 ? link.inside4 : link.inside6);
    for (const { name, device } of request.classes) {
      const match = [...matchVersion(version), ...matchPrefix("source", own, 8 * own.length)];
      add("transmit", `class ${name}`, ...match, ...matchInterface("out", device), jump(`to-${name}`));
    }
  }
  for (const one of request.classes) {
    addClassBounds(set, one, `to-${one.name}`);
    addOutbound(set, one, `to-${one.name}`);
    addInboundAnswers(set, one, `to-${one.name}`);
  }
  add("transmit", "not granted", counter(), drop());

  add("receive", "answers", ...matchConnectionState(answers), accept());
  for (const one of request.classes) addInbound(set, one, "receive", matchInterface("in", one.device));
  add("receive", "not granted", counter(), drop());

  add("host", "answers", ...matchConnectionState(answers), accept());
  addDiscovery(set, "host");
  for (const flow of request.hostPorts) {
    for (const version of versions) {
      const own = toBytes(version === 4 ? link.host4 : link.host6);
      const match = [...matchVersion(version), ...matchPrefix("destination", own, 8 * own.length)];
      addPorts(set, "host", "port of the host", flow, "destination", match);
    }
  }
  add("host", "not granted", counter(), drop());
  addNat(set, request, link);
  return set;
}

/** The rules inside the container. */
export function planInsideRules(request: NetworkRequest, link: Link): RuleSet {
  const set: RuleSet = {
    chains: [
      { name: "output", base: { ...filter("output", "drop"), priority: 0 } },
      { name: "input", base: { ...filter("input", "drop"), priority: 0 } },
    ],
    sets: [],
    rules: [],
  };
  set.rules.push(
    { chain: "output", comment: "loopback", expressions: [...matchInterface("out", "lo"), accept()] },
    { chain: "input", comment: "loopback", expressions: [...matchInterface("in", "lo"), accept()] },
    { chain: "input", comment: "answers", expressions: [...matchConnectionState(answers), accept()] },
  );
  addDiscovery(set, "output");
  addDiscovery(set, "input");
  for (const one of request.classes) {
    addOutbound(set, one, "output");
    addInboundAnswers(set, one, "output");
    addInbound(set, one, "input", []);
  }
  for (const flow of request.hostPorts) {
    const at = [link.host4, link.host6].map((address) => ({ address, length: 8 * address.length }));
    addFlow(set, "output", "port of the host", "host", { ...flow, prefixes: at }, "destination");
  }
  for (const chain of ["output", "input"]) {
    set.rules.push({ chain, comment: "not granted", expressions: [counter(), drop()] });
  }
  return set;
}

/** What exceeds the rates. Bytes that are delayed have a queue at an end of the link, and here a bound above it. */
function addRates(set: RuleSet, { rate }: NetworkRequest, transmit: string, receive: string): void {
  const add = (chain: string, unit: "bytes" | "packets", perSecond: number | undefined): void => {
    if (perSecond === undefined) return;
    const isShaped = unit === "bytes" && isDelayed(rate);
    if (isShaped && chain === receive) return; // its queue is on the host
    const most = isShaped ? Math.ceil(perSecond * 1.05) : perSecond;
    const burst = unit === "bytes" ? 2 * burstBytes(rate) : (rate.burstPackets ?? 64);
    set.rules.push({
      chain,
      comment: `more than ${perSecond} ${unit}/s`,
      expressions: [overRate(unit, most, burst), counter(), drop()],
    });
  };
  add(transmit, "bytes", rate.transmitBytesPerSecond);
  add(transmit, "packets", rate.transmitPacketsPerSecond);
  add(receive, "bytes", rate.receiveBytesPerSecond);
  add(receive, "packets", rate.receivePacketsPerSecond);
}

/** A class outranks its entries: what the inventory does not count to it is not reached by it. */
function addClassBounds(set: RuleSet, one: ClassRequest, chain: string): void {
  const refuse = (comment: string, match: Expression[]): void => {
    set.rules.push({ chain, comment, expressions: [...match, counter(), drop()] });
  };
  for (const version of versions) {
    const except = ofVersion(one.exceptPrefixes, version);
    if (except.length > 0) {
      const name = addAddressSet(set, `${one.name}-except-${version}`, version, except);
      refuse(`excepted from class ${one.name}`, [
        ...matchVersion(version),
        ...matchAddressSet("destination", version, name),
      ]);
    }
    if (one.prefixes.length === 0) continue;
    const within = ofVersion(one.prefixes, version);
    if (within.length === 0) {
      refuse(`not of class ${one.name}`, matchVersion(version));
      continue;
    }
    const name = addAddressSet(set, `${one.name}-class-${version}`, version, within);
    refuse(`not of class ${one.name}`, [
      ...matchVersion(version),
      ...matchAddressSet("destination", version, name, false),
    ]);
  }
}

function addOutbound(set: RuleSet, one: ClassRequest, chain: string): void {
  one.outbound.forEach((flow, index) => {
    addFlow(set, chain, `${one.name} outbound[${index}]`, `${one.name}-out-${index}`, flow, "destination");
  });
  if (!one.ping) return;
  for (const version of versions) {
    const prefixes = one.outbound.flatMap((flow) => ofVersion(flow.prefixes, version));
    if (prefixes.length === 0) continue;
    const name = addAddressSet(set, `${one.name}-ping-${version}`, version, prefixes);
    const [protocol, type] = icmpEcho[version];
    const match = [...matchVersion(version), ...matchProtocol(protocol), ...matchIcmpType(type)];
    const expressions = [...match, ...matchAddressSet("destination", version, name), counter(), accept()];
    set.rules.push({ chain, comment: `${one.name} ping`, expressions });
  }
}

function addInbound(set: RuleSet, one: ClassRequest, chain: string, match: Expression[]): void {
  one.inbound.forEach((flow, index) => {
    const comment = `${one.name} inbound[${index}]`;
    if (flow.prefixes.length === 0) addPorts(set, chain, comment, flow, "destination", match);
    for (const prefix of flow.prefixes) {
      const from = matchPrefix("source", toBytes(prefix.address), prefix.length);
      addPorts(set, chain, comment, flow, "destination", [...match, ...matchVersion(versionOf(prefix)), ...from]);
    }
  });
}

/** What the app answers on its inbound ports. */
function addInboundAnswers(set: RuleSet, one: ClassRequest, chain: string): void {
  one.inbound.forEach((flow, index) => {
    const established = matchConnectionState(connectionState.established);
    addPorts(set, chain, `${one.name} inbound[${index}] answers`, flow, "source", established);
  });
}

/** One rule for each range of ports. */
function addPorts(
  set: RuleSet,
  chain: string,
  comment: string,
  { protocol, ports }: Flow,
  direction: Direction,
  match: Expression[],
): void {
  for (const [first, last] of ports) {
    const port = [...matchProtocol(protocolNumbers[protocol]), ...matchPorts(direction, first, last)];
    set.rules.push({ chain, comment, expressions: [...match, ...port, counter(), accept()] });
  }
}

/** One rule where there is one prefix and one range of ports; else a set, which the kernel looks up at once. */
function addFlow(set: RuleSet, chain: string, comment: string, name: string, flow: Flow, direction: Direction): void {
  for (const version of versions) {
    const prefixes = ofVersion(flow.prefixes, version);
    if (prefixes.length === 0) continue;
    if (prefixes.length === 1 && flow.ports.length === 1) {
      const { address, length } = prefixes[0]!;
      const match = [...matchVersion(version), ...matchPrefix(direction, toBytes(address), length)];
      addPorts(set, chain, comment, flow, direction, match);
      continue;
    }
    const definition: SetDefinition = {
      name: `${name}-${version}`,
      fields: [version === 4 ? "ipv4_addr" : "ipv6_addr", "inet_proto", "inet_service"],
      isInterval: true,
      hasTimeout: false,
    };
    const protocol = protocolNumbers[flow.protocol];
    const ports = mergePorts(flow.ports);
    const elements = mergePrefixes(prefixes).flatMap((addresses) =>
      ports.map(([first, last]) => ({
        first: endpointKey(addresses.first, protocol, first),
        last: endpointKey(addresses.last, protocol, last),
      })),
    );
    set.sets.push({ definition, elements });
    const match = [...matchVersion(version), ...matchEndpointSet(direction, version, definition.name)];
    set.rules.push({ chain, comment, expressions: [...match, counter(), accept()] });
  }
}

function addDiscovery(set: RuleSet, chain: string): void {
  for (const type of discoveryTypes) {
    const match = [...matchVersion(6), ...matchProtocol(protocolNumbers.icmpv6), ...matchIcmpType(type)];
    set.rules.push({ chain, comment: "IPv6 neighbours", expressions: [...match, accept()] });
  }
}

/** Addresses are translated only where the class says so: else the networks behind it have to know the way back. */
function addNat(set: RuleSet, { classes }: NetworkRequest, link: Link): void {
  for (const one of classes.filter(({ masquerade: isHidden }) => isHidden)) {
    for (const version of versions) {
      const own = toBytes(version === 4 ? link.inside4 : link.inside6);
      const out = [...matchVersion(version), ...matchPrefix("source", own, 8 * own.length)];
      const expressions = [...out, ...matchInterface("out", one.device), masquerade()];
      set.rules.push({ chain: "source", comment: `hidden behind ${one.device}`, expressions });
      for (const flow of one.inbound) {
        for (const [first, last] of flow.ports) {
          const into = [...matchVersion(version), ...matchInterface("in", one.device)];
          const port = [...matchProtocol(protocolNumbers[flow.protocol]), ...matchPorts("destination", first, last)];
          set.rules.push({
            chain: "destination",
            comment: `${one.name} inbound`,
            expressions: [...into, ...port, ...destinationNat(own, 0)],
          });
        }
      }
    }
  }
}

function addAddressSet(set: RuleSet, name: string, version: 4 | 6, prefixes: readonly Prefix[]): string {
  const definition: SetDefinition = {
    name,
    fields: [version === 4 ? "ipv4_addr" : "ipv6_addr"],
    isInterval: true,
    hasTimeout: false,
  };
  set.sets.push({ definition, elements: mergePrefixes(prefixes) });
  return name;
}

/** Intervals in order that do not touch one another: the kernel refuses others in one set. */
function mergePrefixes(prefixes: readonly Prefix[]): SetElement[] {
  const intervals = prefixes
    .map((prefix) => ({ first: toBytes(prefix.address), last: toBytes(lastAddress(prefix)) }))
    .sort((a, b) => compareBytes(a.first, b.first) || compareBytes(b.last, a.last));
  const merged: SetElement[] = [];
  for (const interval of intervals) {
    const before = merged.at(-1);
    // Of prefixes, one holds the other or they have nothing in common.
    if (before !== undefined && compareBytes(interval.last, before.last) <= 0) continue;
    merged.push(interval);
  }
  return merged;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let at = 0; at < a.length; at++) if (a[at] !== b[at]) return a[at]! - b[at]!;
  return 0;
}

/** Ranges in order that do not overlap. */
function mergePorts(ranges: readonly PortRange[]): PortRange[] {
  const merged: [number, number][] = [];
  for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const before = merged.at(-1);
    if (before !== undefined && first <= before[1] + 1) before[1] = Math.max(before[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

function endpointKey(address: Uint8Array, protocol: number, port: number): Uint8Array {
  return new Uint8Array([...address, protocol, 0, 0, 0, port >> 8, port & 0xff, 0, 0]);
}

function lastAddress({ address, length }: Prefix): number[] {
  return address.map((byte, index) => byte | (0xff >> Math.min(8, Math.max(0, length - 8 * index))));
}

function ofVersion(prefixes: readonly Prefix[], version: 4 | 6): Prefix[] {
  return prefixes.filter((prefix) => versionOf(prefix) === version);
}

function versionOf({ address }: Prefix): 4 | 6 {
  return address.length === 4 ? 4 : 6;
}

function toBytes(address: readonly number[]): Uint8Array {
  return new Uint8Array(address);
}
