// SPDX-License-Identifier: Apache-2.0
// linux.netDevices: network interfaces of the host that a container gets (config-linux.md "Network Devices"). They keep
// their MTU, hardware address and the addresses that are their own; the kernel takes their queueing disciplines away.
// When the namespace ends, physical ones return to the host and virtual ones are gone, as the kernel does it.
import { EdgerunError, wrap } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import {
  exchangeRoute,
  isPermanentGlobal,
  type Link,
  type ListedAddress,
  listAddresses,
  listLinks,
  moveLink,
  restoreAddress,
  setLinkUp,
} from "../netlink/route.ts";
import { NetlinkWriter } from "../netlink/writer.ts";
import type { InterfacePlan } from "../plan/plan.ts";
import { childPath } from "../schema/describe.ts";

/** A network namespace: the path of its file, "" for our own, and a process in it. */
type Place = { path: string; pid: number };
type Moved = { name: string; newName: string; isUp: boolean; addresses: ListedAddress[] };

/** Interfaces that were moved, until it is clear that they stay. */
export type MovedInterfaces = {
  /** Gives them back, under the names that they had, with their addresses. */
  undo(): void;
  /** Lets them stay. */
  keep(): void;
};

/**
 * Moves the interfaces into the network namespace of a process: all of them, or none.
 * @throws EdgerunError naming the JSON path of the one that can't be moved
 */
export function moveInterfaces(host: Host, interfaces: readonly InterfacePlan[], pid: number): MovedInterfaces {
  // Held open: the process may end before the interfaces are given back, and its namespace with it.
  const fd = host.openNamespace(`/proc/${pid}/ns/net`);
  const own = { path: "", pid: ownPid(host) };
  const theirs = { path: `/proc/self/fd/${fd}`, pid };
  const moved: Moved[] = [];
  const result = {
    undo: () => {
      for (const one of moved.reverse()) giveBack(host, one, theirs, own);
      host.closeFd(fd);
    },
    keep: () => host.closeFd(fd),
  };
  try {
    for (const one of interfaces) moved.push(moveIn(host, one, own, theirs));
  } catch (error) {
    result.undo();
    throw error;
  }
  return result;
}

/** The kernel takes namespaces by the number of a process in them. */
function ownPid(host: Host): number {
  return Number(host.realPath("/proc/self").slice("/proc/".length));
}

function moveIn(host: Host, { name, newName }: InterfacePlan, own: Place, theirs: Place): Moved {
  const path = `config.json: $${childPath(".linux.netDevices", name)}`;
  const link = listLinks(host, own.path).find((one) => one.name === name);
  if (link === undefined) throw new EdgerunError("CONFIG_INVALID", `${path}: this host has no interface "${name}"`);
  const addresses = listAddresses(host, own.path).filter(
    (address) => address.interfaceIndex === link.index && isPermanentGlobal(address),
  );
  const before = listLinks(host, theirs.path);
  if (before.some((one) => one.name === newName)) {
    throw new EdgerunError("CONFIG_INVALID", `${path}: the container has an interface "${newName}" already`);
  }
  try {
    const arrived = transfer(host, link, newName, own, theirs, before);
    const moved = { name, newName: arrived.name, isUp: link.isUp, addresses };
    try {
      furnish(host, theirs.path, arrived.index, addresses, true);
    } catch (error) {
      giveBack(host, moved, theirs, own);
      throw error;
    }
    return moved;
  } catch (error) {
    throw wrap(`${path}: can't move interface "${name}"`, error);
  }
}

/** Moves an interface and finds it again: its number may be another one there, and its name what the kernel chose. */
function transfer(host: Host, link: Link, name: string, from: Place, to: Place, before: readonly Link[]): Link {
  const writer = new NetlinkWriter();
  moveLink(writer, link.index, name, { pid: to.pid });
  exchangeRoute(host, from.path, writer);
  const arrived = listLinks(host, to.path).find((one) => before.every((other) => other.name !== one.name));
  if (arrived === undefined) throw new EdgerunError("HOST", `interface "${link.name}" did not arrive`);
  return arrived;
}

function furnish(host: Host, namespace: string, index: number, addresses: readonly ListedAddress[], up: boolean): void {
  const writer = new NetlinkWriter();
  for (const address of addresses) restoreAddress(writer, index, address);
  if (up) setLinkUp(writer, index, true);
  if (writer.labels.length > 0) exchangeRoute(host, namespace, writer);
}

function giveBack(host: Host, moved: Moved, theirs: Place, own: Place): void {
  const link = listLinks(host, theirs.path).find(({ name }) => name === moved.newName);
  if (link === undefined) return; // somebody in the namespace took it away
  const arrived = transfer(host, link, moved.name, theirs, own, listLinks(host, own.path));
  furnish(host, own.path, arrived.index, moved.addresses, moved.isUp);
}
