// SPDX-License-Identifier: Apache-2.0
// THE list of what a manifest can say and this version does not enforce. A limit that is not enforced would be a weaker
// container than the owner signed for, so each of these refuses the start by its name. Whoever builds the enforcement
// of one takes it out of this list.
import { EdgerunError } from "../errors.ts";
import { childPath } from "../schema/describe.ts";
import type { Manifest } from "./schema.ts";

/** JSON paths in the payload; "[]": in any entry of the list; "=": only this value. */
const unenforced: readonly string[] = [
  "audience",
  "binding.layers",
  "binding.rootfs",
  "binding.config",
  "binding.argsPrefixes",
  "binding.user",
  "binding.environment",
  "grants.memory.swapBytes",
  "grants.memory.highBytes",
  "grants.cpu.weight",
  "grants.cpu.count",
  "grants.cpu.cpuSet",
  "grants.limits",
  "grants.io",
  "grants.storage",
  "grants.devices[].name",
  "grants.accelerators",
  "grants.sensors",
  "grants.actuators",
  "grants.registers",
  "grants.services",
  "grants.apis",
  "grants.seccomp",
  "grants.landlock",
  "grants.userNamespace",
  "grants.network.mode=indirect",
  "grants.network.mode=direct",
  "grants.network.mode=interface",
  "grants.network.classes",
  "grants.network.apps",
  "grants.network.host",
  "grants.network.rate",
  "grants.network.volumes",
  "grants.network.flowLog",
];

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
    const isList = step.endsWith("[]");
    const name = isList ? step.slice(0, -2) : step;
    found = found.flatMap(([at, value]) => enter(childPath(at, name), getProperty(value, name), isList));
  }
  return found.flatMap(([at, value]) => {
    if (wanted === undefined) return [at];
    return value === wanted ? [`${at} "${wanted}"`] : [];
  });
}

function enter(path: string, value: unknown, isList: boolean): [string, unknown][] {
  if (value === undefined) return [];
  if (!isList || !Array.isArray(value)) return [[path, value]];
  return value.map((item, index) => [childPath(path, index), item]);
}

function getProperty(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as { [name: string]: unknown })[name]
    : undefined;
}
