// SPDX-License-Identifier: Apache-2.0
import { type Command, defineCommand } from "../grammar.ts";
import { checkId } from "../id.ts";

/** `start`: the program of a created container. */
export function startCommand(): Command {
  return defineCommand({
    name: "start",
    summary: "start the program of a created container",
    usage: "<container-id>",
    flags: {},
    minArgs: 1,
    maxArgs: 1,
    run(context, { args }) {
      return context.lifecycle.start(context, checkId(args[0]!));
    },
  });
}
