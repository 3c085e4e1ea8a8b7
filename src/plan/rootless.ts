// SPDX-License-Identifier: Apache-2.0
// What changes where a user who is not root starts a container.
import type { Linux, Process } from "../spec/config.ts";
import { CLONE_NEWUSER } from "./constants.ts";
import { hasNamespace, type Namespaces } from "./namespaces.ts";
import type { HostFacts } from "./plan.ts";
import { invalid } from "./refusal.ts";

/** @throws CONFIG_INVALID where it can't work; the texts are runc's */
export function checkRootless(linux: Linux, namespaces: Namespaces): void {
  if (!hasNamespace(namespaces, CLONE_NEWUSER)) {
    throw invalid("linux.namespaces", "rootless container requires user namespaces");
  }
  if ((namespaces.created & CLONE_NEWUSER) === 0) return;
  for (const [name, kind] of [
    ["uidMappings", "UID"],
    ["gidMappings", "GID"],
  ] as const) {
    if ((linux[name] ?? []).length > 0) continue;
    throw invalid(`linux.${name}`, `rootless containers requires at least one ${kind} mapping`);
  }
}

/**
 * A new user namespace has only the ids that it maps: a process can't be anybody else.
 * @throws CONFIG_INVALID naming the id
 */
export function checkMappedUser(user: Process["user"], linux: Linux): void {
  const groups = (user.additionalGids ?? []).map((id, index) => [`additionalGids[${index}]`, id] as const);
  checkMapped("uid", user.uid, linux, "uidMappings");
  for (const [name, id] of [["gid", user.gid] as const, ...groups]) checkMapped(name, id, linux, "gidMappings");
}

function checkMapped(name: string, id: number, linux: Linux, mappings: "uidMappings" | "gidMappings"): void {
  const isMapped = (linux[mappings] ?? []).some(
    ({ containerID, size }) => id >= containerID && id < containerID + size,
  );
  if (!isMapped) throw invalid(`process.user.${name}`, `${id} is not mapped by linux.${mappings}`);
}

/**
 * Does the kernel refuse setgroups(2) in the container? It does in a user namespace whose maps were written by somebody
 * who is not root (user_namespaces(7)), and in those below it; newgidmap(1) is root.
 */
export function deniesGroups({ gidMappings = [] }: Linux, facts: HostFacts, privileged: boolean): boolean {
  if (facts.groupsDenied === true) return true;
  return !privileged && gidMappings.length === 1 && gidMappings[0]!.size === 1;
}
