// SPDX-License-Identifier: Apache-2.0
// `edgerun owner ...`: the owner's commands, on a workstation under Node. Parses, calls, reports; decides nothing.

import { stderr, stdout } from "node:process";
import { Command, CommanderError } from "commander";
import { EdgerunError } from "../errors.ts";
import { bundleImage, parsePlatform } from "./bundle.ts";

/**
 * Runs an owner command and returns the exit code: 0, or 1 after one line on stderr. Never exits by itself.
 *
 * @param argv what follows `edgerun owner` on the command line
 */
export async function runOwner(argv: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(argv, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode; // commander has printed it, or the help
    if (!(error instanceof EdgerunError)) throw error;
    stderr.write(`edgerun: ${error.message}\n`);
    return 1;
  }
}

function createProgram(): Command {
  const program = new Command("edgerun owner");
  program.description("Keys, signed manifests and bundles: the owner's side of edgerun.");
  program.exitOverride();
  addBundle(program);
  return program;
}

function addBundle(program: Command): void {
  program
    .command("bundle")
    .description("Make an OCI bundle of a container image: an OCI layout, an OCI archive or a docker-save archive.")
    .argument("<image>", "the image's directory or archive")
    .argument("[args...]", "the program to run, after --; default: the image's Entrypoint and Cmd")
    .requiredOption("-o, --output <dir>", "the bundle's directory; it must not exist")
    .option("--ref <name>", "the image meant, by name or digest, where there are several")
    .option("--platform <os/arch>", "the platform meant, where there are several; default: this machine's")
    .action(async (image: string, args: string[], flags: { output: string; ref?: string; platform?: string }) => {
      const platform = flags.platform === undefined ? undefined : parsePlatform(flags.platform);
      const { digest, warnings } = await untilInterrupted((signal) =>
        bundleImage({ image, output: flags.output, ref: flags.ref, platform, args, signal }),
      );
      for (const warning of warnings) stderr.write(`edgerun: warning: ${warning}\n`);
      stdout.write(`${digest}\n`);
    });
}

/** Lets an interrupt end the work in an orderly way, so that nothing half done is left. */
async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const interrupt = (name: NodeJS.Signals) => controller.abort(new EdgerunError("HOST", `interrupted by ${name}`));
  const signals: NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const name of signals) process.on(name, interrupt);
  try {
    return await work(controller.signal);
  } finally {
    for (const name of signals) process.off(name, interrupt);
  }
}
