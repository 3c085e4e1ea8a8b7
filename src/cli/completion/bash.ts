// SPDX-License-Identifier: Apache-2.0
// Completion for bash, without the bash-completion package's functions.
import { signalNames } from "../signals.ts";
import type { ValueKind } from "../value_kinds.ts";
import { type FlagModel, type ProgramModel, spellings } from "./model.ts";

/** The script: source it, or put it where bash-completion looks. */
export function bashCompletion(program: string, { flags, commands }: ProgramModel): string {
  const names = commands.map(({ name }) => name).join(" ");
  const flagCases = [formatFlags("", flags), ...commands.map(({ name, flags: own }) => formatFlags(name, own))];
  const valueCases = [
    ...formatValues("", flags),
    ...commands.flatMap(({ name, flags: own }) => formatValues(name, own)),
  ];
  const argumentCases = commands.flatMap(({ name, args }) =>
    args.map((kind, index) => `  "${name} ${index}") echo "${formatKind(kind)}" ;;`),
  );
  return `# bash completion for ${program}, made by "${program} completion bash"

# Flags of a command; "": those before it.
_${program}_flags() {
  case $1 in
${flagCases.join("\n")}
  esac
}

# What a flag's value is: "COMMAND FLAG". Nothing for a switch.
_${program}_value() {
  case $1 in
${valueCases.join("\n")}
  esac
}

# What a command's argument is: "COMMAND NUMBER".
_${program}_argument() {
  case $1 in
${argumentCases.join("\n")}
  esac
}

# Answers with what is of this kind.
_${program}_offer() {
  local kind=$1 current=$2
  case $kind in
  directory)
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -d -- "$current")
    ;;
  file)
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    ;;
  container)
    mapfile -t COMPREPLY < <(compgen -W "$("\${_${program}_call[@]}" list --quiet 2>/dev/null)" -- "$current")
    ;;
  signal)
    mapfile -t COMPREPLY < <(compgen -W "${signalNames().join(" ")}" -- "$current")
    ;;
  text) ;;
  *)
    mapfile -t COMPREPLY < <(compgen -W "$kind" -- "$current")
    ;;
  esac
}

_${program}() {
  local current=\${COMP_WORDS[COMP_CWORD]} command='' count=0 index word value
  local -a _${program}_call=("\${COMP_WORDS[0]}")
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word=\${COMP_WORDS[index]}
    if [[ $word == -?* ]]; then
      value=$(_${program}_value "$command $word")
      [[ -n $value ]] || continue
      # bash takes --flag=value apart.
      [[ \${COMP_WORDS[index + 1]} == = ]] && ((index++))
      if ((index + 1 >= COMP_CWORD)); then
        [[ $current == = ]] && current=
        _${program}_offer "$value" "$current"
        return
      fi
      ((index++))
      [[ -z $command && ( $word == --root || $word == --config-root ) ]] &&
        _${program}_call+=("$word" "\${COMP_WORDS[index]}")
    elif [[ -z $command ]]; then
      command=$word
    else
      ((count++))
    fi
  done
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_${program}_flags "$command")" -- "$current")
  elif [[ -z $command ]]; then
    mapfile -t COMPREPLY < <(compgen -W "${names} help" -- "$current")
  elif [[ $command == help ]]; then
    mapfile -t COMPREPLY < <(compgen -W "${names}" -- "$current")
  else
    _${program}_offer "$(_${program}_argument "$command $count")" "$current"
  fi
}

complete -F _${program} ${program}
`;
}

function formatFlags(command: string, flags: readonly FlagModel[]): string {
  return `  "${command}") echo "${flags.flatMap(spellings).join(" ")}" ;;`;
}

function formatValues(command: string, flags: readonly FlagModel[]): string[] {
  return flags.flatMap((flag) => {
    if (flag.value === undefined) return [];
    const patterns = spellings(flag).map((spelling) => `"${command} ${spelling}"`);
    return [`  ${patterns.join(" | ")}) echo "${formatKind(flag.value)}" ;;`];
  });
}

function formatKind(kind: ValueKind): string {
  return typeof kind === "string" ? kind : kind.join(" ");
}
