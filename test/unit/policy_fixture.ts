// SPDX-License-Identifier: Apache-2.0
import type { Grants } from "../../src/manifest/schema.ts";
import { applyManifest } from "../../src/policy/apply.ts";
import type { Decision } from "../../src/policy/decision.ts";
import type { HostView } from "../../src/policy/host_view.ts";
import type { Linux, Spec } from "../../src/spec/config.ts";
import { defaultSpec } from "../../src/spec/default.ts";
import { exampleManifest } from "./manifest_fixture.ts";

/** A host with a serial port; no namespace of the bundle is the host's. */
export const exampleView: HostView = {
  devices: [{ path: "/dev/ttyS0", type: "c", major: 4, minor: 64 }],
  hostNamespaces: [],
  points: [],
};

export const MiB = 1048576;

/** The default spec with other parts; `linux` is merged. */
export function specWith(changes: Partial<Spec>, linux: Partial<Linux> = {}): Spec {
  const spec = defaultSpec();
  return { ...spec, ...changes, linux: { ...spec.linux, ...changes.linux, ...linux } };
}

/** Applies grants (on top of 64 MiB and 32 pids) to a spec. */
export function apply(spec: Spec, grants: Partial<Grants> = {}, view: HostView = exampleView) {
  const base = exampleManifest();
  const result = applyManifest(spec, { ...base, grants: { ...base.grants, ...grants } }, view);
  const linux = result.spec.linux ?? {};
  return { ...result, linux, resources: linux.resources ?? {} };
}

/** The decisions about a subject, as "verdict: asked -> granted (rule)". */
export function decisionsOn(decisions: readonly Decision[], subject: string): string[] {
  return decisions
    .filter((decision) => decision.subject === subject)
    .map(({ verdict, asked, granted, rule }) => `${verdict}: ${asked} -> ${granted} (${rule})`);
}

export function denials(decisions: readonly Decision[]): string[] {
  return decisions.filter((decision) => decision.verdict === "denied").map((decision) => decision.subject);
}
