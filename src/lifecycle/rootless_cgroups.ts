// SPDX-License-Identifier: Apache-2.0
// Users who are not root have rights over cgroups only where somebody delegated some to them. Without, a container that
// asks for no cgroup and no limits stays in the cgroups of whoever starts it, as with runc; one that asks gets an error.
import { type CgroupManager, computeCgroupDirectories } from "../plan/cgroups.ts";
import type { HostFacts } from "../plan/plan.ts";
import type { Linux } from "../spec/config.ts";
import type { Context } from "./options.ts";

/** The cgroup manager for a container: "disabled" where there is no right to make cgroups, and no path asked for. */
export function chooseCgroupManager(context: Context, linux: Linux, facts: HostFacts): CgroupManager {
  const { host, request, cgroupManager: manager, rootless } = context;
  const isRootless = rootless === "auto" ? request.uid !== 0 || !facts.initialUserNamespace : rootless === "true";
  if (!isRootless || manager !== "cgroupfs" || (linux.cgroupsPath ?? "") !== "") return manager;
  const directories = computeCgroupDirectories(linux, "x", facts);
  const canMakeAll = directories.every(({ path }) => {
    const info = host.fileInfo(path.slice(0, path.lastIndexOf("/")), 1);
    const [mode = 0, uid = -1] = info ?? [];
    return uid === request.uid && (mode & 0o200) !== 0;
  });
  return canMakeAll && directories.length > 0 ? manager : "disabled";
}
