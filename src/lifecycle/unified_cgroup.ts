// SPDX-License-Identifier: Apache-2.0
// A directory of cgroup version 2: made from the mount down, with every controller that can be enabled on the way.
// Source: Documentation/admin-guide/cgroup-v2.rst of the kernel, "Controllers".
import { EdgerunError, wrap } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import type { UnifiedCgroup } from "../plan/plan.ts";

const maxControllersBytes = 4096;

/** Why a controller could not be enabled, by its name. The first reason counts: it is nearest to the root. */
type Refusals = Map<string, string>;

/**
 * Makes the directory and those above it. Each one above gives its children all controllers that it has: engines read
 * their figures, limit or not. One that can't be enabled is only an error where a limit needs it.
 * @throws EdgerunError UNSUPPORTED naming the limit and the controller; HOST
 */
export function makeUnifiedCgroup(host: Host, path: string, { mountPoint, needs }: UnifiedCgroup): void {
  const refusals: Refusals = new Map();
  let current = mountPoint;
  for (const name of path.slice(mountPoint.length).split("/")) {
    if (name === "") continue;
    enableControllers(host, current, refusals);
    current = current === "/" ? `/${name}` : `${current}/${name}`;
    makeDirectory(host, current);
  }
  if (needs.length === 0) return;
  const available = readControllers(host, `${path}/cgroup.controllers`);
  for (const { controller, jsonPath } of needs) {
    if (available.includes(controller)) continue;
    const reason = refusals.get(controller) ?? "it has none above it that offers it";
    throw new EdgerunError(
      "UNSUPPORTED",
      `config.json: $.${jsonPath}: no cgroup controller "${controller}" in "${path}": ${reason}`,
    );
  }
}

function makeDirectory(host: Host, path: string): void {
  try {
    host.makeDirectory(path, 0o755);
  } catch (error) {
    if (error instanceof EdgerunError && error.errno === "EEXIST") return;
    throw wrap("cannot make the container's cgroup", error);
  }
}

/** Enables, for the children of a directory, what is not yet. */
function enableControllers(host: Host, path: string, refusals: Refusals): void {
  const file = `${path}/cgroup.subtree_control`;
  const enabled = readControllers(host, file);
  const missing = readControllers(host, `${path}/cgroup.controllers`).filter((name) => !enabled.includes(name));
  if (missing.length === 0 || tryWrite(host, file, missing) === undefined) return;
  // All or none, says the kernel; so one by one, for those that it does enable.
  for (const name of missing) {
    const refusal = tryWrite(host, file, [name]);
    if (refusal !== undefined && !refusals.has(name)) refusals.set(name, refusal);
  }
}

/** Returns why it failed: a directory with processes (EBUSY), say, or a controller that something else holds. */
function tryWrite(host: Host, file: string, controllers: readonly string[]): string | undefined {
  try {
    host.writeFile(file, controllers.map((name) => `+${name}`).join(" "));
    return undefined;
  } catch (error) {
    if (error instanceof EdgerunError) return error.message;
    throw error;
  }
}

function readControllers(host: Host, file: string): string[] {
  return host
    .readFile(file, maxControllersBytes)
    .trim()
    .split(" ")
    .filter((name) => name !== "");
}
