// SPDX-License-Identifier: Apache-2.0
// Labels of SELinux and profiles of AppArmor: process.selinuxLabel, process.apparmorProfile, linux.mountLabel.
import type { Linux, Process } from "../spec/config.ts";
import type { Operation } from "./operations.ts";
import type { HostFacts } from "./plan.ts";
import { warning } from "./refusal.ts";

/** The labels that nothing on this host enforces, one line each that begins with its JSON path. */
export function listUnenforcedLabels(process: Process, linux: Linux, facts: HostFacts): string[] {
  const lines: string[] = [];
  const profile = process.apparmorProfile ?? "";
  if (profile !== "" && profile !== "unconfined" && !facts.securityModules.includes("apparmor")) {
    lines.push(warning("process.apparmorProfile", "AppArmor is not enabled on this host"));
  }
  if (!facts.securityModules.includes("selinux")) {
    const text = "SELinux is not enabled on this host";
    if ((process.selinuxLabel ?? "") !== "") lines.push(warning("process.selinuxLabel", text));
    if ((linux.mountLabel ?? "") !== "") lines.push(warning("linux.mountLabel", text));
  }
  return lines;
}

/** process.apparmorProfile and selinuxLabel; they take effect at exec. None for a module that is not active. */
export function planLabels({ apparmorProfile = "", selinuxLabel = "" }: Process, facts: HostFacts): Operation[] {
  const operations: Operation[] = [];
  if (apparmorProfile !== "" && facts.securityModules.includes("apparmor")) {
    operations.push({ op: "set_lsm_label", attribute: "apparmor/exec", label: `exec ${apparmorProfile}` });
  }
  if (selinuxLabel !== "" && facts.securityModules.includes("selinux")) {
    operations.push(
      // The label of keyrings, until exec resets it.
      { op: "set_lsm_label", attribute: "keycreate", label: selinuxLabel },
      { op: "set_lsm_label", attribute: "exec", label: selinuxLabel },
    );
  }
  return operations;
}

/** The label of new file systems; "" for none. */
export function planMountLabel({ mountLabel = "" }: Linux, facts: HostFacts): string {
  return facts.securityModules.includes("selinux") ? mountLabel : "";
}
