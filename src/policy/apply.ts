// SPDX-License-Identifier: Apache-2.0
// The policy: bundle and manifest in, effective spec and decisions out. Pure; every start, plan and test calls it in
// the same way. Each part has a file of its own; a further stage (an owner's ceiling per key) would be one more call
// with its own Grants over the spec that this one returns.
import type { Grants, Manifest } from "../manifest/schema.ts";
import type { Hooks, Linux, Spec } from "../spec/config.ts";
import { defaultSpec } from "../spec/default.ts";
import type { Decision } from "./decision.ts";
import { limitDevices } from "./devices.ts";
import type { HostView } from "./host_view.ts";
import { limitMounts } from "./mounts.ts";
import { denyNetDevices, limitNamespaces, limitSysctl } from "./namespaces.ts";
import { type PointParts, planPoints } from "./points.ts";
import { limitProcess } from "./process.ts";
import { limitResources } from "./resources.ts";
import { denySeccompAgent } from "./seccomp.ts";
import { addTemporaryStorage } from "./storage.ts";

/**
 * The spec, as far as the manifest grants it, and a decision for everything that was asked for and is not a matter of
 * course. Denied parts are left out of the result as far as that is possible, but a spec with denials must not be
 * started: call requireNoDenials().
 */
export function applyManifest(spec: Spec, manifest: Manifest, view: HostView): { spec: Spec; decisions: Decision[] } {
  const decisions: Decision[] = [];
  const { grants } = manifest;
  const process = limitProcess(spec.process, grants, decisions);
  const linux = limitLinux(spec.linux ?? {}, grants, view, decisions);
  const mounts = addTemporaryStorage(limitMounts(spec.mounts ?? [], linux, grants, decisions), grants, decisions);
  const points = planPoints(view.points, decisions);
  listHooks(spec.hooks ?? {}, decisions);
  return {
    spec: { ...spec, process, linux: addDevices(linux, points), mounts: [...mounts, ...points.mounts] },
    decisions,
  };
}

function addDevices(linux: Linux, { devices, rules }: PointParts): Linux {
  const resources = linux.resources ?? {};
  return {
    ...linux,
    devices: [...(linux.devices ?? []), ...devices],
    resources: { ...resources, devices: [...(resources.devices ?? []), ...rules] },
  };
}

function limitLinux(asked: Linux, grants: Grants, view: HostView, decisions: Decision[]): Linux {
  const { netDevices: _, rootfsPropagation, intelRdt, ...rest } = asked;
  const resources = limitResources(asked.resources ?? {}, grants, decisions);
  const { devices, rules } = limitDevices(asked.devices ?? [], resources.devices ?? [], grants, view, decisions);
  const namespaces = limitNamespaces(asked, grants, view, decisions);
  // What `edgerun spec` writes: these show or change the host, whatever is granted.
  const usual = defaultSpec().linux ?? {};
  limitSysctl(asked, view, decisions);
  denyNetDevices(asked, decisions);
  denySeccompAgent(asked, decisions);
  const linux: Linux = {
    ...rest,
    namespaces,
    devices,
    resources: { ...resources, devices: rules },
    maskedPaths: addPaths("maskedPaths", asked.maskedPaths ?? [], usual.maskedPaths ?? [], decisions),
    readonlyPaths: addPaths("readonlyPaths", asked.readonlyPaths ?? [], usual.readonlyPaths ?? [], decisions),
  };
  const base = { granted: "-", verdict: "dropped" } as const;
  if (rootfsPropagation === "shared" || rootfsPropagation === "rshared") {
    // Mounts made inside would appear on the host. The default is not shared.
    const rule = "base: no shared mounts";
    decisions.push({ subject: "propagation rootfs", asked: rootfsPropagation, ...base, rule });
  } else if (rootfsPropagation !== undefined) {
    linux.rootfsPropagation = rootfsPropagation;
  }
  if (intelRdt !== undefined) {
    const rule = "base: no precedence over others";
    decisions.push({ subject: "priority intelRdt", asked: intelRdt.closID ?? "group", ...base, rule });
  }
  return linux;
}

function addPaths(name: string, asked: readonly string[], wanted: string[], decisions: Decision[]): string[] {
  const missing = wanted.filter((path) => !asked.includes(path));
  if (missing.length === 0) return [...asked];
  const rule = "base: masked paths";
  const granted = `${asked.length + missing.length} paths`;
  decisions.push({ subject: `paths ${name}`, asked: `${asked.length} paths`, granted, verdict: "clamped", rule });
  return [...asked, ...missing];
}

/** Hooks run on the host, on behalf of the engine, which could as well run them itself: listed, not limited. */
function listHooks(hooks: Hooks, decisions: Decision[]): void {
  for (const [stage, list] of Object.entries(hooks)) {
    for (const hook of list ?? []) {
      const rule = "base: engine hooks";
      decisions.push({ subject: `hook ${hook.path}`, asked: stage, granted: stage, verdict: "granted", rule });
    }
  }
}
