// SPDX-License-Identifier: Apache-2.0
// argv to command to exit code: the only place that decides on exit codes, and the only top-level catch.
import { findCommonCommand } from "./cli/commands.ts";
import { describeFailure } from "./cli/failure.ts";
import { type GlobalOptions, globalFlags, readGlobals } from "./cli/globals.ts";
import { type Command, checkArgumentCount, parseArguments, usageError } from "./cli/grammar.ts";
import { openLog } from "./cli/log.ts";
import { baseName } from "./cli/paths.ts";
import { unsupportedCommand } from "./cli/unsupported.ts";
import { buildInfo, formatVersion } from "./cli/version.ts";
import type { Host, Request } from "./host/functions.ts";
import type { Lifecycle, Log } from "./lifecycle/options.ts";
import type { Parts } from "./lifecycle/parts.ts";

/** What main() works with; `commands` is loaded when it is needed. */
export type Program = { lifecycle: Lifecycle; commands: Parts["commands"] };

/** What is known of the invocation so far: how its failure has to be reported depends on it. */
type Invocation = {
  host: Host;
  request: Request;
  program: Program;
  /** The program's name in texts. */
  name: string;
  /** stderr alone, until the global flags are read. */
  log: Log;
  /** Set when the command line has turned out to be well-formed. */
  running: Command | undefined;
  /** Of a failure before that. */
  usageExitCode: number;
};

/**
 * Does what the command line asks for and returns the exit code: 0; what the container's or the exec'd process returned;
 * 255 where exec itself failed; 3 for a command that is not there; 1 for every other failure. A failure is one line on stderr and one in the --log file.
 */
export function main(host: Host, request: Request, program: Program): number {
  const name = baseName(request.program);
  const log = openLog(host, { name, destination: undefined, format: "text", level: undefined });
  const invocation: Invocation = { host, request, program, name, log, running: undefined, usageExitCode: 1 };
  try {
    return runProgram(invocation);
  } catch (error) {
    return reportFailure(invocation, error);
  }
}

function runProgram(invocation: Invocation): number {
  const { host, request, name } = invocation;
  const { flags, args, help } = parseOrShowUsage(
    invocation,
    () => parseArguments(globalFlags(), request.argv, "before arguments"),
    (message) => `Incorrect Usage. ${message}\n\n${programHelp(invocation)}`,
  );
  if (help) return print(host, programHelp(invocation));
  if (flags.version === true) return print(host, formatVersion(name, buildInfo()));
  const options = readGlobals(flags, request, host);
  const { logDestination: destination, logFormat: format, logLevel: level } = options;
  invocation.log = openLog(host, { name, destination, format, level });

  const [commandName, ...argv] = args;
  if (commandName === undefined) return print(host, programHelp(invocation));
  if (commandName !== "help" && commandName !== "h") return runCommand(invocation, options, commandName, argv);
  if (argv[0] === undefined) return print(host, programHelp(invocation));
  return print(host, commandHelp(invocation, lookUpCommand(invocation, argv[0])));
}

function runCommand(invocation: Invocation, options: GlobalOptions, commandName: string, argv: string[]): number {
  const { host, request, log } = invocation;
  const { lifecycle } = invocation.program;
  const command = lookUpCommand(invocation, commandName);
  const parsed = parseOrShowUsage(
    invocation,
    () => parseArguments(command.flags, argv, command.flagPlaces),
    (message) => `Incorrect Usage: ${message}\n\n${commandHelp(invocation, command)}`,
  );
  if (command.unsupported === true) unsupportedCommand(command.name);
  if (parsed.help) return print(host, commandHelp(invocation, command));
  parseOrShowUsage(
    invocation,
    () => checkArgumentCount(command, parsed.args.length),
    () => `Incorrect Usage.\n\n${commandHelp(invocation, command)}`,
  );
  invocation.running = command;
  const { root, configRoot, dataRoot, cgroupManager, rootless } = options;
  return command.run({ host, request, lifecycle, root, configRoot, dataRoot, cgroupManager, rootless, log }, parsed);
}

/** A wrong command line is answered with the help on stdout, as runc does; the error itself goes on to main(). */
function parseOrShowUsage<T>({ host }: Invocation, parse: () => T, usage: (message: string) => string): T {
  try {
    return parse();
  } catch (error) {
    host.writeFd(1, usage(describeFailure(error).message));
    throw error;
  }
}

function lookUpCommand(invocation: Invocation, commandName: string): Command {
  const command = findCommonCommand(commandName) ?? invocation.program.commands().findCommand(commandName);
  if (command !== undefined) return command;
  invocation.usageExitCode = 3; // as runc's, and its text
  throw usageError(`No help topic for '${commandName}'`);
}

function programHelp({ name, program }: Invocation): string {
  const { allCommands, formatHelp } = program.commands();
  return formatHelp(name, allCommands(), buildInfo());
}

function commandHelp({ name, program }: Invocation, command: Command): string {
  return program.commands().formatCommandHelp(name, command);
}

function print(host: Host, text: string): number {
  host.writeFd(1, text);
  return 0;
}

function reportFailure(invocation: Invocation, error: unknown): number {
  const { host, log, name, running, usageExitCode } = invocation;
  const { message, stack } = describeFailure(error);
  const failure = running?.failure;
  try {
    log.error(failure === undefined ? message : `${failure.operation}: ${message}`);
    if (stack !== undefined) host.writeFd(2, `${stack}\n`);
  } catch (logError) {
    reportLogFailure(host, name, logError);
  }
  return failure?.exitCode ?? usageExitCode;
}

function reportLogFailure(host: Host, name: string, error: unknown): void {
  try {
    host.writeFd(2, `${name}: cannot write the log: ${describeFailure(error).message}\n`);
  } catch {
    // stderr is closed as well: the exit code is all that is left to tell.
  }
}
