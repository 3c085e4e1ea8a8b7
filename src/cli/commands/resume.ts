// SPDX-License-Identifier: Apache-2.0
import { type Command, defineCommand } from "../grammar.ts";
import { checkId } from "../id.ts";

/** `resume`: resumes what `pause` suspended. */
export function resumeCommand(): Command {
  return defineCommand({
    name: "resume",
    summary: "resume all processes of a paused container",
    usage: "<container-id>",
    flags: {},
    minArgs: 1,
    maxArgs: 1,
    run(context, { args }) {
      return context.lifecycle.resume(context, checkId(args[0]!));
    },
  });
}
