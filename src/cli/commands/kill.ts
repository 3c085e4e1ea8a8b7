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
    },
    flagPlaces: "before arguments",
    minArgs: 1,
    maxArgs: 2,
    run(context, { flags, args }) {
      const id = checkId(args[0]!);
      return context.lifecycle.kill(context, { id, signal: parseSignal(args[1] ?? "TERM"), all: flags.all === true });
    },
  });
}
