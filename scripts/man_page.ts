// SPDX-License-Identifier: Apache-2.0
// The parts of man/edgerun.8 that the command line's grammar says: global options and commands, as mdoc(7).
import { globalFlags } from "../src/cli/globals.ts";
import type { Command, Flag, FlagTable } from "../src/cli/grammar.ts";
import { allCommands } from "../src/cli/rare_commands.ts";
import { flagKind } from "../src/cli/value_kinds.ts";

/** The page with its two generated parts made anew; each is between a mark with its name and an end mark. */
export function updateManPage(page: string): string {
  return replacePart(replacePart(page, "options", formatFlags(globalFlags())), "commands", formatCommands());
}

function replacePart(page: string, name: string, text: string): string {
  const begin = `.\\" generated: ${name}\n`;
  const end = `.\\" end of ${name}\n`;
  const from = page.indexOf(begin);
  const to = page.indexOf(end);
  if (from < 0 || to < from) throw new Error(`man/edgerun.8: the marks of the generated part "${name}" are missing`);
  return `${page.slice(0, from + begin.length)}${text}${page.slice(to)}`;
}

function formatCommands(): string {
  return `.Bl -tag -width Ds\n${allCommands().map(formatCommand).join("")}.El\n`;
}

function formatCommand(command: Command): string {
  const { name, flags, usage, summary, description } = command;
  const options = Object.keys(flags).length > 0 ? " Oo Ar options Oc" : "";
  const lines = [`.It Cm ${name}${options}${formatUsage(usage)}`, formatText(`${capitalize(summary)}.`)];
  if (command.unsupported === true) lines.push("Not in this version.");
  if (description !== undefined) lines.push(description.split("\n\n").map(formatParagraph).join("\n.Pp\n"));
  const list = Object.keys(flags).length > 0 ? `.Bl -tag -width Ds -compact\n${formatFlagItems(flags)}.El\n` : "";
  return `${lines.join("\n")}\n${list}`;
}

/** Lines that are indented are shown as they are. */
function formatParagraph(text: string): string {
  const lines = text.split("\n");
  const from = lines.findIndex((line) => line.startsWith(" "));
  if (from < 0) return formatText(text);
  const shown = lines.slice(from).map((line) => formatText(line.trim()));
  return `${formatText(lines.slice(0, from).join("\n"))}\n.Bd -literal -compact\n${shown.join("\n")}\n.Ed`;
}

/** "<container-id> [signal]" as macros on the line of an .It. */
function formatUsage(usage: string): string {
  const parts: string[] = [];
  for (const [, required, optional, word] of usage.matchAll(/<([^>]*)>|\[([^\]]*)\]|(\S+)/g)) {
    if (required !== undefined) parts.push(`Ar ${required}`);
    else if (optional !== undefined) parts.push(`Oo Ar ${optional} Oc`);
    else if (word === "or") parts.push("No or");
    else if (word!.startsWith("--")) parts.push(`Fl Fl ${word!.slice(2)}`);
    else parts.push(word!.includes("|") ? `Cm ${word!.replaceAll("|", " | ")}` : `Ar ${word}`);
  }
  return parts.map((part) => ` ${part}`).join("");
}

function formatFlags(table: FlagTable): string {
  return `.Bl -tag -width Ds\n${formatFlagItems(table)}.It Fl Fl help , Fl h\nShow help.\n.El\n`;
}

function formatFlagItems(table: FlagTable): string {
  return Object.entries(table)
    .map(([name, flag]) => `.It ${formatSpellings(name, flag)}\n${formatText(flagText(flag))}\n`)
    .join("");
}

function formatSpellings(name: string, { kind, short }: Flag): string {
  const value = kind === "bool" ? "" : ` ${formatValue(name, kind)}`;
  return [`Fl Fl ${name}${value}`, ...(short === undefined ? [] : [`Fl ${short}${value}`])].join(" , ");
}

function formatValue(name: string, kind: Flag["kind"]): string {
  if (kind === "number" || kind === "integer") return "Ar number";
  const value = flagKind(name);
  if (typeof value === "string") return `Ar ${value === "text" ? "value" : value}`;
  return `Cm ${value.join(" | ")}`;
}

function flagText({ doc, default: value }: Flag): string {
  return `${capitalize(doc)}${value === undefined ? "" : ` (default: ${value})`}.`;
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Running text: escapes, and one sentence to a line, as mdoc wants it. */
function formatText(text: string): string {
  return text
    .replaceAll("\n", " ")
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/([a-z)`]\.) (?=[A-Z])/g, "$1\n")
    .split("\n")
    .map((line) => (line.startsWith(".") || line.startsWith("'") ? `\\&${line}` : line))
    .join("\n");
}
