// SPDX-License-Identifier: Apache-2.0
import { type Command, defineCommand } from "../grammar.ts";
import { checkId } from "../id.ts";
import { parseSignal } from "../signals.ts";

/** `kill`: a signal to a container's first process. */
export function killCommand(): Command {
  return defineCommand({
    name: "kill",
    summary: "send a signal to a container's first process",
    usage: "<container-id> [signal]",
    description: "The signal is a number or a name, with or without SIG (default: SIGTERM).",
    flags: {
      all: { kind: "bool", short: "a", hidden: true, doc: "send the signal to all processes of the container" },
      regex: { kind: "bool", short: "r", doc: "the id is a regular expression: signal every container that matches" },
    },
    flagPlaces: "before arguments",
    minArgs: 1,
    maxArgs: 2,
    run(context, { flags, args }) {
      const signal = parseSignal(args[1] ?? "TERM");
      const all = flags.all === true;
      if (flags.regex === true) return context.lifecycle.killMatching(context, { pattern: args[0]!, signal, all });
      return context.lifecycle.kill(context, { id: checkId(args[0]!), signal, all });
    },
  });
}
