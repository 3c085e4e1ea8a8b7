// SPDX-License-Identifier: Apache-2.0
import { bashCompletion } from "../completion/bash.ts";
import { fishCompletion } from "../completion/fish.ts";
import { describeProgram } from "../completion/model.ts";
import { zshCompletion } from "../completion/zsh.ts";
import { type Command, defineCommand, usageError } from "../grammar.ts";

const programName = "edgerun";

/** `completion`: a script for a shell, made from the tables that the command line is read by. */
export function completionCommand(allCommands: () => Command[]): Command {
  return defineCommand({
    name: "completion",
    summary: "print a completion script for bash, zsh or fish",
    usage: "bash|zsh|fish",
    description: "For this shell, now: . <(edgerun completion bash)",
    flags: {},
    minArgs: 1,
    maxArgs: 1,
    run({ host }, { args }) {
      const [shell] = args;
      const program = describeProgram(allCommands());
      if (shell === "bash") host.writeFd(1, bashCompletion(programName, program));
      else if (shell === "zsh") host.writeFd(1, zshCompletion(programName, program));
      else if (shell === "fish") host.writeFd(1, fishCompletion(programName, program));
      else throw usageError(`unknown shell "${shell}": want bash, zsh or fish`);
      return 0;
    },
  });
}
