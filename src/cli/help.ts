// SPDX-License-Identifier: Apache-2.0
// Help texts, made from the commands' tables; the look is runc's, whose test suite reads it.
import { globalFlags } from "./globals.ts";
import type { Command, Flag, FlagTable } from "./grammar.ts";
import { type BuildInfo, ociVersionMax } from "./version.ts";

/** What `NAME --help` prints; `commands` in the order of the list. */
export function formatHelp(name: string, commands: readonly Command[], build: BuildInfo): string {
  const list: Row[] = commands.map((command) => ({ left: command.name, right: summary(command) }));
  list.push({ left: "help, h", right: "show the list of commands, or the help of one" });
  const help: Row = { left: "--help, -h", right: "show help" };
  return [
    section("NAME", [`   ${name} - OCI container runtime for edge devices`]),
    section("USAGE", [`   ${name} [global options] command [command options] [arguments...]`]),
    section("VERSION", [`   ${build.version} (OCI runtime specification ${ociVersionMax})`]),
    section("COMMANDS", alignRows(list)),
    section("GLOBAL OPTIONS", alignRows([...flagRows(globalFlags()), help])),
  ].join("\n");
}

/** What `NAME COMMAND --help` prints. */
export function formatCommandHelp(name: string, command: Command): string {
  const flags = flagRows(command.flags);
  const options = flags.length === 0 ? "" : " [command options]";
  const sections = [
    section("NAME", [`   ${name} ${command.name} - ${summary(command)}`]),
    section("USAGE", [`   ${name} ${command.name}${options} ${command.usage}`.trimEnd()]),
  ];
  if (command.description !== undefined) {
    sections.push(
      section(
        "DESCRIPTION",
        command.description.split("\n").map((line) => (line === "" ? "" : `   ${line}`)),
      ),
    );
  }
  if (flags.length > 0) sections.push(section("OPTIONS", alignRows(flags)));
  return sections.join("\n");
}

function summary(command: Command): string {
  return command.unsupported === true ? `${command.summary} (not in this version)` : command.summary;
}

function section(title: string, lines: readonly string[]): string {
  return `${title}:\n${lines.join("\n")}\n`;
}

type Row = { left: string; right: string };

function flagRows(flags: FlagTable): Row[] {
  const rows: Row[] = [];
  for (const name in flags) {
    const flag = flags[name]!;
    if (flag.hidden !== true) rows.push({ left: flagSpelling(name, flag), right: flagText(flag) });
  }
  return rows;
}

function flagSpelling(name: string, flag: Flag): string {
  const value = flag.kind === "bool" ? "" : " value";
  const short = flag.short === undefined ? "" : `, -${flag.short}${value}`;
  return `--${name}${value}${short}`;
}

function flagText(flag: Flag): string {
  return flag.default === undefined ? flag.doc : `${flag.doc} (default: ${flag.default})`;
}

function alignRows(rows: readonly Row[]): string[] {
  const width = rows.reduce((widest, row) => Math.max(widest, row.left.length), 0);
  return rows.map((row) => `   ${row.left.padEnd(width)}  ${row.right}`);
}
