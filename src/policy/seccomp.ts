// SPDX-License-Identifier: Apache-2.0
// Seccomp filters only take away, so they stay as the bundle has them; but for an agent on the host that acts in place
// of the kernel: what it does for the container, no grant bounds.
import type { Linux } from "../spec/config.ts";
import type { Decision } from "./decision.ts";

/** User notification is denied. */
export function denySeccompAgent({ seccomp }: Linux, decisions: Decision[]): void {
  const isAsked = (seccomp?.syscalls ?? []).some(({ action }) => action === "SCMP_ACT_NOTIFY");
  if (!isAsked) return;
  const asked = seccomp?.listenerPath ?? "-";
  const rule = "base: no seccomp agent";
  decisions.push({ subject: "seccomp SCMP_ACT_NOTIFY", asked, granted: "-", verdict: "denied", rule });
}
