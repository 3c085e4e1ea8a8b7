// SPDX-License-Identifier: Apache-2.0
// Resources on a host with only cgroup version 2.
import type { LinuxResources } from "../spec/config.ts";
import type { CgroupDirectory } from "./cgroups.ts";
import type { CgroupPlan } from "./plan.ts";
import { unsupported } from "./refusal.ts";

/**
 * The one directory of a container on such a host, with its files.
 * @throws UNSUPPORTED, always, in this version: every container is denied the devices that it was not given, and that
 * is a BPF program here. Without it the container would start with every device of the host.
 */
export function planUnifiedCgroup(_resources: LinuxResources, _directories: readonly CgroupDirectory[]): CgroupPlan[] {
  throw unsupported("linux.resources.devices", "device rules on a host with only cgroup v2 are not in this version");
}
