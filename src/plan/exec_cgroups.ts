// SPDX-License-Identifier: Apache-2.0
// Which cgroups a process of `exec` joins: the container's, or some below them. Rules and texts are runc's.
import { EdgerunError } from "../errors.ts";
import { cgroupVersion } from "./cgroups.ts";
import { isWithin, joinBelow } from "./paths.ts";
import type { HostFacts } from "./plan.ts";

/**
 * The container's cgroup directories with what `--cgroup` asks for: "path" for all of them, or "controller,...:path" for
 * those of these controllers (version 1), below the container's own.
 * @throws EdgerunError USAGE
 */
export function chooseExecCgroups(
  asked: readonly string[],
  cgroups: readonly string[],
  facts: HostFacts,
): readonly string[] {
  const below = new Map<string, string>();
  for (const text of asked) {
    const [first = "", second, third] = text.split(":", 3);
    if (third !== undefined) throw usage(`invalid --cgroup argument: ${text}`);
    if (second === undefined && asked.length > 1) {
      throw usage(`invalid --cgroup argument: ${text} (missing <controller>: prefix)`);
    }
    const path = second ?? first;
    if (path.split("/").includes("..")) throw usage(`${path} is not a sub cgroup path`);
    if (second === undefined) return cgroups.map((cgroup) => joinBelow(cgroup, path));
    for (const controller of first.split(",")) below.set(controller, path);
  }
  if (below.size === 0) return cgroups;
  return placeBelow(below, cgroups, facts);
}

function placeBelow(below: Map<string, string>, cgroups: readonly string[], facts: HostFacts): string[] {
  const mounts = cgroupVersion(facts) === 2 ? [] : facts.cgroupMounts.filter(({ version }) => version === 1);
  for (const controller of below.keys()) {
    if (!mounts.some(({ controllers }) => controllers.includes(controller))) {
      throw usage(`unknown controller ${controller} in --cgroup`);
    }
  }
  return cgroups.map((cgroup) => {
    const mount = mounts.find(({ mountPoint }) => isWithin(mountPoint, cgroup));
    const controller = mount?.controllers.find((name) => below.has(name));
    return controller === undefined ? cgroup : joinBelow(cgroup, below.get(controller)!);
  });
}

function usage(message: string): EdgerunError {
  return new EdgerunError("USAGE", message);
}
