// SPDX-License-Identifier: Apache-2.0
import { type Command, defineCommand } from "../grammar.ts";
import { createFlags, readCreateOptions } from "./create.ts";

/** `run`: create and start in one; in the foreground, the exit code is the container's. */
export function runCommand(): Command {
  return defineCommand({
    name: "run",
    summary: "create and run a container",
    usage: "<container-id>",
    description: "Creates a container from a bundle, starts it, and waits for it unless --detach is given.",
    flags: {
      ...createFlags(),
      detach: { kind: "bool", short: "d", doc: "don't wait for the container's process" },
      keep: { kind: "bool", doc: "don't delete the container when it has exited" },
      "no-subreaper": { kind: "bool", doc: "don't become the reaper of the container's orphaned processes" },
    },
    minArgs: 1,
    maxArgs: 1,
    run(context, { flags, args }) {
      return context.lifecycle.run(context, {
        ...readCreateOptions(context, flags, args[0]!),
        detach: flags.detach === true,
        keep: flags.keep === true,
        noSubreaper: flags["no-subreaper"] === true,
      });
    },
  });
}
