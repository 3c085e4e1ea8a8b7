// SPDX-License-Identifier: Apache-2.0
// What the names in a manifest are on this host: looked up in the host inventory, and there on the machine.
import { EdgerunError } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import type { Inventory, Point } from "../inventory/schema.ts";
import type { Grants } from "../manifest/schema.ts";
import { quote } from "../schema/describe.ts";
import type { PointSection, PointView } from "./host_view.ts";

const typeMask = 0o170000;
const characterType = 0o020000;
const blockType = 0o060000;
const socketType = 0o140000;
const regularType = 0o100000;

type Wanted = {
  section: PointSection;
  index: number;
  name: string;
  read: boolean;
  control: boolean;
  required: boolean;
};

/** Whether a manifest has names for which the host inventory is needed. */
export function needsInventory({ sensors, actuators, registers, devices = [], accelerators }: Grants): boolean {
  return (
    sensors !== undefined ||
    actuators !== undefined ||
    registers !== undefined ||
    accelerators !== undefined ||
    devices.some(({ name }) => name !== undefined)
  );
}

/**
 * The granted sensors, actuators and registers. One that this host does not have is left out where the manifest says
 * that it is not required.
 * @throws EdgerunError UNSUPPORTED naming what the inventory or the host lacks, or what this version can't enforce
 */
export function readPoints(host: Host, grants: Grants, inventory: Inventory): PointView[] {
  const points: PointView[] = [];
  for (const wanted of listWanted(grants)) {
    const known = inventory[wanted.section]?.[wanted.name];
    const point =
      known === undefined ? missing(wanted, "the host inventory has none of that name") : find(host, wanted, known);
    if (point !== null) points.push(point);
  }
  return points;
}

function listWanted({ sensors = [], actuators = [], registers = [] }: Grants): Wanted[] {
  const switched = (section: "actuators" | "registers", grants: typeof actuators): Wanted[] =>
    grants.map(({ name, operations, required = true }, index) => {
      return {
        section,
        index,
        name,
        read: operations.includes("read"),
        control: operations.includes("control"),
        required,
      };
    });
  return [
    ...sensors.map(({ name, required = true }, index) => {
      return { section: "sensors" as const, index, name, read: true, control: false, required };
    }),
    ...switched("actuators", actuators),
    ...switched("registers", registers),
  ];
}

function find(host: Host, wanted: Wanted, point: Point): PointView | null {
  const { section, index, name, read, control } = wanted;
  const view = { section, name, read, control, rule: `grants.${section}[${index}]`, node: null };
  if (point.device !== undefined) {
    const [mode = 0, , , , , , major = 0, minor = 0] = host.fileInfo(point.device, 1) ?? [];
    const type = (mode & typeMask) === characterType ? "c" : (mode & typeMask) === blockType ? "b" : undefined;
    if (type === undefined) return missing(wanted, `the host has no device ${quote(point.device)}`);
    return { ...view, source: point.device, node: { type, major, minor } };
  }
  if (point.sysfs !== undefined) {
    if (!point.sysfs.startsWith("/sys/")) return refuse(wanted, `${quote(point.sysfs)} is not below /sys`);
    // One attribute, never a directory: what else is in it is not granted.
    if (!hasType(host, point.sysfs, regularType)) return missing(wanted, `the host has no file ${quote(point.sysfs)}`);
    return { ...view, source: point.sysfs };
  }
  if (point.socket !== undefined) {
    // Who can connect can write: the kernel knows no socket for reading only. A sensor's service has to see to that.
    if (section !== "sensors" && !(read && control)) {
      return refuse(
        wanted,
        'behind a socket "read" and "control" can\'t be told apart; grant both, or another inventory entry',
      );
    }
    if (!hasType(host, point.socket, socketType))
      return missing(wanted, `the host has no socket ${quote(point.socket)}`);
    return { ...view, control: section !== "sensors", source: point.socket };
  }
  const kind = point.gpio !== undefined ? "gpio" : point.modbus !== undefined ? "modbus" : "mqtt";
  return refuse(wanted, `this version of edgerun does not enforce access by "${kind}"`);
}

function hasType(host: Host, path: string, type: number): boolean {
  return ((host.fileInfo(path, 0)?.[0] ?? 0) & typeMask) === type;
}

function missing(wanted: Wanted, why: string): null {
  if (!wanted.required) return null;
  return refuse(wanted, why);
}

function refuse({ section, name }: Wanted, why: string): never {
  throw new EdgerunError("UNSUPPORTED", `the manifest grants ${section.slice(0, -1)} ${quote(name)}: ${why}`);
}
