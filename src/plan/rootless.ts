// SPDX-License-Identifier: Apache-2.0
// What changes where a user who is not root starts a container.
import type { Linux } from "../spec/config.ts";
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
 * Does the kernel refuse setgroups(2) in the container? It does in a user namespace whose maps were written by somebody
 * who is not root (user_namespaces(7)), and in those below it; newgidmap(1) is root.
 */
export function deniesGroups({ gidMappings = [] }: Linux, facts: HostFacts, privileged: boolean): boolean {
  if (facts.groupsDenied === true) return true;
  return !privileged && gidMappings.length === 1 && gidMappings[0]!.size === 1;
}
