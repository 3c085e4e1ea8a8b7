// SPDX-License-Identifier: Apache-2.0
// Sensors, actuators and registers: the app knows their names, the host inventory knows what they are on this device.
// A bundle can't ask for what it does not know, so the manifest alone decides: each that is granted is put into the
// container under its name, and nothing else of the host is.
//
//   /run/edgerun/sensors/NAME   /run/edgerun/actuators/NAME   /run/edgerun/registers/NAME
import type { Device, DeviceRule, Mount } from "../spec/config.ts";
import type { Decision } from "./decision.ts";
import type { PointView } from "./host_view.ts";

const directory = "/run/edgerun";

/** What is added to a spec. */
export type PointParts = { mounts: Mount[]; devices: Device[]; rules: DeviceRule[] };

/** The parts of a spec for the granted points, as they are on this host; `decisions` lists each. */
export function planPoints(points: readonly PointView[], decisions: Decision[]): PointParts {
  const parts: PointParts = { mounts: [], devices: [], rules: [] };
  if (points.length === 0) return parts;
  // Of its own, so that nothing has to be made in the app's root, and the app finds nothing else there.
  parts.mounts.push({
    destination: directory,
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "noexec", "mode=755", "size=64k", "nr_inodes=1k"],
  });
  for (const point of points) {
    const path = `${directory}/${point.section}/${point.name}`;
    if (point.node !== null) addNode(parts, path, point, point.node);
    else addFile(parts, path, point);
    decisions.push({
      subject: `${point.section.slice(0, -1)} ${point.name}`,
      asked: "-",
      granted: `${path} ${describeOperations(point)} (${point.source})`,
      verdict: "granted",
      rule: point.rule,
    });
  }
  return parts;
}

function addNode(
  parts: PointParts,
  path: string,
  point: PointView,
  { type, major, minor }: NonNullable<PointView["node"]>,
): void {
  const access = `${point.read ? "r" : ""}${point.control ? "w" : ""}`;
  // The cgroup decides; whoever the app runs as may try.
  parts.devices.push({ path, type, major, minor, fileMode: 0o666, uid: 0, gid: 0 });
  parts.rules.push({ allow: true, type, major, minor, access });
}

/** A socket or an attribute of sysfs: exactly this file. */
function addFile(parts: PointParts, path: string, point: PointView): void {
  const access = point.control ? ["rw"] : ["ro", "rro"];
  parts.mounts.push({
    destination: path,
    type: "bind",
    source: point.source,
    options: ["bind", "nosuid", "nodev", "noexec", "private", ...access],
  });
}

function describeOperations({ read, control }: PointView): string {
  return read ? (control ? "read, control" : "read") : "control";
}
