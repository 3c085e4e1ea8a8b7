// SPDX-License-Identifier: Apache-2.0
// linux.cgroupsPath and linux.resources to the cgroup directories of a container.
import type { Linux } from "../spec/config.ts";
import { planResources } from "./cgroup_v1.ts";
import { planUnifiedCgroup } from "./cgroup_v2.ts";
import { cleanPath, isWithin, joinBelow } from "./paths.ts";
import type { CgroupPlan, HostFacts } from "./plan.ts";
import { invalid } from "./refusal.ts";

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

/** Where relative paths begin, as a host path. */
function baseDirectory(mount: CgroupMount, facts: HostFacts): string {
  const key = mount.controllers.join(",");
  const own = facts.ownCgroups.find(({ controllers }) => controllers === key)?.path ?? "/";
  // A container of a container sees only a part of the hierarchy: the mount's root is below the hierarchy's.
  if (!isWithin(mount.root, own)) return mount.mountPoint;
  const below = mount.root === "/" ? own : own.slice(mount.root.length);
  return joinBelow(mount.mountPoint, mount.version === 2 ? `${below}/..` : below);
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
