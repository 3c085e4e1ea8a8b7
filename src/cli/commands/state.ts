// SPDX-License-Identifier: Apache-2.0
import { type Command, defineCommand } from "../grammar.ts";
import { checkId } from "../id.ts";

/** `state`: the state of a container, as JSON. */
export function stateCommand(): Command {
  return defineCommand({
    name: "state",
    summary: "print the state of a container",
    usage: "<container-id>",
    flags: {},
    minArgs: 1,
    maxArgs: 1,
    run(context, { args }) {
      return context.lifecycle.state(context, checkId(args[0]!));
    },
  });
}
