// SPDX-License-Identifier: Apache-2.0
import { type Command, defineCommand } from "../grammar.ts";
import { checkId } from "../id.ts";

/** `delete`: everything that is left of a stopped container. */
export function deleteCommand(): Command {
  return defineCommand({
    name: "delete",
    summary: "delete a stopped container",
    usage: "<container-id>",
    flags: {
      force: { kind: "bool", short: "f", doc: "kill the container first, if it has not stopped" },
      regex: { kind: "bool", short: "r", doc: "the id is a regular expression: delete every container that matches" },
    },
    minArgs: 1,
    maxArgs: 1,
    run(context, { flags, args }) {
      const force = flags.force === true;
      if (flags.regex === true) return context.lifecycle.deleteMatching(context, { pattern: args[0]!, force });
      return context.lifecycle.delete(context, { id: checkId(args[0]!), force });
    },
  });
}
