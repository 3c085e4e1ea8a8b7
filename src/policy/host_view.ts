// SPDX-License-Identifier: Apache-2.0
// What the policy needs to know of the machine. Names in config.json prove nothing: a bundle can call /dev/mem
// "/dev/ttyS0", and /proc/1234/ns/net can be the host's own network. Numbers of the host settle both.
import { EdgerunError } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import type { Inventory } from "../inventory/schema.ts";
import type { DeviceGrant, Grants } from "../manifest/schema.ts";
import { quote } from "../schema/describe.ts";
import type { NamespaceType, Spec } from "../spec/config.ts";
import { readPoints } from "./read_points.ts";

/** `name`: where it is granted by its name in the host inventory. */
export type HostDevice = { path: string; name?: string; type: "c" | "b"; major: number; minor: number };

export type PointSection = "sensors" | "actuators" | "registers";

/** A granted sensor, actuator or register, as it is on this host: a device node, or one file. */
export type PointView = {
  section: PointSection;
  name: string;
  read: boolean;
  control: boolean;
  /** Path on the host: the node, the socket, the attribute of sysfs. */
  source: string;
  /** The node's numbers; null for files. */
  node: { type: "c" | "b"; major: number; minor: number } | null;
  /** Where the manifest grants it. */
  rule: string;
};

export type HostView = {
  /** The granted device nodes as they are on this host; one that is absent here is not in the list. */
  devices: readonly HostDevice[];
  /** Namespaces that the bundle joins by path, and which are those of edgerun itself: the host's. */
  hostNamespaces: readonly NamespaceType[];
  points: readonly PointView[];
};

const typeMask = 0o170000;
const characterType = 0o020000;
const blockType = 0o060000;

/**
 * Reads it; a few statx(2) for what the manifest and the bundle name.
 * @param inventory only where needsInventory()
 */
export function readHostView(host: Host, spec: Spec, grants: Grants, inventory: Inventory | null): HostView {
  const devices: HostDevice[] = [];
  for (const grant of grants.devices ?? []) {
    const path = devicePath(grant, inventory);
    if (path === undefined) continue;
    const known = grant.name === undefined ? { path } : { path, name: grant.name };
    const [mode = 0, , , , , , major = 0, minor = 0] = host.fileInfo(path, 1) ?? [];
    const type = mode & typeMask;
    if (type === characterType) devices.push({ ...known, type: "c", major, minor });
    if (type === blockType) devices.push({ ...known, type: "b", major, minor });
  }
  const hostNamespaces: NamespaceType[] = [];
  for (const { type, path } of spec.linux?.namespaces ?? []) {
    if (path !== undefined && isSameFile(host, path, `/proc/self/ns/${namespaceFile(type)}`)) hostNamespaces.push(type);
  }
  const points = inventory === null ? [] : readPoints(host, grants, inventory);
  return { devices, hostNamespaces, points };
}

/** The node that a grant is for; undefined where it is not required, and the inventory does not have its name. */
function devicePath({ path, name, required = true }: DeviceGrant, inventory: Inventory | null): string | undefined {
  if (path !== undefined) return path;
  const known = inventory?.devices?.[name ?? ""]?.path;
  if (known !== undefined || !required) return known;
  throw new EdgerunError(
    "UNSUPPORTED",
    `the manifest grants device ${quote(name ?? "")}: the host inventory has none of that name`,
  );
}

/** The name below /proc/PID/ns. */
function namespaceFile(type: NamespaceType): string {
  if (type === "network") return "net";
  return type === "mount" ? "mnt" : type;
}

function isSameFile(host: Host, a: string, b: string): boolean {
  const left = host.fileInfo(a, 1);
  const right = host.fileInfo(b, 1);
  return left !== null && right !== null && left[4] === right[4] && left[5] === right[5];
}
