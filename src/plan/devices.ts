// SPDX-License-Identifier: Apache-2.0
// Device nodes and links below /dev: the specification's defaults (config-linux.md "Default Devices") and linux.devices.
import type { Device, Spec } from "../spec/config.ts";
import { S_IFBLK, S_IFCHR, S_IFIFO } from "./constants.ts";
import { bindsDev } from "./mounts.ts";
import type { Operation } from "./operations.ts";
import { cleanPath } from "./paths.ts";
import type { Sources } from "./sources.ts";

/** Every container has these. The device cgroup allows them too (device_rules.ts). */
const defaultDevices: readonly Device[] = [
  { path: "/dev/null", type: "c", major: 1, minor: 3 },
  { path: "/dev/random", type: "c", major: 1, minor: 8 },
  { path: "/dev/full", type: "c", major: 1, minor: 7 },
  { path: "/dev/tty", type: "c", major: 5, minor: 0 },
  { path: "/dev/zero", type: "c", major: 1, minor: 5 },
  { path: "/dev/urandom", type: "c", major: 1, minor: 9 },
];

/**
 * Nodes first, then links. A device of config.json takes the place of a default one with its path.
 * @param canMakeNodes false in a user namespace: there mknod(2) is refused, and the host's node is bound instead
 */
export function planDevices(spec: Spec, canMakeNodes: boolean, sources: Sources): Operation[] {
  if (bindsDev(spec)) return [];
  // /dev/ptmx is the multiplexer of the container's own devpts; engines list the host's for privileged containers.
  const own = (spec.linux?.devices ?? [])
    .map((device) => ({ ...device, path: cleanPath(device.path) }))
    .filter(({ path }) => path !== "/dev/ptmx");
  const operations: Operation[] = [];
  for (const device of defaultDevices) {
    if (!own.some(({ path }) => path === device.path)) operations.push(planNode(device, canMakeNodes, sources));
  }
  for (const device of own) operations.push(planNode(device, canMakeNodes, sources));
  operations.push(
    { op: "make_symlink", value: "/proc/self/fd", target: "/dev/fd" },
    { op: "make_symlink", value: "/proc/self/fd/0", target: "/dev/stdin" },
    { op: "make_symlink", value: "/proc/self/fd/1", target: "/dev/stdout" },
    { op: "make_symlink", value: "/proc/self/fd/2", target: "/dev/stderr" },
    { op: "make_symlink", value: "pts/ptmx", target: "/dev/ptmx" },
  );
  return operations;
}

function planNode(device: Device, canMakeNodes: boolean, sources: Sources): Operation {
  const { path, major = 0, minor = 0 } = device;
  if (device.type === "p") {
    return { op: "make_device", target: path, type: S_IFIFO, major, minor, ...ownership(device) };
  }
  const type = device.type === "b" ? S_IFBLK : S_IFCHR;
  if (!canMakeNodes) {
    const handed = sources.hand({ path, recursive: false }, "linux.devices");
    return { op: "bind_device", source: path, target: path, type, major, minor, handed };
  }
  return { op: "make_device", target: path, type, major, minor, ...ownership(device) };
}

function ownership({ fileMode, uid, gid }: Device): { mode: number; uid: number; gid: number } {
  // Engines copy st_mode, type bits and all.
  return { mode: (fileMode ?? 0o666) & 0o7777, uid: uid ?? 0, gid: gid ?? 0 };
}
