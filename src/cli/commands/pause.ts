// SPDX-License-Identifier: Apache-2.0
import { type Command, defineCommand } from "../grammar.ts";
import { checkId } from "../id.ts";

/** `pause`: suspends all processes of a container. */
export function pauseCommand(): Command {
  return defineCommand({
    name: "pause",
    summary: "suspend all processes of a container",
    usage: "<container-id>",
    flags: {},
    minArgs: 1,
    maxArgs: 1,
    run(context, { args }) {
      return context.lifecycle.pause(context, checkId(args[0]!));
    },
  });
}
