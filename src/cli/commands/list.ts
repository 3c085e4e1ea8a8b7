// SPDX-License-Identifier: Apache-2.0
import { readFormat } from "../format.ts";
import { type Command, defineCommand } from "../grammar.ts";

/** `list`: the containers below --root. */
export function listCommand(): Command {
  return defineCommand({
    name: "list",
    summary: "list the containers below --root",
    usage: "",
    flags: {
      format: { kind: "value", short: "f", default: '"table"', doc: "table or json" },
      quiet: { kind: "bool", short: "q", doc: "print container ids only" },
    },
    minArgs: 0,
    maxArgs: 0,
    run(context, { flags }) {
      return context.lifecycle.list(context, { format: readFormat(flags.format), quiet: flags.quiet === true });
    },
  });
}
