// SPDX-License-Identifier: Apache-2.0
// The command line's grammar: runc's, because engines and people already speak it. Flags are data (FlagTable), typed
// where they are read. A long name may have one dash or two; `--name=value` and `--name value`; a flag may be repeated
// (the last one counts, lists collect); `--` ends the flags; short flags are not combined.
// Texts of the errors are those of runc, which inherits them from Go's flag package: podman and CRI-O look for
// "flag needs an argument" to find out what a runtime supports.
// Two oddities of runc 1.1 are left out: a switch before the id no longer hides the flags after it, and an unknown
// flag after the id is named instead of counted as an argument.
import { EdgerunError } from "../errors.ts";
import type { Context } from "../lifecycle/options.ts";
import { quote } from "../schema/describe.ts";

/** What a flag takes: nothing (or =true, =false), one text, one text each time, a decimal number, one with a sign. */
type FlagKinds = {
  bool: boolean | undefined;
  value: string | undefined;
  list: string[];
  number: number | undefined;
  integer: number | undefined;
};

export type Flag = {
  kind: keyof FlagKinds;
  /** One letter, without the dash. */
  short?: string;
  doc: string;
  /** Refuses a text that the command could not read, where the command line is read. */
  isValid?: (text: string) => boolean;
  /** Shown in the help; nothing else uses it. */
  default?: string;
  /** Accepted, but not in the help. */
  hidden?: true;
};

/** Flags by long name, in the order of the help. `--help` and `-h` are known everywhere. */
export type FlagTable = { readonly [name: string]: Flag };

/** The values of a table's flags: undefined (lists: empty) where not given. */
export type FlagValues<F extends FlagTable> = { [N in keyof F]: FlagKinds[F[N]["kind"]] };

/** A parsed command line. */
export type Parsed<F extends FlagTable> = { flags: FlagValues<F>; args: string[]; help: boolean };

/** Whether flags may stand behind arguments, or the first argument ends them (what follows belongs to someone else). */
export type FlagPlaces = "anywhere" | "before arguments";

/** A command: its part of the grammar, its help, and the function that does it. */
export type Command<F extends FlagTable = FlagTable> = {
  name: string;
  /** One line for the list of commands. */
  summary: string;
  /** The arguments as the help shows them: "<container-id>". */
  usage: string;
  description?: string;
  flags: F;
  flagPlaces?: FlagPlaces;
  minArgs: number;
  maxArgs: number;
  /** Part of the grammar, but not in this version: engines probe with --help, so that must fail, too. */
  unsupported?: true;
  /** How a failure of this command differs from exit code 1 and its plain text. */
  failure?: { exitCode: number; operation: string };
  /** Does the command; returns the exit code. A method, so that a command with a table of its own is a Command. */
  run(context: Context, parsed: Parsed<F>): number;
};

/** Ties the types of a command's flags to those that its `run` reads. */
export function defineCommand<const F extends FlagTable>(command: Command<F>): Command {
  return command;
}

/**
 * Parses the arguments behind a command's name (or, with the global table, behind the program's).
 * @throws EdgerunError USAGE
 */
export function parseArguments<F extends FlagTable>(
  flags: F,
  argv: readonly string[],
  places: FlagPlaces = "anywhere",
): Parsed<F> {
  const values = emptyValues(flags);
  const args: string[] = [];
  let help = false;
  let next = 0;
  while (next < argv.length) {
    const word = argv[next++]!;
    if (word === "--") break;
    if (word.length < 2 || word[0] !== "-") {
      args.push(word);
      if (places === "before arguments") break;
      continue;
    }
    const { name, inline } = splitFlag(word);
    if (name === "help" || name === "h") {
      help = parseBool(name, inline);
      continue;
    }
    const longName = findFlag(flags, name);
    const flag = flags[longName]!;
    if (flag.kind === "bool") {
      values[longName] = parseBool(name, inline);
      continue;
    }
    if (inline === undefined && next === argv.length) throw usageError(`flag needs an argument: -${name}`);
    const text = inline ?? argv[next++]!;
    if (flag.isValid?.(text) === false) throw invalidValue(name, text);
    if (flag.kind === "number" || flag.kind === "integer") values[longName] = parseNumber(name, text, flag.kind);
    else if (flag.kind === "list") (values[longName] as string[]).push(text);
    else values[longName] = text;
  }
  while (next < argv.length) args.push(argv[next++]!);
  return { flags: values as FlagValues<F>, args, help };
}

/**
 * Refuses a wrong number of arguments.
 * @throws EdgerunError USAGE
 */
export function checkArgumentCount(command: Command, count: number): void {
  const { name, minArgs, maxArgs } = command;
  if (count >= minArgs && count <= maxArgs) return;
  let rule = `a maximum of ${maxArgs}`;
  if (minArgs === maxArgs) rule = `exactly ${minArgs}`;
  else if (count < minArgs) rule = `a minimum of ${minArgs}`;
  throw usageError(`"${name}" requires ${rule} argument(s)`);
}

/** The error for a wrong command line. */
export function usageError(message: string): EdgerunError {
  return new EdgerunError("USAGE", message);
}

type Values = { [name: string]: boolean | string | string[] | number | undefined };

function emptyValues(flags: FlagTable): Values {
  const values: Values = {};
  for (const name in flags) values[name] = flags[name]!.kind === "list" ? [] : undefined;
  return values;
}

function splitFlag(word: string): { name: string; inline: string | undefined } {
  const body = word.slice(word.startsWith("--") ? 2 : 1);
  if (body[0] === "-" || body[0] === "=") throw usageError(`bad flag syntax: ${word}`);
  const equals = body.indexOf("=");
  if (equals < 0) return { name: body, inline: undefined };
  return { name: body.slice(0, equals), inline: body.slice(equals + 1) };
}

function findFlag(flags: FlagTable, name: string): string {
  if (Object.hasOwn(flags, name)) return name;
  for (const longName in flags) if (flags[longName]!.short === name) return longName;
  throw usageError(`flag provided but not defined: -${name}`);
}

function parseBool(name: string, inline: string | undefined): boolean {
  switch (inline) {
    case undefined:
    case "1":
    case "t":
    case "T":
    case "true":
    case "TRUE":
    case "True":
      return true;
    case "0":
    case "f":
    case "F":
    case "false":
    case "FALSE":
    case "False":
      return false;
  }
  throw usageError(`invalid boolean value ${quote(inline)} for -${name}: parse error`);
}

function parseNumber(name: string, text: string, kind: "number" | "integer"): number {
  const negative = kind === "integer" && text.startsWith("-") && text !== "-0";
  const value = parseDecimal(negative ? text.slice(1) : text, 0x7fffffff);
  if (value === undefined) throw invalidValue(name, text);
  return negative ? -value : value;
}

function invalidValue(name: string, text: string): EdgerunError {
  return usageError(`invalid value ${quote(text)} for flag -${name}: parse error`);
}

/** A decimal number written in the only way it can be (digits, no leading zero), up to `max`; otherwise undefined. */
export function parseDecimal(text: string, max: number): number | undefined {
  // Comparing with the canonical text refuses signs, spaces, exponents, hexadecimal, other scripts' digits, overflow.
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < 0 || value > max || String(value) !== text) return undefined;
  return value;
}
