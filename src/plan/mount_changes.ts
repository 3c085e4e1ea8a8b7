// SPDX-License-Identifier: Apache-2.0
// Mounts that are added to a running container, and taken away again. Its processes run at the same time, so each mount
// is made whole before it is attached, and nothing of the container's is looked up twice.
import type { Linux, Mount } from "../spec/config.ts";
import { CLONE_NEWNS, CLONE_NEWUSER, MOUNT_ATTR_RDONLY } from "./constants.ts";
import { formatIdMap } from "./id_maps.ts";
import { type MountContext, planMounts } from "./mounts.ts";
import { computeRunningNamespaces, hasNamespace, type Namespaces, planEntry, planLateEntry } from "./namespaces.ts";
import type { Operation } from "./operations.ts";
import { cleanPath } from "./paths.ts";
import type { HostFacts, SourcePlan } from "./plan.ts";
import { invalid, unsupported } from "./refusal.ts";
import type { Sources } from "./sources.ts";

export type AddedMountsInput = {
  mounts: readonly Mount[];
  bundle: string;
  linux: Linux;
  /** The container's first process. */
  initPid: number;
  facts: HostFacts;
};

/** `destinations`: in the order in which they are mounted. */
export type AddedMountsPlan = {
  operations: Operation[];
  sources: SourcePlan[];
  destinations: string[];
  warnings: string[];
};

/**
 * Bind mounts and tmpfs. Other file systems show or name something of the place where they are made, which is here
 * neither the host nor the container.
 * @throws EdgerunError UNSUPPORTED, CONFIG_INVALID
 */
export function planAddedMounts({ mounts, bundle, linux, initPid, facts }: AddedMountsInput): AddedMountsPlan {
  const namespaces = computeMountNamespaces(linux, initPid);
  const sources = handAll(linux);
  const warnings: string[] = [];
  const context: MountContext = {
    bundle,
    namespaces,
    facts,
    cgroups: [],
    mountLabel: linux.mountLabel ?? "",
    linux,
    sources,
    warnings,
  };
  if (!hasNamespace(namespaces, CLONE_NEWNS)) {
    throw unsupported("mounts", "the container has no mount namespace of its own: its mounts would be the host's");
  }
  checkKinds(mounts);
  const operations = planWhole(mounts, context);
  return {
    destinations: operations.map(({ target }) => target),
    operations: [
      { op: "prepare_mount_changes", keep: 1 },
      ...(sources.handed.length > 0 ? [{ op: "receive_sources", count: sources.handed.length } as const] : []),
      ...enterMounts(namespaces),
      ...operations,
      { op: "commit_mounts" },
    ],
    sources: sources.handed,
    warnings,
  };
}

/** Taking mounts away, in this order; each is where /proc/PID/mountinfo says. */
export function planRemovedMounts(
  mounts: readonly { target: string; mountId: number }[],
  linux: Linux,
  initPid: number,
): Operation[] {
  return [
    { op: "prepare_mount_changes", keep: 0 },
    ...enterMounts(computeMountNamespaces(linux, initPid)),
    {
      op: "remove_mounts",
      targets: mounts.map(({ target }) => target),
      ids: mounts.map(({ mountId }) => mountId),
    },
  ];
}

/** Of the container's namespaces, those that say who may mount what where. */
function computeMountNamespaces(linux: Linux, initPid: number): Namespaces {
  const all = computeRunningNamespaces(linux, initPid);
  return {
    ...all,
    joined: all.joined & (CLONE_NEWNS | CLONE_NEWUSER),
    joins: all.joins.filter(({ type }) => type === "mount" || type === "user"),
  };
}

function enterMounts(namespaces: Namespaces): Operation[] {
  return [
    ...planEntry(namespaces),
    ...planLateEntry(namespaces),
    { op: "open_root", source: "/", attach: 0, propagation: 0 },
  ];
}

/** The host side opens every source: after init has joined the container's namespace, a path means another thing. */
function handAll(linux: Linux): Sources {
  const handed: SourcePlan[] = [];
  return {
    handed,
    hand({ path, recursive, idMaps = null, mapRecursively = false }, jsonPath) {
      if (idMaps !== "container") return handed.push({ path, recursive, idMaps, mapRecursively });
      const { uidMappings = [], gidMappings = [] } = linux;
      if (uidMappings.length === 0) throw invalid(jsonPath, "idmap needs uidMappings and gidMappings here");
      const maps = { uid: formatIdMap(uidMappings), gid: formatIdMap(gidMappings) };
      return handed.push({ path, recursive, idMaps: maps, mapRecursively });
    },
  };
}

function checkKinds(mounts: readonly Mount[]): void {
  for (const [index, { type = "", options = [], destination }] of mounts.entries()) {
    const isBind = type === "bind" || options.includes("bind") || options.includes("rbind");
    if (options.includes("remount")) throw unsupported(`mounts[${index}].options`, "only new mounts can be added");
    if (!isBind && type !== "tmpfs") {
      throw unsupported(`mounts[${index}].type`, `only bind mounts and tmpfs can be added, not "${type}"`);
    }
    const target = cleanPath(destination);
    if (mounts.slice(0, index).some((other) => cleanPath(other.destination) === target)) {
      throw invalid(`mounts[${index}].destination`, `"${target}" is there twice`);
    }
  }
}

/** One operation for each mount: what needs a second one would look the target up again. */
function planWhole(mounts: readonly Mount[], context: MountContext): (Operation & { target: string })[] {
  const { early, operations, late } = planMounts(mounts, context);
  // A tmpfs of a bundle turns read-only when all is in it; these stay as they are.
  const readOnly = late.map((operation) => ("target" in operation ? operation.target : ""));
  return [...early, ...operations].map((operation) => {
    if (operation.op === "mount_bind") return operation;
    if (operation.op === "mount_filesystem") {
      const attributes = operation.attributes | (readOnly.includes(operation.target) ? MOUNT_ATTR_RDONLY : 0);
      return { ...operation, attributes };
    }
    const target = "target" in operation ? ` of "${operation.target}"` : "";
    throw unsupported(
      "mounts",
      `the options${target} take more than one step, which a running container can't be given`,
    );
  });
}
