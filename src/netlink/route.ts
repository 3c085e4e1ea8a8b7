// SPDX-License-Identifier: Apache-2.0
// rtnetlink(7): links, addresses, routes and queueing disciplines. Each function adds one message to a writer.
import type { Host } from "../host/functions.ts";
import { type Attributes, readAttributes, readMessages, readTextOf, readU32 } from "./reader.ts";
import { NetlinkWriter, NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL } from "./writer.ts";

export const NETLINK_ROUTE = 0;

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const RTM_NEWROUTE = 24;
const RTM_NEWQDISC = 36;

const IFLA_IFNAME = 3;
const IFLA_MTU = 4;
const IFLA_LINKINFO = 18;
const IFLA_IFALIAS = 20;
const IFLA_NET_NS_PID = 19;
const IFLA_NET_NS_FD = 28;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;

const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_BROADCAST = 4;
const IFA_FLAGS = 8;
const IFA_RT_PRIORITY = 9;
const IFA_F_PERMANENT = 0x80;
/** No duplicate address detection: on a link between two, nobody else can have it. */
const IFA_F_NODAD = 0x02;

/** Of an address's flags, what its owner decided: nodad, home address, managed temporary, no prefix route, multicast. */
const keptAddressFlags = 0x02 | 0x10 | 0x100 | 0x200 | 0x400;

const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;

const TCA_KIND = 1;
const TCA_OPTIONS = 2;
const TCA_TBF_PARMS = 1;
const TCA_TBF_RATE64 = 4;
const TCA_TBF_BURST = 6;
const TC_H_ROOT = 0xffffffff;
const TC_LINKLAYER_ETHERNET = 1;

const IFF_UP = 0x1;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RTN_UNICAST = 1;

export const AF_UNSPEC = 0;
export const AF_INET = 2;
export const AF_INET6 = 10;

/** The family of an address by its length in bytes. */
export function addressFamily(address: Uint8Array): number {
  return address.length === 4 ? AF_INET : AF_INET6;
}

/** struct ifinfomsg. */
function writeLinkHeader(writer: NetlinkWriter, index: number, flags: number, change: number): void {
  writer.u8(AF_UNSPEC);
  writer.u8(0);
  writer.u16(0);
  writer.u32(index);
  writer.u32(flags);
  writer.u32(change);
}

export type VethEnd = { name: string; mtu?: number };

/** A pair of virtual Ethernet interfaces (veth(4)): one here, its peer in the network namespace of a process. */
export function addVeth(writer: NetlinkWriter, end: VethEnd, peer: VethEnd & { namespacePid?: number }): void {
  const label = `make interface "${end.name}" with peer "${peer.name}"`;
  writer.message(label, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, () => {
    writeLinkHeader(writer, 0, 0, 0);
    writeEnd(writer, end);
    writer.nested(IFLA_LINKINFO, () => {
      writer.attributeText(IFLA_INFO_KIND, "veth");
      writer.nested(IFLA_INFO_DATA, () => {
        writer.nested(VETH_INFO_PEER, () => {
          writeLinkHeader(writer, 0, 0, 0);
          writeEnd(writer, peer);
          if (peer.namespacePid !== undefined) writer.attributeU32(IFLA_NET_NS_PID, peer.namespacePid);
        });
      });
    });
  });
}

function writeEnd(writer: NetlinkWriter, { name, mtu }: VethEnd): void {
  writer.attributeText(IFLA_IFNAME, name);
  if (mtu !== undefined) writer.attributeU32(IFLA_MTU, mtu);
}

/** A virtual interface without settings of its own: `ifb`, `dummy`, `bridge`. */
export function addLink(writer: NetlinkWriter, kind: string, name: string): void {
  writer.message(`make ${kind} interface "${name}"`, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, () => {
    writeLinkHeader(writer, 0, 0, 0);
    writer.attributeText(IFLA_IFNAME, name);
    writer.nested(IFLA_LINKINFO, () => writer.attributeText(IFLA_INFO_KIND, kind));
  });
}

/** Moves an interface to the network namespace behind a descriptor or of a process, under a name and down. */
export function moveLink(
  writer: NetlinkWriter,
  index: number,
  name: string,
  namespace: { pid: number } | { fd: number },
): void {
  writer.message(`move interface ${index} as "${name}"`, RTM_NEWLINK, NLM_F_ACK, () => {
    writeLinkHeader(writer, index, 0, IFF_UP);
    writer.attributeText(IFLA_IFNAME, name);
    if ("pid" in namespace) writer.attributeU32(IFLA_NET_NS_PID, namespace.pid);
    else writer.attributeU32(IFLA_NET_NS_FD, namespace.fd);
  });
}

/** Up or down. */
export function setLinkUp(writer: NetlinkWriter, index: number, up: boolean): void {
  writer.message(`set interface ${index} ${up ? "up" : "down"}`, RTM_NEWLINK, NLM_F_ACK, () => {
    writeLinkHeader(writer, index, up ? IFF_UP : 0, IFF_UP);
  });
}

/** A text for people, at most 255 characters, which `ip link` shows. A new interface takes none: it is a step of its own. */
export function setLinkAlias(writer: NetlinkWriter, name: string, alias: string): void {
  writer.message(`name the owner of interface "${name}"`, RTM_NEWLINK, NLM_F_ACK, () => {
    writeLinkHeader(writer, 0, 0, 0);
    writer.attributeText(IFLA_IFNAME, name);
    writer.attributeText(IFLA_IFALIAS, alias);
  });
}

export function deleteLink(writer: NetlinkWriter, name: string): void {
  writer.message(`delete interface "${name}"`, RTM_DELLINK, NLM_F_ACK, () => {
    writeLinkHeader(writer, 0, 0, 0);
    writer.attributeText(IFLA_IFNAME, name);
  });
}

/** An address of an interface; `peer`, the address at the other end of a link between two. */
export function addAddress(
  writer: NetlinkWriter,
  index: number,
  address: Uint8Array,
  prefixLength: number,
  peer: Uint8Array = address,
): void {
  const label = `add an address to interface ${index}`;
  writer.message(label, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, () => {
    writer.u8(addressFamily(address));
    writer.u8(prefixLength);
    writer.u8(0);
    writer.u8(RT_SCOPE_UNIVERSE);
    writer.u32(index);
    writer.attributeBytes(IFA_LOCAL, address);
    writer.attributeBytes(IFA_ADDRESS, peer);
    writer.attributeU32(IFA_FLAGS, IFA_F_NODAD);
  });
}

/** An address as the kernel listed it: struct ifaddrmsg, then attributes. */
export type ListedAddress = {
  interfaceIndex: number;
  scope: number;
  flags: number;
  header: Uint8Array;
  attributes: Attributes;
};

/** Every address of a network namespace. */
export function listAddresses(host: Host, namespace: string): ListedAddress[] {
  const writer = new NetlinkWriter();
  writer.message("list addresses", RTM_GETADDR, NLM_F_DUMP, () => writer.zeros(8));
  return readMessages(exchangeRoute(host, namespace, writer))
    .filter(({ type }) => type === RTM_NEWADDR)
    .map(({ payload }) => {
      const attributes = readAttributes(payload, 8);
      const flags = attributes.get(IFA_FLAGS);
      return {
        interfaceIndex: readU32(payload, 4),
        scope: payload[3]!,
        flags: flags === undefined ? payload[2]! : readU32(flags, 0),
        header: payload.subarray(0, 8),
        attributes,
      };
    });
}

/** Does an address stay as it is wherever its interface goes? Others have a lifetime, or are for this link only. */
export function isPermanentGlobal({ flags, scope }: ListedAddress): boolean {
  return (flags & IFA_F_PERMANENT) !== 0 && scope === RT_SCOPE_UNIVERSE;
}

/** Gives an interface an address as it was listed. Its label, which begins with an interface's name, is left out. */
export function restoreAddress(writer: NetlinkWriter, index: number, address: ListedAddress): void {
  const { header, attributes } = address;
  writer.message(`add an address to interface ${index}`, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, () => {
    writer.u8(header[0]!);
    writer.u8(header[1]!);
    writer.u8(0);
    writer.u8(address.scope);
    writer.u32(index);
    for (const type of [IFA_ADDRESS, IFA_LOCAL, IFA_BROADCAST, IFA_RT_PRIORITY]) {
      const value = attributes.get(type);
      if (value !== undefined) writer.attributeBytes(type, value);
    }
    writer.attributeU32(IFA_FLAGS, address.flags & keptAddressFlags);
  });
}

/** `destination` empty with length 0: the default route of that family. Without a gateway: on the link itself. */
export type Route = {
  family: number;
  destination: Uint8Array;
  prefixLength: number;
  gateway?: Uint8Array;
  interfaceIndex: number;
};

export function addRoute(writer: NetlinkWriter, route: Route): void {
  const { family, destination, prefixLength, gateway, interfaceIndex } = route;
  const label = `add a route by interface ${interfaceIndex}`;
  writer.message(label, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, () => {
    writer.u8(family);
    writer.u8(prefixLength);
    writer.u8(0);
    writer.u8(0);
    writer.u8(RT_TABLE_MAIN);
    writer.u8(RTPROT_STATIC);
    writer.u8(gateway === undefined && family === AF_INET ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE);
    writer.u8(RTN_UNICAST);
    writer.u32(0);
    if (prefixLength > 0) writer.attributeBytes(RTA_DST, destination);
    if (gateway !== undefined) writer.attributeBytes(RTA_GATEWAY, gateway);
    writer.attributeU32(RTA_OIF, interfaceIndex);
  });
}

/**
 * A token bucket at an interface's root (tc-tbf(8)): what is sent faster waits, for 50 ms of the rate at most.
 * @param burstBytes what may be sent at once; the bucket's size
 */
export function addTokenBucket(writer: NetlinkWriter, index: number, bytesPerSecond: number, burstBytes: number): void {
  const limit = Math.min(0xffffffff, burstBytes + Math.ceil(bytesPerSecond / 20));
  writer.message(`limit the rate of interface ${index}`, RTM_NEWQDISC, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL, () => {
    writer.u32(AF_UNSPEC);
    writer.u32(index);
    writer.u32(0);
    writer.u32(TC_H_ROOT);
    writer.u32(0);
    writer.attributeText(TCA_KIND, "tbf");
    writer.nested(TCA_OPTIONS, () => {
      // struct tc_tbf_qopt: rate, peak rate (none), limit, buffer and mtu (both by TCA_TBF_BURST).
      writer.attribute(TCA_TBF_PARMS, () => {
        writer.u8(0);
        writer.u8(TC_LINKLAYER_ETHERNET);
        writer.zeros(6);
        writer.u32(Math.min(0xffffffff, bytesPerSecond));
        writer.zeros(12);
        writer.u32(limit);
        writer.u32(0);
        writer.u32(0);
      });
      if (bytesPerSecond > 0xffffffff) writer.attribute(TCA_TBF_RATE64, () => writer.u64(bytesPerSecond));
      writer.attributeU32(TCA_TBF_BURST, burstBytes);
    });
  });
}

export type Link = { index: number; name: string; alias: string; isUp: boolean; mtu: number };

/** The interfaces of a network namespace. */
export function listLinks(host: Host, namespace: string): Link[] {
  const writer = new NetlinkWriter();
  writer.message("list interfaces", RTM_GETLINK, NLM_F_DUMP, () => writeLinkHeader(writer, 0, 0, 0));
  const answers = exchangeRoute(host, namespace, writer);
  return readMessages(answers)
    .filter(({ type }) => type === RTM_NEWLINK)
    .map(({ payload }) => {
      const attributes = readAttributes(payload, 16);
      return {
        index: readU32(payload, 4),
        name: readTextOf(attributes, IFLA_IFNAME),
        alias: readTextOf(attributes, IFLA_IFALIAS),
        isUp: (readU32(payload, 8) & IFF_UP) !== 0,
        mtu: readU32(attributes.get(IFLA_MTU) ?? new Uint8Array(4), 0),
      };
    });
}

/** The number of an interface; undefined if there is none of that name. */
export function findLinkIndex(host: Host, namespace: string, name: string): number | undefined {
  return listLinks(host, namespace).find((link) => link.name === name)?.index;
}

/** Sends what the writer holds. @throws EdgerunError HOST with the label of the message that failed */
export function exchangeRoute(host: Host, namespace: string, writer: NetlinkWriter): Uint8Array {
  return host.netlinkExchange(namespace, NETLINK_ROUTE, writer.finish(), writer.labels);
}
