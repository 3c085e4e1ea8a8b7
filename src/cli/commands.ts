// SPDX-License-Identifier: Apache-2.0
// The commands that engines call for each container, by name; the others are in rare_commands.ts. A command's table is
// made when it is asked for, so that a start pays for one table only.
import { createCommand } from "./commands/create.ts";
import { deleteCommand } from "./commands/delete.ts";
import { execCommand } from "./commands/exec.ts";
import { killCommand } from "./commands/kill.ts";
import { runCommand } from "./commands/run.ts";
import { startCommand } from "./commands/start.ts";
import { stateCommand } from "./commands/state.ts";
import type { Command } from "./grammar.ts";

/** A command's table, or undefined where there is none of this name here. */
export function findCommonCommand(name: string): Command | undefined {
  switch (name) {
    case "create":
      return createCommand();
    case "delete":
      return deleteCommand();
    case "exec":
      return execCommand();
    case "kill":
      return killCommand();
    case "run":
      return runCommand();
    case "start":
      return startCommand();
    case "state":
      return stateCommand();
  }
  return undefined;
}
