// SPDX-License-Identifier: Apache-2.0
// What completion scripts are made of: the tables of the commands, without what is hidden.
import { globalFlags } from "../globals.ts";
import type { Command, FlagTable } from "../grammar.ts";
import { commandArguments, flagKind, type ValueKind } from "../value_kinds.ts";

export type FlagModel = {
  /** Without dashes. */
  long: string;
  short: string | undefined;
  doc: string;
  /** undefined: a switch. */
  value: ValueKind | undefined;
  /** May be given more than once. */
  repeats: boolean;
};

export type CommandModel = {
  name: string;
  doc: string;
  flags: FlagModel[];
  args: readonly ValueKind[];
};

export type ProgramModel = { flags: FlagModel[]; commands: CommandModel[] };

export function describeProgram(commands: readonly Command[]): ProgramModel {
  return {
    flags: describeFlags(globalFlags()),
    commands: commands.map((command) => ({
      name: command.name,
      doc: command.summary,
      flags: describeFlags(command.flags),
      args: commandArguments(command),
    })),
  };
}

function describeFlags(table: FlagTable): FlagModel[] {
  const flags: FlagModel[] = [];
  for (const [long, { kind, short, doc, hidden }] of Object.entries(table)) {
    if (hidden === true) continue;
    flags.push({ long, short, doc, value: kind === "bool" ? undefined : flagKind(long), repeats: kind === "list" });
  }
  flags.push({ long: "help", short: "h", doc: "show help", value: undefined, repeats: false });
  return flags;
}

/** Spellings of a flag, with dashes. */
export function spellings({ long, short }: FlagModel): string[] {
  return short === undefined ? [`--${long}`] : [`--${long}`, `-${short}`];
}
