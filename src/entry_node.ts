// SPDX-License-Identifier: Apache-2.0
// The Node entry, bundled into build/node/edgerun.mjs: the same program, and its host functions from the N-API addon.
import { createRequire } from "node:module";
import * as checkpoint from "./checkpoint/part.ts";
import * as commands from "./cli/rare_commands.ts";
import { makeHostError } from "./host/error.ts";
import type { Host } from "./host/functions.ts";
import * as authority from "./lifecycle/authority.ts";
import { createLifecycle } from "./lifecycle/index.ts";
import * as launch from "./lifecycle/launch_part.ts";
import * as manifests from "./lifecycle/manifests.ts";
import * as mounts from "./lifecycle/mount_changes.ts";
import * as network from "./lifecycle/network.ts";
import * as report from "./lifecycle/plan.ts";
import * as rare from "./lifecycle/rare_part.ts";
import * as resources from "./lifecycle/resources_part.ts";
import * as special from "./lifecycle/special_part.ts";
import type { Program } from "./main.ts";

export { main } from "./main.ts";

type Addon = { createHost: (makeError: typeof makeHostError) => Host };

/** Loads the addon that lies beside this bundle. */
export function createHost(): Host {
  const addon = createRequire(import.meta.url)("./edgerun.node") as Addon;
  return addon.createHost(makeHostError);
}

/** What main() works with; here all parts of the program are loaded from the start. */
export const program: Program = {
  lifecycle: createLifecycle({
    launch: () => launch,
    authority: () => authority,
    commands: () => commands,
    mounts: () => mounts,
    resources: () => resources,
    rare: () => rare,
    network: () => network,
    special: () => special,
    manifests: () => manifests,
    checkpoint: () => checkpoint,
    report: () => report,
  }),
  commands: () => commands,
};
