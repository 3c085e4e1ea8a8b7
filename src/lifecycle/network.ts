// SPDX-License-Identifier: Apache-2.0
// A container's own link to the host (manifest mode "direct"): made before its program starts, removed with it.
// The rules are there before the link, so there is no moment without them.
import { EdgerunError, wrap } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import type { Rate } from "../manifest/schema.ts";
import { listTables, NftablesBatch } from "../netlink/nftables.ts";
import {
  AF_INET,
  AF_INET6,
  addAddress,
  addRoute,
  addTokenBucket,
  addVeth,
  deleteLink,
  exchangeRoute,
  findLinkIndex,
  listLinks,
  setLinkAlias,
  setLinkUp,
} from "../netlink/route.ts";
import { NetlinkWriter } from "../netlink/writer.ts";
import {
  computeLink,
  findFreeNumber,
  hostTable,
  insideName,
  insideTable,
  type Link,
  linkNumber,
  linkPrefixLength,
} from "../network/link.ts";
import { burstBytes, isDelayed } from "../network/rate.ts";
import type { NetworkRequest } from "../network/request.ts";
import { planHostRules, planInsideRules, type RuleSet, writeRules } from "../network/rules.ts";
import type { ContainerRecord } from "../state/record.ts";
import { type StateDirectory, updateRecord } from "../state/store.ts";

const claimAttempts = 20;

/** A link's name that nobody has; for the record, before it is made. */
export function chooseLink(host: Host, id: string): string {
  const names = [...listLinks(host, ""), ...listTables(host, "")].map(({ name }) => name);
  const number = findFreeNumber(names, id);
  if (number === undefined) throw new EdgerunError("HOST", "no network link is left: all numbers are taken");
  return computeLink(number).name;
}

/**
 * Connects the network namespace of a process, which is its own, by the link that its record names.
 * @throws EdgerunError UNSUPPORTED where this host does not forward; HOST naming the step. The caller then disconnects.
 */
export function connectNetwork(
  host: Host,
  directory: StateDirectory,
  record: ContainerRecord,
  request: NetworkRequest,
): void {
  const inside = `/proc/${record.pid}/ns/net`;
  try {
    requireForwarding(host, request);
    const link = claimLink(host, directory, record, request);
    commitRules(host, inside, insideTable, ownerOf(record), planInsideRules(request, link));
    const pair = new NetlinkWriter();
    addVeth(pair, { name: link.name }, { name: insideName, namespacePid: record.pid });
    setLinkAlias(pair, link.name, ownerOf(record));
    exchangeRoute(host, "", pair);
    for (const version of ["ipv4", "ipv6"]) {
      const file = `/proc/sys/net/${version}/conf/${link.name}/forwarding`;
      if (host.fileInfo(file, 0) !== null) host.writeFile(file, "1");
    }
    configureHost(host, link, request.rate);
    configureInside(host, inside, link, request.rate);
  } catch (error) {
    throw wrap("cannot connect the container's network", error);
  }
}

/** The rules on the host, whose table is the claim to a link's number: who makes it first has it. */
function claimLink(host: Host, directory: StateDirectory, record: ContainerRecord, request: NetworkRequest): Link {
  for (let attempt = 1; ; attempt++) {
    const link = linkOf(record);
    try {
      commitRules(host, "", hostTable(link.name), ownerOf(record), planHostRules(request, link));
      return link;
    } catch (error) {
      if (!(error instanceof EdgerunError && error.errno === "EEXIST") || attempt === claimAttempts) throw error;
      record.link = chooseLink(host, record.id);
      updateRecord(host, directory, record);
    }
  }
}

/** Removes what connectNetwork() made, or a part of it. What is not there, or is another container's, is left alone. */
export function disconnectNetwork(host: Host, record: ContainerRecord): void {
  const name = record.link;
  if (name === undefined) return;
  const owner = ownerOf(record);
  // By owner: the end of a network namespace takes its interfaces with it, and another container may have the name then.
  if (listLinks(host, "").some((link) => link.name === name && link.alias === owner)) {
    const writer = new NetlinkWriter();
    deleteLink(writer, name);
    ignoreAbsence(() => exchangeRoute(host, "", writer));
  }
  const table = hostTable(name);
  if (listTables(host, "").some((one) => one.name === table && one.comment === owner)) {
    const batch = new NftablesBatch(table);
    batch.deleteTable();
    ignoreAbsence(() => batch.commit(host, ""));
  }
}

function linkOf(record: ContainerRecord): Link {
  const number = record.link === undefined ? undefined : linkNumber(record.link);
  if (number === undefined) throw new TypeError(`link "${record.link}"`);
  return computeLink(number);
}

/** Whose an interface and a table is, as `ip link` and `nft list tables` show it. */
function ownerOf(record: ContainerRecord): string {
  return `${record.id.slice(0, 64)} ${record.created}`;
}

function commitRules(host: Host, namespace: string, table: string, owner: string, rules: RuleSet): void {
  const batch = new NftablesBatch(table);
  batch.addTable(owner);
  writeRules(batch, rules);
  batch.commit(host, namespace);
}

function ignoreAbsence(step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!(error instanceof EdgerunError && (error.errno === "ENOENT" || error.errno === "ENODEV"))) throw error;
  }
}

/**
 * A host forwards between its interfaces or it does not: that is its owner's choice, with consequences that reach
 * beyond containers, so it is not made here.
 */
function requireForwarding(host: Host, { classes }: NetworkRequest): void {
  for (const { device, name, outbound, inbound } of classes) {
    const flows = [...outbound, ...inbound];
    const uses6 = flows.some(({ prefixes }) => prefixes.some(({ address }) => address.length === 16));
    for (const version of uses6 ? ["ipv4", "ipv6"] : ["ipv4"]) {
      const setting = `net/${version}/conf/${device}/forwarding`;
      const value = host.readFileIfExists(`/proc/sys/${setting}`, 16);
      if (value?.trim() === "1") continue;
      const why = value === null ? `has no interface "${device}"` : `does not forward on interface "${device}"`;
      const help = value === null ? "" : ` (sysctl -w ${setting.replaceAll("/", ".")}=1)`;
      throw new EdgerunError("UNSUPPORTED", `network class "${name}": this host ${why}${help}`);
    }
  }
}

/** What one end of the link is given before it is up. */
type LinkEnd = {
  /** Path of its network namespace; "" for ours. */
  namespace: string;
  name: string;
  v4: readonly number[];
  v6: readonly number[];
  /** What it sends at most, where the manifest says so. */
  bytesPerSecond: number | undefined;
};

/** Addresses, the queue for what it sends, and up. */
function configureEnd(
  host: Host,
  end: LinkEnd,
  rate: Rate,
  addRoutes: (writer: NetlinkWriter, index: number) => void,
): void {
  const index = findLinkIndex(host, end.namespace, end.name);
  if (index === undefined) throw new EdgerunError("HOST", `interface "${end.name}" is gone`, { errno: "ENODEV" });
  const writer = new NetlinkWriter();
  addAddress(writer, index, new Uint8Array(end.v4), linkPrefixLength[4]);
  addAddress(writer, index, new Uint8Array(end.v6), linkPrefixLength[6]);
  if (end.bytesPerSecond !== undefined && isDelayed(rate)) {
    addTokenBucket(writer, index, end.bytesPerSecond, burstBytes(rate));
  }
  setLinkUp(writer, index, true);
  addRoutes(writer, index);
  exchangeRoute(host, end.namespace, writer);
}

function configureHost(host: Host, { name, host4: v4, host6: v6 }: Link, rate: Rate): void {
  const end = { namespace: "", name, v4, v6, bytesPerSecond: rate.receiveBytesPerSecond };
  configureEnd(host, end, rate, () => {});
}

function configureInside(host: Host, namespace: string, link: Link, rate: Rate): void {
  const { inside4: v4, inside6: v6 } = link;
  const end = { namespace, name: insideName, v4, v6, bytesPerSecond: rate.transmitBytesPerSecond };
  configureEnd(host, end, rate, (writer, index) => {
    const common = { destination: new Uint8Array(), prefixLength: 0, interfaceIndex: index };
    addRoute(writer, { ...common, family: AF_INET, gateway: new Uint8Array(link.host4) });
    addRoute(writer, { ...common, family: AF_INET6, gateway: new Uint8Array(link.host6) });
  });
}
