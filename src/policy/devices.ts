// SPDX-License-Identifier: Apache-2.0
// Devices: the nodes of linux.devices and the rules of the device cgroup, judged together, by number. The result is
// "deny all" and what is granted; no rule of the bundle is passed on. The base devices, and mknod(2), which CAP_MKNOD
// decides about, need no rule here: every container gets them (src/plan/device_rules.ts).
import type { DeviceGrant, Grants } from "../manifest/schema.ts";
import type { Device, DeviceRule } from "../spec/config.ts";
import type { Decision } from "./decision.ts";
import type { HostDevice, HostView } from "./host_view.ts";

type Numbers = { type: "a" | "c" | "b"; major: number; minor: number };

/** Absent in a rule: every number. */
const any = -1;

/**
 * The devices that every container has (runtime-spec, config-linux.md, "Default Devices"): null, zero, full, random,
 * urandom, tty, ptmx, and the ptys, one of which is the container's console.
 */
function baseDevices(): Numbers[] {
  const memory = [3, 5, 7, 8, 9].map((minor) => ({ type: "c" as const, major: 1, minor }));
  return [
    ...memory,
    { type: "c", major: 5, minor: 0 },
    { type: "c", major: 5, minor: 2 },
    { type: "c", major: 136, minor: any },
  ];
}

/** What engines' default rules allow besides: the host's console, and tun. Not given, and no reason to stop. */
function engineDevices(): Numbers[] {
  return [
    { type: "c", major: 5, minor: 1 },
    { type: "c", major: 10, minor: 200 },
  ];
}

type Asked = { numbers: Numbers; name: string; access: string };

/** Gives the nodes to make and the cgroup's rules; denies every device that is neither base nor granted. */
export function limitDevices(
  nodes: readonly Device[],
  rules: readonly DeviceRule[],
  grants: Grants,
  view: HostView,
  decisions: Decision[],
): { devices: Device[]; rules: DeviceRule[] } {
  const allowed: DeviceRule[] = [{ allow: false, access: "rwm" }];
  for (const asked of collectRequests(nodes, rules)) {
    const rule = judge(asked, grants, view, decisions);
    if (rule !== undefined) allowed.push(rule);
  }
  const devices = nodes.filter((node) => {
    if (node.type === "p") return true; // a FIFO is no device of the host
    const numbers = numbersOfNode(node);
    return isBase(numbers) || findGrant(numbers, grants, view) !== undefined;
  });
  return { devices, rules: allowed };
}

function toRule({ type, major, minor }: Numbers, access: string): DeviceRule {
  return { allow: true, type, major, minor, access };
}

/** One request per device: its node, its rules, or both. What is base is no request. */
function collectRequests(nodes: readonly Device[], rules: readonly DeviceRule[]): Asked[] {
  const requests: Asked[] = [];
  for (const node of nodes) {
    const numbers = numbersOfNode(node);
    if (node.type !== "p" && !isBase(numbers)) requests.push({ numbers, name: node.path, access: "" });
  }
  for (const rule of rules) {
    if (!rule.allow) continue;
    const numbers = numbersOfRule(rule);
    const access = rule.access ?? "rwm";
    if (isBase(numbers) || (access === "m" && numbers.type !== "a")) continue;
    const known = requests.filter((request) => isSame(request.numbers, numbers));
    if (known.length === 0) requests.push({ numbers, name: describe(numbers), access });
    for (const request of known) request.access = unite(request.access, access);
  }
  return requests;
}

function judge(asked: Asked, grants: Grants, view: HostView, decisions: Decision[]): DeviceRule | undefined {
  const { numbers, name, access } = asked;
  const subject = `device ${name}`;
  const askedText = `${describe(numbers)} ${access === "" ? "node only" : access}`;
  const found = findGrant(numbers, grants, view);
  if (found === undefined) {
    if (name === describe(numbers) && engineDevices().some((device) => isSame(device, numbers))) {
      const rule = "base: engine device rules";
      decisions.push({ subject, asked: askedText, granted: "-", verdict: "dropped", rule });
      return undefined;
    }
    const granted = explainMissing(name, grants, view);
    decisions.push({ subject, asked: askedText, granted, verdict: "denied", rule: "grants.devices" });
    return undefined;
  }
  const index = grants.devices?.indexOf(found) ?? -1;
  const given = intersect(access, found.access);
  decisions.push({
    subject: name === describe(numbers) ? `device ${found.path ?? found.name}` : subject,
    asked: askedText,
    granted: `${describe(numbers)} ${given === "" ? "node only" : given}`,
    verdict: given === unite("", access) ? "granted" : "clamped",
    rule: `grants.devices[${index}]`,
  });
  return given === "" ? undefined : toRule(numbers, given);
}

/** For a device that the manifest names, why the name alone is not enough. */
function explainMissing(name: string, grants: Grants, view: HostView): string {
  if (!grants.devices?.some((grant) => grant.path === name)) return "-";
  const device = view.devices.find((candidate) => candidate.path === name);
  return device === undefined ? "no such device on this host" : `${describe(device)} on this host`;
}

/** A grant is for a node on the host; what is compared is the number that it has there. */
function findGrant(numbers: Numbers, grants: Grants, view: HostView): DeviceGrant | undefined {
  const device = view.devices.find((candidate: HostDevice) => isSame(candidate, numbers));
  if (device === undefined) return undefined;
  return grants.devices?.find(({ path, name }) => (name === undefined ? path === device.path : name === device.name));
}

function numbersOfNode(node: Device): Numbers {
  return { type: node.type === "b" ? "b" : "c", major: node.major ?? 0, minor: node.minor ?? 0 };
}

function numbersOfRule(rule: DeviceRule): Numbers {
  return { type: rule.type ?? "a", major: rule.major ?? any, minor: rule.minor ?? any };
}

function isBase(numbers: Numbers): boolean {
  const matches = (base: Numbers): boolean =>
    base.type === numbers.type && base.major === numbers.major && (base.minor === any || base.minor === numbers.minor);
  return baseDevices().some(matches);
}

function isSame(a: Numbers, b: Numbers): boolean {
  return a.type === b.type && a.major === b.major && a.minor === b.minor;
}

/** "c 4:64", "b 8:*", "a *:*" */
function describe({ type, major, minor }: Numbers): string {
  return `${type} ${major === any ? "*" : major}:${minor === any ? "*" : minor}`;
}

function unite(a: string, b: string): string {
  return [..."rwm"].filter((letter) => a.includes(letter) || b.includes(letter)).join("");
}

function intersect(a: string, b: string): string {
  return [..."rwm"].filter((letter) => a.includes(letter) && b.includes(letter)).join("");
}
