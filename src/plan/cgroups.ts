// SPDX-License-Identifier: Apache-2.0
// linux.cgroupsPath and linux.resources to the cgroup directories of a container.
import type { Linux, LinuxResources } from "../spec/config.ts";
import { planResources } from "./cgroup_v1.ts";
import { planUnifiedCgroup } from "./cgroup_v2.ts";
import { cleanPath, isWithin, joinBelow } from "./paths.ts";
import type { CgroupPlan, HostFacts } from "./plan.ts";
import { invalid, unsupported, warning } from "./refusal.ts";

/**
 * Who makes a container's cgroups: edgerun in the cgroup file system, systemd (cgroupsPath is then `slice:prefix:name`),
 * or nobody: the container stays in the cgroups of whoever starts it.
 */
export type CgroupManager = "cgroupfs" | "systemd" | "disabled";

export type CgroupMount = HostFacts["cgroupMounts"][number];

/** A hierarchy and the container's directory in it (absolute host path). */
export type CgroupDirectory = { mount: CgroupMount; path: string };

/**
 * The version that resources are applied with. A hybrid host (version 1 hierarchies and a cgroup2 mount beside them)
 * counts as version 1: the controllers are there, and the container stays in the runtime's own cgroup2 directory.
 */
export function cgroupVersion(facts: HostFacts): 1 | 2 {
  return facts.cgroupMounts.some(({ version }) => version === 1) ? 1 : 2;
}

/**
 * The container's directory in every hierarchy of the host's cgroup version. An absolute cgroupsPath is below the
 * hierarchy's mount; a relative one, or the id where there is none, is below the runtime's own cgroup (version 1) or
 * beside it (version 2). There the runtime's own cgroup, a session's scope for example, has processes, and what has
 * processes can't enable controllers for those below it; runc chooses the same directory.
 */
export function computeCgroupDirectories(linux: Linux, id: string, facts: HostFacts): CgroupDirectory[] {
  const given = linux.cgroupsPath ?? "";
  const below = cleanPath(given === "" ? id : given);
  if (below === "/") throw invalid("linux.cgroupsPath", `"${given}" names no cgroup of the container's own`);
  const version = cgroupVersion(facts);
  return facts.cgroupMounts
    .filter((mount) => mount.version === version)
    .map((mount) => ({
      mount,
      path: joinBelow(given.startsWith("/") ? mount.mountPoint : baseDirectory(mount, facts), below),
    }));
}

/** The cgroups that the runtime itself is in: those of a container that gets none of its own. */
export function computeOwnDirectories(facts: HostFacts): CgroupDirectory[] {
  const version = cgroupVersion(facts);
  return facts.cgroupMounts
    .filter((mount) => mount.version === version)
    .map((mount) => ({ mount, path: joinBelow(mount.mountPoint, ownPath(mount, facts)) }));
}

/** Which of a container's directories is in the version 1 hierarchy of a controller; undefined where none is. */
export function findControllerDirectory(
  paths: readonly string[],
  facts: HostFacts,
  controller: string,
): string | undefined {
  const mount = facts.cgroupMounts.find(({ controllers }) => controllers.includes(controller));
  return mount && paths.find((path) => isWithin(mount.mountPoint, path));
}

/** Where relative paths begin, as a host path. */
function baseDirectory(mount: CgroupMount, facts: HostFacts): string {
  const below = ownPath(mount, facts);
  return joinBelow(mount.mountPoint, mount.version === 2 ? `${below}/..` : below);
}

/** The runtime's own cgroup, below the hierarchy's mount point. */
function ownPath(mount: CgroupMount, facts: HostFacts): string {
  const key = mount.controllers.join(",");
  const own = facts.ownCgroups.find(({ controllers }) => controllers === key)?.path ?? "/";
  // A container of a container sees only a part of the hierarchy: the mount's root is below the hierarchy's.
  if (!isWithin(mount.root, own)) return "/";
  return mount.root === "/" ? own : own.slice(mount.root.length);
}

/**
 * What to create, write and join for a new container.
 * @param warnings receives what is left out as the specification allows
 * @throws UNSUPPORTED for a limit whose controller this host does not have (version 1: with version 2 it turns out when
 * controllers are enabled) or which its cgroup version does not know
 */
export function planCgroups(
  linux: Linux,
  directories: readonly CgroupDirectory[],
  facts: HostFacts,
  warnings: string[],
): CgroupPlan[] {
  const resources = linux.resources ?? {};
  if (cgroupVersion(facts) === 2) {
    return directories.map((directory) => planUnifiedCgroup(resources, directory, facts, warnings));
  }
  const plans = directories.map(({ mount, path }) => ({
    controllers: mount.controllers,
    plan: {
      path,
      controllers: mount.controllers,
      inherit: mount.controllers.includes("cpuset") ? ["cpuset.cpus", "cpuset.mems"] : [],
      writes: [],
    },
  }));
  planResources(resources, plans, facts, warnings);
  return plans.map(({ plan }) => plan);
}

/**
 * A container without cgroups of its own: nothing of it can be limited.
 * @throws UNSUPPORTED naming the limit that is asked for
 */
export function planWithoutCgroups(resources: LinuxResources, warnings: string[]): CgroupPlan[] {
  for (const [name, value] of Object.entries(resources)) {
    if (name === "devices") warnings.push(warning("linux.resources.devices", "not applied without a cgroup"));
    else if (limits(value)) throw unsupported(`linux.resources.${name}`, "can't be applied with cgroups disabled");
  }
  return [];
}

/** Does it ask for a limit? Zeros and empty lists are engines' way to write "not set", -1 is "no limit". */
function limits(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.values(value).some(limits);
  return typeof value === "string" ? value !== "" : Number(value) > 0;
}
