// SPDX-License-Identifier: Apache-2.0
// Completion for fish.
import { signalNames } from "../signals.ts";
import type { ValueKind } from "../value_kinds.ts";
import { type FlagModel, type ProgramModel, spellings } from "./model.ts";

/** The script: a file PROGRAM.fish in a directory of completions. */
export function fishCompletion(program: string, { flags, commands }: ProgramModel): string {
  const valued = flags.filter(({ value }) => value !== undefined).flatMap(spellings);
  const lines = [
    ...flags.map((flag) => formatFlag(program, `__${program}_before_command`, flag)),
    ...commands.map(
      ({ name, doc }) => `complete -c ${program} -n __${program}_before_command -a ${name} -d ${quote(doc)}`,
    ),
    `complete -c ${program} -n __${program}_before_command -a help -d 'show the list of commands, or the help of one'`,
    `complete -c ${program} -n '__${program}_argument help 0' -a ${quote(commands.map(({ name }) => name).join(" "))}`,
    ...commands.flatMap(({ name, flags: own, args }) => [
      ...own.map((flag) => formatFlag(program, `__${program}_in ${name}`, flag)),
      ...args.map((kind, index) => formatArgument(program, name, index, kind)),
    ]),
  ];
  return `# fish completion for ${program}, made by "${program} completion fish"

# The command and its arguments so far, one a line, without flags.
function __${program}_words
    set -l skip 0
    for word in (commandline -opc)[2..-1]
        if test $skip = 1
            set skip 0
        else if string match -q -- '-*' $word
            contains -- $word ${valued.join(" ")}; and set skip 1
        else
            echo $word
        end
    end
end

function __${program}_before_command
    test (count (__${program}_words)) = 0
end

function __${program}_in
    set -l words (__${program}_words)
    test "$words[1]" = $argv[1]
end

# The values of a command's flags count as arguments here, but for the first one.
function __${program}_argument
    set -l words (__${program}_words)
    test "$words[1]" = $argv[1]; and test (count $words) = (math $argv[2] + 1)
end

function __${program}_containers
    set -l call (commandline -opc)[1]
    set -l flag ''
    for word in (commandline -opc)[2..-1]
        if test -n "$flag"
            set -a call $flag $word
            set flag ''
        else if contains -- $word --root --config-root
            set flag $word
        else if string match -q -r -- '^--(config-)?root=' $word
            set -a call $word
        end
    end
    $call list --quiet 2>/dev/null
end

complete -c ${program} -f
${lines.filter((line) => line !== "").join("\n")}
`;
}

function formatFlag(program: string, condition: string, { long, short, doc, value }: FlagModel): string {
  const shortPart = short === undefined ? "" : ` -s ${short}`;
  const valuePart = value === undefined ? "" : ` ${formatValue(program, value)}`;
  return `complete -c ${program} -n ${quote(condition)} -l ${long}${shortPart}${valuePart} -d ${quote(doc)}`;
}

/** -r: a value has to follow; -F: files are offered, too. */
function formatValue(program: string, kind: ValueKind): string {
  if (kind === "file") return "-r -F";
  if (kind === "text") return "-x";
  return `-x -a ${quote(formatWords(program, kind))}`;
}

function formatArgument(program: string, command: string, index: number, kind: ValueKind): string {
  if (kind === "text") return "";
  const condition = quote(`__${program}_argument ${command} ${index}`);
  const offer = kind === "file" ? "-F" : `-a ${quote(formatWords(program, kind))}`;
  return `complete -c ${program} -n ${condition} ${offer}`;
}

function formatWords(program: string, kind: Exclude<ValueKind, "file" | "text">): string {
  if (kind === "directory") return "(__fish_complete_directories)";
  if (kind === "container") return `(__${program}_containers)`;
  return (kind === "signal" ? signalNames() : kind).join(" ");
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
