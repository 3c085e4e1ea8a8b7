// SPDX-License-Identifier: Apache-2.0
// A plan for people (`edgerun plan`) and for programs (`edgerun plan --json`).
import { escapeControls } from "../policy/decision.ts";
import { capabilityNames } from "../spec/capabilities.ts";
import * as kernel from "./constants.ts";
import { type Operation, operations } from "./operations.ts";
import type { HookPlan, IdMaps, LaunchPlan } from "./plan.ts";

/** The plan as JSON text, indented: u64 limits as decimal strings, seccomp filters as their length in bytes. */
export function formatPlanJson(plan: LaunchPlan): string {
  return JSON.stringify(plan, replaceValue, 2);
}

function replaceValue(_name: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  return value instanceof Uint8Array ? { length: value.length } : value;
}

/** The plan as text, one line per step: what the host side does, then what init does, in order. */
export function formatPlan(plan: LaunchPlan): string {
  const lines: string[] = [];
  for (const { path, inherit, writes } of plan.cgroups) {
    lines.push(`cgroup ${quote(path)}`);
    for (const file of inherit) lines.push(`  ${file} = as its parent's`);
    for (const { file, value, ifAbsent } of writes) {
      const other = ifAbsent === undefined ? "" : ifAbsent === "" ? " (where there is one)" : ` (or ${ifAbsent})`;
      lines.push(`  ${file}${other} = ${escapeControls(value)}`);
    }
  }
  lines.push(`clone ${formatFlags(plan.cloneFlags, cloneFlags)}`);
  if (plan.idMaps !== null) {
    lines.push(`uid map ${oneLine(plan.idMaps.uid)}`, `gid map ${oneLine(plan.idMaps.gid)}`);
  }
  for (const { path, recursive, idMaps, mapRecursively } of plan.sources) {
    const map = idMaps === null ? "" : idMaps === "container" ? "the container's" : formatMaps(idMaps);
    const mapped = map === "" ? "" : ` ${mapRecursively ? "ridmap" : "idmap"}=${map}`;
    lines.push(`source ${quote(path)}${recursive ? " recursive=yes" : ""}${mapped}`);
  }
  if (plan.resctrl !== null) {
    const { group, limits, schemata, monitorGroup } = plan.resctrl;
    const schema = formatList([...limits, ...schemata]);
    lines.push(`resctrl group ${quote(group)} schemata=${schema}${monitorGroup === "" ? "" : " monitored=yes"}`);
  }
  for (const { name, newName } of plan.interfaces) lines.push(`interface ${quote(name)} as ${quote(newName)}`);
  if (plan.oomScoreAdj !== null) lines.push(`oom score adjustment ${plan.oomScoreAdj}`);
  for (const { type, soft, hard } of plan.resourceLimits) lines.push(`limit ${type} soft=${soft} hard=${hard}`);
  for (const name of ["prestart", "createRuntime"] as const) lines.push(...formatHooks(name, plan.hooks[name]));
  for (const operation of plan.operations) lines.push(formatOperation(operation));
  for (const name of ["poststart", "poststop"] as const) lines.push(...formatHooks(name, plan.hooks[name]));
  for (const warning of plan.warnings) lines.push(`warning: ${escapeControls(warning)}`);
  return `${lines.join("\n")}\n`;
}

function formatHooks(name: string, hooks: readonly HookPlan[]): string[] {
  return hooks.map(
    ({ path, args, env, timeoutMs }) =>
      `hook ${name} path=${quote(path)} args=${formatList(args)} env=${formatList(env)} timeoutMs=${timeoutMs}`,
  );
}

/** One operation: its name, then its fields in the order of the table. Flags that are not set are left out. */
export function formatOperation(operation: Operation): string {
  const parts: string[] = [operation.op];
  const values = operation as unknown as { [field: string]: unknown };
  for (const [field, kind] of Object.entries(operations[operation.op].fields)) {
    const value = values[field];
    const text = formatField(operation.op, field, kind, value);
    if (text !== "") parts.push(`${field}=${text}`);
  }
  return parts.join(" ");
}

type FlagNames = readonly (readonly [name: string, bit: number])[];

const cloneFlags: FlagNames = [
  ["NEWTIME", kernel.CLONE_NEWTIME],
  ["NEWNS", kernel.CLONE_NEWNS],
  ["NEWCGROUP", kernel.CLONE_NEWCGROUP],
  ["NEWUTS", kernel.CLONE_NEWUTS],
  ["NEWIPC", kernel.CLONE_NEWIPC],
  ["NEWUSER", kernel.CLONE_NEWUSER],
  ["NEWPID", kernel.CLONE_NEWPID],
  ["NEWNET", kernel.CLONE_NEWNET],
];
/** ATIME is the whole field of access time modes, as `clear` has it. */
const attributeFlags: FlagNames = [
  ["RDONLY", kernel.MOUNT_ATTR_RDONLY],
  ["NOSUID", kernel.MOUNT_ATTR_NOSUID],
  ["NODEV", kernel.MOUNT_ATTR_NODEV],
  ["NOEXEC", kernel.MOUNT_ATTR_NOEXEC],
  ["ATIME", kernel.MOUNT_ATTR__ATIME],
  ["NOATIME", kernel.MOUNT_ATTR_NOATIME],
  ["STRICTATIME", kernel.MOUNT_ATTR_STRICTATIME],
  ["NODIRATIME", kernel.MOUNT_ATTR_NODIRATIME],
  ["NOSYMFOLLOW", kernel.MOUNT_ATTR_NOSYMFOLLOW],
];
const superFlags: FlagNames = [
  ["RDONLY", kernel.MS_RDONLY],
  ["SYNCHRONOUS", kernel.MS_SYNCHRONOUS],
  ["MANDLOCK", kernel.MS_MANDLOCK],
  ["DIRSYNC", kernel.MS_DIRSYNC],
  ["LAZYTIME", kernel.MS_LAZYTIME],
];
const propagationNames: FlagNames = [
  ["REC", kernel.MS_REC],
  ["UNBINDABLE", kernel.MS_UNBINDABLE],
  ["PRIVATE", kernel.MS_PRIVATE],
  ["SLAVE", kernel.MS_SLAVE],
  ["SHARED", kernel.MS_SHARED],
];
/** Fields in which 0 means something, and is not just "none". */
const countedFields = ["uid", "gid", "major", "minor", "groups", "value", "policy"];

function formatField(op: string, field: string, kind: string, value: unknown): string {
  if (kind === "str") return quote(value as string);
  if (kind === "blob") return `${(value as Uint8Array).length} bytes`;
  if (kind === "strs") return formatList(value as string[]);
  if (op === "join_namespaces" && field === "types") {
    return `[${(value as number[]).map((type) => formatFlags(type, cloneFlags)).join(" ")}]`;
  }
  if (kind === "u32s") return `[${(value as number[]).join(" ")}]`;
  const number = value as number;
  if (op === "set_capabilities" || op === "limit_capability_bounds") return formatCapabilities(number);
  if (number === 0 && !countedFields.includes(field)) return "";
  if (field === "mode" || field === "umask") return `0${number.toString(8)}`;
  if (field.startsWith("attributes") || field.startsWith("recursive")) {
    return field === "recursive" ? "yes" : formatFlags(number, attributeFlags);
  }
  if (field === "superFlags") return formatFlags(number, superFlags);
  if (field === "propagation" || op === "set_propagation") return formatFlags(number, propagationNames);
  if (op === "unshare" || op === "fork") return formatFlags(number, cloneFlags);
  if (field === "type") return number === kernel.S_IFIFO ? "p" : number === kernel.S_IFBLK ? "b" : "c";
  // The kernel's nice value is a signed number in an unsigned field.
  return field === "nice" ? `${number | 0}` : `${number}`;
}

function formatFlags(flags: number, names: FlagNames): string {
  const found: string[] = [];
  let rest = flags;
  for (const [name, bits] of names) {
    if ((rest & bits) !== bits) continue;
    found.push(name);
    rest &= ~bits;
  }
  if (rest !== 0) found.push(`0x${rest.toString(16)}`);
  return found.length === 0 ? "-" : found.join("|");
}

function formatCapabilities(mask: number): string {
  const names = capabilityNames.filter((_, number) => Math.floor(mask / 2 ** number) % 2 === 1);
  if (names.length === 0) return "-";
  return names.length === capabilityNames.length ? "all" : names.map((name) => name.slice("CAP_".length)).join("|");
}

function formatList(items: readonly string[]): string {
  return `[${items.map(quote).join(" ")}]`;
}

/** As JSON where the text has anything but plain characters: a plan's lines can't be forged by what is in it. */
function quote(text: string): string {
  for (const character of text) {
    if (character <= " " || character === '"' || character === "\\" || character >= "\x7f") {
      return escapeControls(JSON.stringify(text));
    }
  }
  return text === "" ? '""' : text;
}

function formatMaps({ uid, gid }: IdMaps): string {
  return `uids ${oneLine(uid)}; gids ${oneLine(gid)}`;
}

function oneLine(text: string): string {
  return text.trim().replaceAll("\n", ", ");
}
