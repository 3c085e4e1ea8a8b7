// SPDX-License-Identifier: Apache-2.0
// `linux.sysctl`: only parameters that belong to a namespace of the container. Everything else in /proc/sys is the
// host's.
import { childPath, quote } from "../schema/describe.ts";
import { findNamespace, type Linux, type NamespaceType } from "./linux.ts";
import { fail, type Report } from "./report.ts";

const NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./-";

/** Parameters of the ipc namespace, besides those in fs/mqueue (ipc_namespaces(7)). */
const ipcParameters: readonly string[] = [
  "kernel/msgmax",
  "kernel/msgmnb",
  "kernel/msgmni",
  "kernel/sem",
  "kernel/shmall",
  "kernel/shmmax",
  "kernel/shmmni",
  "kernel/shm_rmid_forced",
];

/**
 * The file of a parameter, relative to /proc/sys. As in sysctl(8), the first separator of the name decides: after a
 * dot the two separators are swapped, `net.ipv4.conf.eth0/1.forwarding` is `net/ipv4/conf/eth0.1/forwarding`; after a
 * slash the name is the path.
 */
export function sysctlPath(name: string): string {
  const dot = name.indexOf(".");
  const slash = name.indexOf("/");
  if (dot < 0 || (slash >= 0 && slash < dot)) return name;
  let path = "";
  for (const character of name) path += character === "." ? "/" : character === "/" ? "." : character;
  return path;
}

/** Checks names and values, and that each parameter belongs to a namespace that the container has. */
export function validateSysctl(
  report: Report,
  path: string,
  sysctl: { readonly [name: string]: string },
  linux: Linux,
): void {
  for (const name of Object.keys(sysctl)) {
    const problem = findProblem(name, sysctl[name]!, linux);
    if (problem !== undefined) fail(report, childPath(path, name), problem);
  }
}

function findProblem(name: string, value: string, linux: Linux): string | undefined {
  for (const character of name) {
    if (!NAME_CHARACTERS.includes(character)) return `${quote(character)} is not allowed in a name`;
  }
  if (value.includes("\n")) return "the value must be one line";
  const file = sysctlPath(name);
  for (const part of file.split("/")) {
    if (part === "" || part === "." || part === "..") return "not a name of a kernel parameter";
  }
  if (file === "kernel/hostname") return "in conflict with the property hostname";
  const type = owningNamespace(file);
  if (type === undefined) return "does not belong to a namespace";
  return findNamespace(linux, type) === undefined
    ? `needs ${type === "ipc" ? "an" : "a"} ${type} namespace`
    : undefined;
}

/** The type of namespace that has its own copy of a parameter; undefined for those of the whole host. */
function owningNamespace(file: string): NamespaceType | undefined {
  if (file.startsWith("net/")) return "network";
  if (file.startsWith("fs/mqueue/") || ipcParameters.includes(file)) return "ipc";
  if (file === "kernel/domainname") return "uts";
  return undefined;
}
