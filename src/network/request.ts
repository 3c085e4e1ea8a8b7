// SPDX-License-Identifier: Apache-2.0
// What a container's network shall let through: the manifest's network section, with the names in it looked up in the
// host inventory. Pure data; `edgerun plan` shows it, and rules.ts makes rules of it.
import { EdgerunError } from "../errors.ts";
import type { Inventory } from "../inventory/schema.ts";
import { parsePrefix } from "../manifest/addresses.ts";
import { parsePorts } from "../manifest/formats.ts";
import type { NetworkClass, NetworkGrant, Rate } from "../manifest/schema.ts";
import { quote } from "../schema/describe.ts";

/** An address range, IPv4 (4 bytes) or IPv6 (16); length in bits. */
export type Prefix = { address: readonly number[]; length: number };

/** Both ends included. */
export type PortRange = readonly [first: number, last: number];

export type Protocol = "tcp" | "udp";

/** One entry of `outbound` (prefixes: where to) or `inbound` (where from; empty: anywhere in the class). */
export type Flow = { protocol: Protocol; prefixes: readonly Prefix[]; ports: readonly PortRange[] };

/** One class of destinations, behind one interface of the host. */
export type ClassRequest = {
  name: string;
  /** The host's interface: "eth0". */
  device: string;
  /** What belongs to the class, and what does not; prefixes empty: everything behind the interface. */
  prefixes: readonly Prefix[];
  exceptPrefixes: readonly Prefix[];
  /** The app's addresses are hidden behind the host's. */
  masquerade: boolean;
  outbound: readonly Flow[];
  inbound: readonly Flow[];
  /** Echo requests to the destinations of `outbound`. */
  ping: boolean;
};

export type NetworkRequest = {
  classes: readonly ClassRequest[];
  /** Ports of the host itself, at its end of the link. */
  hostPorts: readonly Flow[];
  rate: Rate;
};

/**
 * The request of a manifest with mode "direct"; null with other modes, which need nothing on the host.
 * @throws EdgerunError UNSUPPORTED naming what the host inventory lacks
 */
export function resolveNetwork(grant: NetworkGrant | undefined, inventory: Inventory): NetworkRequest | null {
  if (grant === undefined || grant.mode !== "direct") return null;
  const classes: ClassRequest[] = [];
  for (const [name, granted] of Object.entries(grant.classes ?? {})) {
    const request = resolveClass(name, granted, inventory);
    if (request !== null) classes.push(request);
  }
  const hostPorts = (grant.host ?? []).map(({ protocol, ports }) => ({
    protocol,
    prefixes: [],
    ports: readPorts(ports),
  }));
  return { classes, hostPorts, rate: grant.rate ?? {} };
}

function resolveClass(name: string, granted: NetworkClass, inventory: Inventory): ClassRequest | null {
  const known = inventory.networkClasses?.[name];
  const device = known === undefined ? undefined : inventory.interfaces?.[known.interface]?.device;
  if (known === undefined || device === undefined) {
    if (granted.required === false) return null;
    const missing = known === undefined ? `networkClasses.${name}` : `interfaces.${known.interface}`;
    throw new EdgerunError(
      "UNSUPPORTED",
      `the manifest grants network class ${quote(name)}, and the host inventory has no "${missing}"`,
    );
  }
  return {
    name,
    device,
    prefixes: readPrefixes(known.prefixes),
    exceptPrefixes: readPrefixes(known.exceptPrefixes),
    masquerade: known.masquerade === true,
    outbound: (granted.outbound ?? []).map(({ protocol, to, ports }) => ({
      protocol,
      prefixes: readPrefixes(to),
      ports: readPorts(ports),
    })),
    inbound: (granted.inbound ?? []).map(({ protocol, from, ports }) => ({
      protocol,
      prefixes: readPrefixes(from),
      ports: readPorts(ports),
    })),
    ping: granted.ping === true,
  };
}

/** The texts have passed the schema's formats. */
function readPrefixes(texts: readonly string[] | undefined): Prefix[] {
  return (texts ?? []).map((text) => {
    const prefix = parsePrefix(text);
    if (prefix === undefined) throw new TypeError(`"${text}" is not a prefix`);
    return { address: prefix.bytes, length: prefix.length };
  });
}

function readPorts(texts: readonly string[]): PortRange[] {
  return texts.map((text) => {
    const range = parsePorts(text);
    if (range === undefined) throw new TypeError(`"${text}" is not a range of ports`);
    return range;
  });
}
