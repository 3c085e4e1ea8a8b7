// SPDX-License-Identifier: Apache-2.0
// THE list of what a manifest can say and this version does not enforce. A limit that is not enforced would be a weaker
// container than the owner signed for, so each of these refuses the start by its name. Whoever builds the enforcement
// of one takes it out of this list.
import { EdgerunError } from "../errors.ts";
import { childPath } from "../schema/describe.ts";
import type { Manifest } from "./schema.ts";

/** JSON paths in the payload; "[]": in any entry of the list; "{}": of the map; "=": only this value. */
const unenforced: readonly string[] = [
  "binding.rootfs",
  "grants.memory.swapBytes",
  "grants.memory.highBytes",
  "grants.cpu.weight",
  "grants.cpu.count",
  "grants.cpu.cpuSet",
  "grants.io",
  "grants.storage.persistent",
  "grants.accelerators",
  "grants.services",
  "grants.apis",
  "grants.seccomp",
  "grants.landlock",
  "grants.userNamespace",
  "grants.network.mode=indirect",
  "grants.network.mode=interface",
  "grants.network.classes{}.outbound[].names",
  "grants.network.classes{}.multicast",
  "grants.network.classes{}.rate",
  "grants.network.classes{}.volumes",
  "grants.network.apps",
  "grants.network.volumes",
  "grants.network.flowLog",
];

/** Below grants.network: enforced with mode "direct" only. */
const onlyDirect = ["classes", "host", "rate"] as const;

/** The list, for tests and the owner's tool. */
export function listUnenforced(): readonly string[] {
  return unenforced;
}

/**
 * Stops if the manifest says something that this version does not enforce.
 * @throws UNSUPPORTED with the JSON paths
 */
export function requireEnforced(manifest: Manifest): void {
  const found = unenforced.flatMap((path) => find(manifest, path));
  const { network } = manifest.grants;
  if (network !== undefined && network.mode !== "direct") {
    for (const key of onlyDirect) {
      if (network[key] !== undefined) found.push(`$.grants.network.${key} with mode "${network.mode}"`);
    }
  }
  if (found.length === 0) return;
  throw new EdgerunError(
    "UNSUPPORTED",
    `this version of edgerun does not enforce ${found.join(", ")} of the manifest, so nothing starts under it: sign it without, or update edgerun`,
  );
}

/** The places that a path of the list leads to, as the manifest has them: "$.grants.devices[1].name". */
function find(manifest: Manifest, path: string): string[] {
  const [place = "", wanted] = path.split("=");
  let found: [path: string, value: unknown][] = [["$", manifest]];
  for (const step of place.split(".")) {
    const name = step.endsWith("[]") || step.endsWith("{}") ? step.slice(0, -2) : step;
    const kind = step.slice(name.length);
    found = found.flatMap(([at, value]) => enter(childPath(at, name), getProperty(value, name), kind));
  }
  return found.flatMap(([at, value]) => {
    if (wanted === undefined) return [at];
    return value === wanted ? [`${at} "${wanted}"`] : [];
  });
}

/** A value, or its entries where `kind` is "[]" or "{}". */
function enter(path: string, value: unknown, kind: string): [string, unknown][] {
  if (value === undefined) return [];
  if (kind === "[]" && Array.isArray(value)) return value.map((item, index) => [childPath(path, index), item]);
  if (kind === "{}" && typeof value === "object" && value !== null) {
    return Object.entries(value).map(([name, item]) => [childPath(path, name), item]);
  }
  return [[path, value]];
}

function getProperty(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as { [name: string]: unknown })[name]
    : undefined;
}
