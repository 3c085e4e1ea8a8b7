// SPDX-License-Identifier: Apache-2.0

import { describeFeatures } from "../features.ts";
import { type Command, defineCommand } from "../grammar.ts";
import { buildInfo } from "../version.ts";

/** `features`: what this build can do, as JSON. CRI-O reads stdout and stderr as one: nothing else may be printed. */
export function featuresCommand(): Command {
  return defineCommand({
    name: "features",
    summary: "print what this build can do, as JSON",
    usage: "",
    flags: {},
    minArgs: 0,
    maxArgs: 0,
    run(context) {
      const { host, lifecycle } = context;
      const features = describeFeatures(buildInfo(), {
        enrolled: lifecycle.isEnrolled(context),
        supportsSeccompFlags: (flags) => host.supportsSeccompFlags(flags) === 1,
      });
      host.writeFd(1, `${JSON.stringify(features, null, 2)}\n`);
      return 0;
    },
  });
}
