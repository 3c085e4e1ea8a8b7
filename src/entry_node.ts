// SPDX-License-Identifier: Apache-2.0
// The Node entry, bundled into build/node/edgerun.mjs: the same program, and its host functions from the N-API addon.
import { createRequire } from "node:module";
import { makeHostError } from "./host/error.ts";
import type { Host } from "./host/functions.ts";

export { lifecycle } from "./lifecycle/index.ts";
export { main } from "./main.ts";

type Addon = { createHost: (makeError: typeof makeHostError) => Host };

/** Loads the addon that lies beside this bundle. */
export function createHost(): Host {
  const addon = createRequire(import.meta.url)("./edgerun.node") as Addon;
  return addon.createHost(makeHostError);
}
