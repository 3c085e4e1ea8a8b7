// SPDX-License-Identifier: Apache-2.0
// linux.sysctl: only what belongs to a namespace that the container does not share with the runtime.
import type { Spec } from "../spec/config.ts";
import { CLONE_NEWIPC, CLONE_NEWNET, CLONE_NEWUTS } from "./constants.ts";
import { hasNamespace, type Namespaces } from "./namespaces.ts";
import type { Operation } from "./operations.ts";
import { invalid } from "./refusal.ts";

/** The kernel.* parameters that each ipc namespace has for itself; also everything in fs.mqueue. */
const ipcParameters = [
  "kernel/msgmax",
  "kernel/msgmnb",
  "kernel/msgmni",
  "kernel/sem",
  "kernel/shmall",
  "kernel/shmmax",
  "kernel/shmmni",
  "kernel/shm_rmid_forced",
];

/** @throws CONFIG_INVALID for a parameter of the whole machine, or for text that could be more than one parameter */
export function planSysctls(spec: Spec, namespaces: Namespaces): Operation[] {
  return Object.entries(spec.linux?.sysctl ?? {}).map(([key, value]) => {
    const jsonPath = `linux.sysctl["${key}"]`;
    const path = sysctlPath(key);
    if (path === undefined) throw invalid(jsonPath, "not the name of a kernel parameter");
    if (value.includes("\n")) throw invalid(jsonPath, "a value is one line");
    if (path === "kernel/hostname" && (spec.hostname ?? "") !== "") {
      throw invalid(jsonPath, "contradicts hostname");
    }
    if (path === "kernel/domainname" && (spec.domainname ?? "") !== "") {
      throw invalid(jsonPath, "contradicts domainname");
    }
    const flag = namespaceOf(path);
    if (flag === 0 || !hasNamespace(namespaces, flag)) {
      throw invalid(jsonPath, `"${key}" is not in a separate kernel namespace`);
    }
    return { op: "set_sysctl", path, value };
  });
}

/**
 * "net.ipv4.ip_forward" or "net/ipv4/ip_forward" to a path below /proc/sys; the first separator says which of the two
 * forms it is, and the other character then stands for itself: "net.ipv4.conf.eth0/1.rp_filter" is interface eth0.1.
 * undefined: not such a name.
 */
export function sysctlPath(key: string): string | undefined {
  let dotted: boolean | undefined;
  let path = "";
  for (const character of key) {
    if (character === "." || character === "/") {
      dotted ??= character === ".";
      path += (character === ".") === dotted ? "/" : ".";
    } else if (isNameCharacter(character)) {
      path += character;
    } else {
      return undefined;
    }
  }
  const parts = path.split("/");
  if (parts.length < 2 || parts.some((part) => part === "" || part === "." || part === "..")) return undefined;
  return path;
}

function isNameCharacter(character: string): boolean {
  return (
    (character >= "a" && character <= "z") ||
    (character >= "A" && character <= "Z") ||
    (character >= "0" && character <= "9") ||
    character === "_" ||
    character === "-"
  );
}

function namespaceOf(path: string): number {
  if (path.startsWith("net/")) return CLONE_NEWNET;
  if (path.startsWith("fs/mqueue/") || ipcParameters.includes(path)) return CLONE_NEWIPC;
  return path === "kernel/hostname" || path === "kernel/domainname" ? CLONE_NEWUTS : 0;
}
