// SPDX-License-Identifier: Apache-2.0
// Rules of `linux` that a schema can't say: namespaces and what needs them, devices, seccomp (runtime-spec 1.3,
// config-linux.md).
import { childPath, quote } from "../schema/describe.ts";
import { type Device, findNamespace, type Linux, type NamespaceType } from "./linux.ts";
import type { IdMapping } from "./mounts.ts";
import { fail, type Report } from "./report.ts";
import type { Seccomp } from "./seccomp.ts";
import { validateSysctl } from "./sysctl.ts";
import { validateResources } from "./validate_resources.ts";

/** Checks the decoded `linux` of config.json. */
export function validateLinux(report: Report, linux: Linux): void {
  validateNamespaces(report, linux);
  validateUserNamespace(report, linux);
  validateTimeOffsets(report, linux);
  for (const name of ["maskedPaths", "readonlyPaths"] as const) {
    if (linux[name]?.length && findNamespace(linux, "mount") === undefined) {
      fail(report, `$.linux.${name}`, "needs a mount namespace");
    }
  }
  for (const [index, device] of (linux.devices ?? []).entries()) validateDevice(report, index, device);
  if (linux.sysctl !== undefined) validateSysctl(report, "$.linux.sysctl", linux.sysctl, linux);
  if (linux.netDevices !== undefined) validateInterfaces(report, linux.netDevices, linux);
  if (linux.seccomp !== undefined) validateSeccomp(report, linux.seccomp);
  if (linux.resources !== undefined) validateResources(report, "$.linux.resources", linux.resources);
  if (linux.personality?.flags?.length) fail(report, "$.linux.personality.flags", "no flags are defined");
}

function validateNamespaces(report: Report, linux: Linux): void {
  const seen = new Set<NamespaceType>();
  for (const [index, { type }] of (linux.namespaces ?? []).entries()) {
    if (seen.has(type)) fail(report, `$.linux.namespaces[${index}].type`, `duplicate ${type}`);
    seen.add(type);
  }
}

/** A new user namespace needs both maps; without one, maps would be ignored: the container would run as host root. */
function validateUserNamespace(report: Report, linux: Linux): void {
  const namespace = findNamespace(linux, "user");
  for (const name of ["uidMappings", "gidMappings"] as const) {
    const mappings = linux[name] ?? [];
    if (mappings.length > 0 && namespace === undefined) fail(report, `$.linux.${name}`, "needs a user namespace");
    if (mappings.length === 0 && namespace !== undefined && namespace.path === undefined) {
      fail(report, `$.linux.${name}`, "a new user namespace needs at least one mapping");
    }
    for (const [index, mapping] of mappings.entries()) validateIdMapping(report, `$.linux.${name}[${index}]`, mapping);
  }
}

function validateIdMapping(report: Report, path: string, { containerID, hostID, size }: IdMapping): void {
  // 2^32 - 1 is not an id: it means "no change" in chown(2) and setresuid(2).
  if (containerID + size > 0xffff_ffff || hostID + size > 0xffff_ffff) {
    fail(report, path, "reaches beyond the largest id, 4294967294");
  }
}

function validateTimeOffsets(report: Report, linux: Linux): void {
  const clocks = Object.keys(linux.timeOffsets ?? {});
  if (clocks.length === 0) return;
  const namespace = findNamespace(linux, "time");
  if (namespace === undefined) fail(report, "$.linux.timeOffsets", "needs a time namespace");
  if (namespace.path !== undefined) fail(report, "$.linux.timeOffsets", "needs a new time namespace, not a joined one");
  for (const clock of clocks) {
    if (clock !== "monotonic" && clock !== "boottime") {
      fail(report, childPath("$.linux.timeOffsets", clock), "unknown clock, only monotonic and boottime are known");
    }
  }
}

function validateDevice(report: Report, index: number, device: Device): void {
  if (device.type === "p") return;
  for (const name of ["major", "minor"] as const) {
    if (device[name] === undefined) {
      fail(report, `$.linux.devices[${index}].${name}`, `required for type ${device.type}, but missing`);
    }
  }
}

function validateInterfaces(report: Report, interfaces: NonNullable<Linux["netDevices"]>, linux: Linux): void {
  const newNames = new Set<string>();
  for (const [name, { name: given = "" }] of Object.entries(interfaces)) {
    const path = childPath("$.linux.netDevices", name);
    if (findNamespace(linux, "network") === undefined) fail(report, path, "needs a network namespace");
    if (!isInterfaceName(name)) fail(report, path, "is not the name of a network interface");
    if (given !== "" && !isInterfaceName(given.replace("%d", ""))) {
      fail(report, `${path}.name`, `${quote(given)} is not the name of a network interface`);
    }
    const newName = given === "" ? name : given;
    if (newNames.has(newName) && !newName.includes("%d")) fail(report, path, `a second ${quote(newName)}`);
    newNames.add(newName);
  }
}

/** The kernel's dev_valid_name(): up to 15 bytes, no slash, colon or white space. "%" is for templates only. */
function isInterfaceName(name: string): boolean {
  if (name === "" || name.length > 15 || name === "." || name === "..") return false;
  for (const character of name) {
    if (character <= " " || character > "~" || "/:%".includes(character)) return false;
  }
  return true;
}

function validateSeccomp(report: Report, seccomp: Seccomp): void {
  if (seccomp.defaultErrnoRet !== undefined && !returnsData(seccomp.defaultAction)) {
    fail(report, "$.linux.seccomp.defaultErrnoRet", `not for ${seccomp.defaultAction}`);
  }
  for (const [index, { action, errnoRet }] of (seccomp.syscalls ?? []).entries()) {
    if (errnoRet !== undefined && !returnsData(action)) {
      fail(report, `$.linux.seccomp.syscalls[${index}].errnoRet`, `not for ${action}`);
    }
  }
  if (seccomp.listenerMetadata !== undefined && !seccomp.listenerPath) {
    fail(report, "$.linux.seccomp.listenerMetadata", "needs listenerPath");
  }
}

/** Actions that carry 16 bits of data, an errno or a message for the tracer. */
function returnsData(action: Seccomp["defaultAction"]): boolean {
  return action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE";
}
