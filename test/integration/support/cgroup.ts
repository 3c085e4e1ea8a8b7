// SPDX-License-Identifier: Apache-2.0
// Where containers' cgroups are: asked of the kernel, because it depends on the cgroup version and on who made them.

import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Container } from "./container.ts";

/** Is the controller's hierarchy one of version 1? */
export function isVersion1(controller: string): boolean {
  return existsSync(join("/sys/fs/cgroup", controller, "cgroup.clone_children"));
}

/** A process's cgroup directory in the hierarchy of a controller (version 1), or in the only one (version 2). */
export function cgroupDirectory(pid: number, controller: string): string {
  const lines = readFileSync(`/proc/${pid}/cgroup`, "utf8").trim().split("\n");
  const fields = lines.map((line) => line.split(":"));
  const mount = isVersion1(controller) ? join("/sys/fs/cgroup", controller) : "/sys/fs/cgroup";
  const own = isVersion1(controller)
    ? fields.find(([, controllers = ""]) => controllers.split(",").includes(controller))
    : fields.find(([id]) => id === "0");
  return join(mount, own!.slice(2).join(":"));
}

/** A file of a container's cgroup, by its name in either version. */
export function readCgroupFile(c: Container, controller: string, name: { v1: string; v2: string }): string {
  const file = isVersion1(controller) ? name.v1 : name.v2;
  return readFileSync(join(cgroupDirectory(c.pid, controller), file), "utf8").trim();
}
