// SPDX-License-Identifier: Apache-2.0
// The part of the program that no start needs: the other commands, and the help.

import { checkpointCommand } from "./commands/checkpoint.ts";
import { completionCommand } from "./commands/completion.ts";
import { eventsCommand } from "./commands/events.ts";
import { featuresCommand } from "./commands/features.ts";
import { listCommand } from "./commands/list.ts";
import { manifestCommand } from "./commands/manifest.ts";
import { mountsCommand } from "./commands/mounts.ts";
import { ownerCommand } from "./commands/owner.ts";
import { pauseCommand } from "./commands/pause.ts";
import { planCommand } from "./commands/plan.ts";
import { psCommand } from "./commands/ps.ts";
import { restoreCommand } from "./commands/restore.ts";
import { resumeCommand } from "./commands/resume.ts";
import { specCommand } from "./commands/spec.ts";
import { updateCommand } from "./commands/update.ts";
import { findCommonCommand } from "./commands.ts";
import type { Command } from "./grammar.ts";

export { formatCommandHelp, formatHelp } from "./help.ts";

/** Names of all commands, in the order of the help. */
const commandNames =
  "checkpoint completion create delete events exec features kill list manifest mounts owner pause plan ps restore resume run spec start state update";

/** Every command, in the order of the help. */
export function allCommands(): Command[] {
  return commandNames.split(" ").map((name) => findCommand(name)!);
}

/** A command's table, or undefined where there is no such command. */
export function findCommand(name: string): Command | undefined {
  return findCommonCommand(name) ?? findRareCommand(name);
}

function findRareCommand(name: string): Command | undefined {
  switch (name) {
    case "checkpoint":
      return checkpointCommand();
    case "completion":
      return completionCommand(allCommands);
    case "events":
      return eventsCommand();
    case "features":
      return featuresCommand();
    case "list":
      return listCommand();
    case "mounts":
      return mountsCommand();
    case "manifest":
      return manifestCommand();
    case "owner":
      return ownerCommand();
    case "pause":
      return pauseCommand();
    case "plan":
      return planCommand();
    case "ps":
      return psCommand();
    case "restore":
      return restoreCommand();
    case "resume":
      return resumeCommand();
    case "spec":
      return specCommand();
    case "update":
      return updateCommand();
  }
  return undefined;
}
