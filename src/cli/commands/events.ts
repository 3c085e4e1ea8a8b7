// SPDX-License-Identifier: Apache-2.0
import { type Command, defineCommand } from "../grammar.ts";
import { unsupportedCommand } from "../unsupported.ts";

/** `events`: not in this version. */
export function eventsCommand(): Command {
  return defineCommand({
    name: "events",
    summary: "print events and statistics of a container",
    usage: "<container-id>",
    flags: {
      interval: { kind: "value", default: "5s", doc: "time between two statistics" },
      stats: { kind: "bool", doc: "print the statistics once" },
    },
    minArgs: 1,
    maxArgs: 1,
    unsupported: true,
    run: () => unsupportedCommand("events"),
  });
}
