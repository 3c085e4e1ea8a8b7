// SPDX-License-Identifier: Apache-2.0
import { EdgerunError } from "../errors.ts";
import { readHostFacts } from "../host/facts.ts";
import { computeCgroupDirectories } from "../plan/cgroups.ts";
import { readEffectiveConfig } from "../state/effective_config.ts";
import type { StateDirectory } from "../state/store.ts";
import type { Context } from "./options.ts";

/** The cgroup directories that a container was given, as the planner computed them then. */
export function findCgroups({ host }: Context, directory: StateDirectory): string[] {
  try {
    const { spec } = readEffectiveConfig(host, directory);
    return computeCgroupDirectories(spec.linux ?? {}, directory.id, readHostFacts(host)).map(({ path }) => path);
  } catch (error) {
    if (error instanceof EdgerunError) return []; // no config either: the container never got that far
    throw error;
  }
}
