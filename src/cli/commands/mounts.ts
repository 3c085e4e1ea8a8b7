// SPDX-License-Identifier: Apache-2.0
import { type Command, defineCommand, usageError } from "../grammar.ts";
import { checkId } from "../id.ts";
import { absolutePath } from "../paths.ts";

/** `mounts add|remove`: crun's command for mounts of a running container. */
export function mountsCommand(): Command {
  return defineCommand({
    name: "mounts",
    summary: "add mounts to a running container, and remove them",
    usage: "add|remove <container-id> <mounts.json>",
    description:
      "The file is a list of mounts as in config.json: bind mounts and tmpfs. All of them are added, or none; only what was\nadded can be removed.",
    flags: {},
    minArgs: 3,
    maxArgs: 3,
    run(context, { args }) {
      const [action, id, file] = args;
      const options = { id: checkId(id!), file: absolutePath(context.request.cwd, file!) };
      if (action === "add") return context.lifecycle.addMounts(context, options);
      if (action === "remove") return context.lifecycle.removeMounts(context, options);
      throw usageError(`unknown command "mounts ${action}": want add or remove`);
    },
  });
}
