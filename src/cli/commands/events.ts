// SPDX-License-Identifier: Apache-2.0
import { parseDuration } from "../duration.ts";
import { type Command, defineCommand, usageError } from "../grammar.ts";
import { checkId } from "../id.ts";

const defaultIntervalMs = 5_000;

/** `events`: statistics of a container, and a line when it runs out of memory. */
export function eventsCommand(): Command {
  return defineCommand({
    name: "events",
    summary: "print events and statistics of a container",
    usage: "<container-id>",
    description:
      "Prints a line of JSON for each event, until the container ends: its statistics once every interval, and when\nprocesses of it were killed for want of memory.",
    flags: {
      interval: { kind: "value", default: "5s", doc: "time between two statistics: 500ms, 1m30s", isValid: isDuration },
      stats: { kind: "bool", doc: "print the statistics once" },
    },
    minArgs: 1,
    maxArgs: 1,
    run(context, { flags, args }) {
      const intervalMs = flags.interval === undefined ? defaultIntervalMs : parseDuration(flags.interval)!;
      if (intervalMs <= 0) throw usageError("duration interval must be greater than 0");
      return context.lifecycle.events(context, { id: checkId(args[0]!), intervalMs, stats: flags.stats === true });
    },
  });
}

function isDuration(text: string): boolean {
  return parseDuration(text) !== undefined;
}
