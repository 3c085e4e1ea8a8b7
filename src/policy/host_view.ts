// SPDX-License-Identifier: Apache-2.0
// What the policy needs to know of the machine. Names in config.json prove nothing: a bundle can call /dev/mem
// "/dev/ttyS0", and /proc/1234/ns/net can be the host's own network. Numbers of the host settle both.
import type { Host } from "../host/functions.ts";
import type { Grants } from "../manifest/schema.ts";
import type { NamespaceType, Spec } from "../spec/config.ts";

export type HostDevice = { path: string; type: "c" | "b"; major: number; minor: number };

export type HostView = {
  /** The granted device nodes as they are on this host; one that is absent here is not in the list. */
  devices: readonly HostDevice[];
  /** Namespaces that the bundle joins by path, and which are those of edgerun itself: the host's. */
  hostNamespaces: readonly NamespaceType[];
};

const typeMask = 0o170000;
const characterType = 0o020000;
const blockType = 0o060000;

/** Reads it; a few statx(2) for what the manifest and the bundle name. */
export function readHostView(host: Host, spec: Spec, grants: Grants): HostView {
  const devices: HostDevice[] = [];
  for (const { path } of grants.devices ?? []) {
    if (path === undefined) continue;
    const [mode = 0, , , , , , major = 0, minor = 0] = host.fileInfo(path, 1) ?? [];
    const type = mode & typeMask;
    if (type === characterType) devices.push({ path, type: "c", major, minor });
    if (type === blockType) devices.push({ path, type: "b", major, minor });
  }
  const hostNamespaces: NamespaceType[] = [];
  for (const { type, path } of spec.linux?.namespaces ?? []) {
    if (path !== undefined && isSameFile(host, path, `/proc/self/ns/${namespaceFile(type)}`)) hostNamespaces.push(type);
  }
  return { devices, hostNamespaces };
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
