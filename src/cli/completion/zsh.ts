// SPDX-License-Identifier: Apache-2.0
// Completion for zsh, by its own _arguments.
import { signalNames } from "../signals.ts";
import type { ValueKind } from "../value_kinds.ts";
import type { CommandModel, FlagModel, ProgramModel } from "./model.ts";

/** The script: a file _PROGRAM in a directory of $fpath. */
export function zshCompletion(program: string, { flags, commands }: ProgramModel): string {
  const list = commands.map(({ name, doc }) => `    ${quote(`${escapeColons(name)}:${doc}`)}`);
  return `#compdef ${program}
# zsh completion for ${program}, made by "${program} completion zsh"

_${program}_containers() {
  local -a ids
  ids=(\${(f)"$(\${_${program}_call[@]} list --quiet 2>/dev/null)"})
  compadd -a ids
}

_${program}_commands() {
  local -a commands=(
${list.join("\n")}
    'help:show the list of commands, or the help of one'
  )
  _describe command commands
}

_${program}() {
  local curcontext=$curcontext state line
  local -A opt_args
  _arguments -C \\
${formatSpecs(flags, 4)}
    '1:command:_${program}_commands' \\
    '*::argument:->arguments'
  [[ $state == arguments ]] || return
  # The flags before the command, which are forgotten when those behind it are read.
  local -a _${program}_call=($service)
  local flag
  for flag in --root --config-root; do
    [[ -n \${opt_args[$flag]} ]] && _${program}_call+=($flag \${(Q)opt_args[$flag]})
  done
  case $words[1] in
${commands.map((command) => formatCommand(program, command)).join("\n")}
  help) _arguments '1:command:_${program}_commands' ;;
  esac
}

_${program} "$@"
`;
}

function formatCommand(program: string, { name, flags, args }: CommandModel): string {
  const specs = args.map((kind, index) => `    ${quote(`${index + 1}:argument:${formatAction(program, kind)}`)} \\`);
  return `  ${name})
    _arguments \\
${formatSpecs(flags, 4, program)}
${[...specs, "    '*: :'"].join("\n")}
    ;;`;
}

/** "--bundle", "-b" and their value, each a specification of its own that excludes the other. */
function formatSpecs(flags: readonly FlagModel[], indent: number, program = ""): string {
  const lines = flags.flatMap(({ long, short, doc, value, repeats }) => {
    const action = value === undefined ? "" : `:value:${formatAction(program, value)}`;
    const text = `[${escapeDoc(doc)}]${action}`;
    const excluded = short === undefined ? `--${long}` : `--${long} -${short}`;
    const prefix = repeats ? "*" : `(${excluded})`;
    const specs = [`${prefix}--${long}${value === undefined ? "" : "="}${text}`];
    if (short !== undefined) specs.push(`${prefix}-${short}${value === undefined ? "" : "+"}${text}`);
    return specs;
  });
  return lines.map((line) => `${" ".repeat(indent)}${quote(line)} \\`).join("\n");
}

function formatAction(program: string, kind: ValueKind): string {
  switch (kind) {
    case "directory":
      return "_files -/";
    case "file":
      return "_files";
    case "container":
      return `_${program}_containers`;
    case "signal":
      return `(${signalNames().join(" ")})`;
    case "text":
      return " ";
    default:
      return `(${kind.join(" ")})`;
  }
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function escapeDoc(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("[", "\\[").replaceAll("]", "\\]").replaceAll(":", "\\:");
}

function escapeColons(text: string): string {
  return text.replaceAll(":", "\\:");
}
