// SPDX-License-Identifier: Apache-2.0
import { readFormat } from "../format.ts";
import { type Command, defineCommand } from "../grammar.ts";
import { checkId } from "../id.ts";

/** `ps`: a container's processes, as the host sees them. */
export function psCommand(): Command {
  return defineCommand({
    name: "ps",
    summary: "list the processes of a container",
    usage: "<container-id> [ps options]",
    description: "The options after the id are for ps(1) (default: -ef); its output must have a PID column.",
    flags: { format: { kind: "value", short: "f", default: '"table"', doc: "table, or json: process ids only" } },
    flagPlaces: "before arguments",
    minArgs: 1,
    maxArgs: Number.POSITIVE_INFINITY,
    run(context, { flags, args }) {
      const [id, ...psArgs] = args;
      return context.lifecycle.ps(context, { id: checkId(id!), format: readFormat(flags.format), args: psArgs });
    },
  });
}
