// SPDX-License-Identifier: Apache-2.0
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { makeHostError } from "../../src/host/error.ts";
import type { Host } from "../../src/host/functions.ts";

/** The host functions of the N-API addon: the JSON reader, the encoder and the cryptography are the device's. */
export function createHost(): Host {
  const path = resolve("build/node/edgerun.node");
  const addon = createRequire(path)(path) as { createHost: (makeError: typeof makeHostError) => Host };
  return addon.createHost(makeHostError);
}
