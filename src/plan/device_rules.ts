// SPDX-License-Identifier: Apache-2.0
// linux.resources.devices as writes to a version 1 device cgroup.
//
// The kernel keeps a default (allow or deny) and a list of exact exceptions. It ignores, without an error, the removal
// of something that only a wider entry covers: "allow c 1:*" and then "deny c 1:3" leaves 1:3 allowed. So the rules
// are carried out here first, on the same kind of list; what can't be expressed is refused, and the rest is written
// once, in its final form.
import type { DeviceRule } from "../spec/config.ts";
import type { CgroupWrite } from "./plan.ts";
import { invalid, unsupported } from "./refusal.ts";

/** Rules that every container gets after its own: mknod of anything, the default devices, and its terminals. */
export const defaultDeviceRules: readonly DeviceRule[] = [
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  { allow: true, type: "c", major: 1, minor: 3, access: "rwm" },
  { allow: true, type: "c", major: 1, minor: 8, access: "rwm" },
  { allow: true, type: "c", major: 1, minor: 7, access: "rwm" },
  { allow: true, type: "c", major: 5, minor: 0, access: "rwm" },
  { allow: true, type: "c", major: 1, minor: 5, access: "rwm" },
  { allow: true, type: "c", major: 1, minor: 9, access: "rwm" },
  { allow: true, type: "c", major: 136, access: "rwm" },
  { allow: true, type: "c", major: 5, minor: 2, access: "rwm" },
];

/** What a rule is about: reading, writing, mknod. */
export type Access = { r: boolean; w: boolean; m: boolean };
type Entry = { type: "c" | "b"; major: number; minor: number; access: Access };
/** allowAll: entries are what is denied; otherwise they are what is allowed. */
type DeviceList = { allowAll: boolean; entries: Entry[] };

const any = -1;

/**
 * The writes for a new device cgroup: everything denied, then the bundle's rules in order, then the defaults.
 * @throws CONFIG_INVALID for a rule without access; UNSUPPORTED for an exception from a wider rule of the other kind
 */
export function planDeviceRules(rules: readonly DeviceRule[]): CgroupWrite[] {
  const list: DeviceList = { allowAll: false, entries: [] };
  for (const [index, rule] of rules.entries()) applyRule(list, rule, `linux.resources.devices[${index}]`);
  for (const rule of defaultDeviceRules) applyRule(list, rule, "linux.resources.devices");
  const [all, exceptions] = list.allowAll ? ["devices.allow", "devices.deny"] : ["devices.deny", "devices.allow"];
  return [{ file: all, value: "a" }, ...list.entries.map((entry) => ({ file: exceptions, value: formatEntry(entry) }))];
}

function applyRule(list: DeviceList, rule: DeviceRule, jsonPath: string): void {
  const text = rule.access ?? "";
  const major = rule.major ?? any;
  const minor = rule.minor ?? any;
  const access = parseAccess(text, jsonPath);
  const kind = rule.type ?? "a";
  if (kind === "a" && major === any && minor === any && access.r && access.w && access.m) {
    list.allowAll = rule.allow;
    list.entries = [];
    return;
  }
  // Written to the kernel, "a 1:3 r" would mean every device: it takes "a" for all there is.
  for (const type of kind === "a" ? (["c", "b"] as const) : [kind]) {
    const entry = { type, major, minor, access: { ...access } };
    if (rule.allow === list.allowAll) removeEntry(list, entry, jsonPath);
    else addEntry(list, entry);
  }
}

function addEntry(list: DeviceList, entry: Entry): void {
  const same = list.entries.find((other) => sameDevices(other, entry));
  if (same === undefined) {
    list.entries.push(entry);
    return;
  }
  same.access.r ||= entry.access.r;
  same.access.w ||= entry.access.w;
  same.access.m ||= entry.access.m;
}

function removeEntry(list: DeviceList, { type, major, minor, access }: Entry, jsonPath: string): void {
  for (const other of list.entries) {
    if (other.type !== type || !overlaps(other.access, access)) continue;
    const inside = (major === any || other.major === major) && (minor === any || other.minor === minor);
    if (inside) {
      // All of what this entry names is taken back.
      if (access.r) other.access.r = false;
      if (access.w) other.access.w = false;
      if (access.m) other.access.m = false;
      continue;
    }
    const meets =
      (major === any || other.major === any || other.major === major) &&
      (minor === any || other.minor === any || other.minor === minor);
    if (meets) {
      throw unsupported(jsonPath, "a device cgroup can't make an exception from a rule that covers more devices");
    }
  }
  list.entries = list.entries.filter(({ access: { r, w, m } }) => r || w || m);
}

/** @throws CONFIG_INVALID for a rule without access */
export function parseAccess(text: string, jsonPath: string): Access {
  if (text === "") throw invalid(`${jsonPath}.access`, "required, but missing");
  return { r: text.includes("r"), w: text.includes("w"), m: text.includes("m") };
}

function sameDevices(a: Entry, b: Entry): boolean {
  return a.type === b.type && a.major === b.major && a.minor === b.minor;
}

function overlaps(a: Access, b: Access): boolean {
  return (a.r && b.r) || (a.w && b.w) || (a.m && b.m);
}

function formatEntry({ type, major, minor, access }: Entry): string {
  const number = (value: number): string => (value === any ? "*" : `${value}`);
  return `${type} ${number(major)}:${number(minor)} ${access.r ? "r" : ""}${access.w ? "w" : ""}${access.m ? "m" : ""}`;
}
