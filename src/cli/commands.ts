// SPDX-License-Identifier: Apache-2.0
// The commands by name. A command's table is made when it is asked for, so that a start pays for one table only.
import { checkpointCommand } from "./commands/checkpoint.ts";
import { createCommand } from "./commands/create.ts";
import { deleteCommand } from "./commands/delete.ts";
import { eventsCommand } from "./commands/events.ts";
import { execCommand } from "./commands/exec.ts";
import { featuresCommand } from "./commands/features.ts";
import { killCommand } from "./commands/kill.ts";
import { listCommand } from "./commands/list.ts";
import { ownerCommand } from "./commands/owner.ts";
import { pauseCommand } from "./commands/pause.ts";
import { planCommand } from "./commands/plan.ts";
import { psCommand } from "./commands/ps.ts";
import { restoreCommand } from "./commands/restore.ts";
import { resumeCommand } from "./commands/resume.ts";
import { runCommand } from "./commands/run.ts";
import { specCommand } from "./commands/spec.ts";
import { startCommand } from "./commands/start.ts";
import { stateCommand } from "./commands/state.ts";
import { updateCommand } from "./commands/update.ts";
import type { Command } from "./grammar.ts";

/** A command's table, or undefined where there is none of this name. */
export function findCommand(name: string): Command | undefined {
  switch (name) {
    case "checkpoint":
      return checkpointCommand();
    case "create":
      return createCommand();
    case "delete":
      return deleteCommand();
    case "events":
      return eventsCommand();
    case "exec":
      return execCommand();
    case "features":
      return featuresCommand();
    case "kill":
      return killCommand();
    case "list":
      return listCommand();
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
    case "run":
      return runCommand();
    case "spec":
      return specCommand();
    case "start":
      return startCommand();
    case "state":
      return stateCommand();
    case "update":
      return updateCommand();
  }
  return undefined;
}

/** Every command, in the order of the help. */
export function allCommands(): Command[] {
  const names =
    "checkpoint create delete events exec features kill list owner pause plan ps restore resume run spec start state update";
  return names.split(" ").map((name) => findCommand(name)!);
}
