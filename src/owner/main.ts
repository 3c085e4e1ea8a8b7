// SPDX-License-Identifier: Apache-2.0
// `edgerun owner ...`: the owner's commands, on a workstation under Node. Parses, calls, reports; decides nothing.

import { stderr, stdout } from "node:process";
import { Command, CommanderError, Option } from "commander";
import { EdgerunError } from "../errors.ts";
import { bundleImage, parsePlatform } from "./bundle.ts";
import { diff } from "./diff.ts";
import { formatInspection, inspect } from "./inspect.ts";
import { keygen } from "./keygen.ts";
import type { KeyAlgorithm } from "./keys.ts";
import { lint } from "./lint.ts";
import { revoke } from "./revoke.ts";
import { countersign, sign } from "./sign.ts";

/** Where texts go: to the process's stdout and stderr, or to a test. */
export interface Output {
  stdout: (text: string) => void;
  stderr: (text: string) => void;
}

const processOutput: Output = {
  stdout: (text) => stdout.write(text),
  stderr: (text) => stderr.write(text),
};

/**
 * Runs an owner command and returns the exit code: 0, or 1 after a line on stderr that says why. Never exits by itself.
 *
 * @param argv what follows `edgerun owner` on the command line
 */
export async function runOwner(argv: readonly string[], output: Output = processOutput): Promise<number> {
  try {
    await createProgram(output).parseAsync(argv, { from: "user" });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode; // commander has printed it, or the help
    if (!(error instanceof EdgerunError)) throw error;
    output.stderr(`edgerun: ${error.message}\n`);
    return 1;
  }
}

function createProgram(output: Output): Command {
  const program = new Command("edgerun owner");
  program.description("Keys, signed manifests and bundles: the owner's side of edgerun.");
  program.exitOverride();
  program.configureOutput({ writeOut: output.stdout, writeErr: output.stderr });
  addKeygen(program, output);
  addSign(program, output);
  addCountersign(program, output);
  addInspect(program, output);
  addLint(program, output);
  addDiff(program, output);
  addRevoke(program, output);
  addBundle(program, output);
  return program;
}

const keyHelp = "the private key; with --signer, the public one";
const signerHelp =
  "a command that signs, for a key in hardware: gets the bytes to sign on stdin, prints the signature (raw, or DER)";

function addKeygen(program: Command, output: Output): void {
  const algorithms: KeyAlgorithm[] = ["EdDSA", "ES256", "ES512"];
  program
    .command("keygen")
    .description("Make a key pair: OUT.key stays with the owner, OUT.jwk goes into each device's trust store.")
    .requiredOption("-o, --out <path>", "path of both files, without suffix")
    .addOption(new Option("--alg <name>", "signature algorithm").choices(algorithms).default("EdDSA"))
    .action(async (flags: { out: string; alg: KeyAlgorithm }) => {
      const { kid, privateFile, publicFile } = await keygen(flags);
      output.stdout(`kid: ${kid}\nprivate key: ${privateFile}\npublic key: ${publicFile}\n`);
    });
}

function addSign(program: Command, output: Output): void {
  program
    .command("sign")
    .description("Check a manifest, trust root or revocation list as a device would, and sign it.")
    .argument("<document>", "the document, a JSON file")
    .requiredOption("-k, --key <file>", keyHelp)
    .option("--signer <command>", signerHelp)
    .requiredOption("-o, --out <file>", "where the signed document goes")
    .action(async (manifestFile: string, flags: { key: string; signer?: string; out: string }) => {
      const { kid, jti } = await sign({ manifestFile, ...flags });
      output.stdout(`signed ${jti} with key ${kid}\n`);
    });
}

function addCountersign(program: Command, output: Output): void {
  program
    .command("countersign")
    .description("Add a signature to a signed document.")
    .argument("<file>", "the signed document")
    .requiredOption("-k, --key <file>", keyHelp)
    .option("--signer <command>", signerHelp)
    .requiredOption("-o, --out <file>", "where the document with all signatures goes")
    .action(async (file: string, flags: { key: string; signer?: string; out: string }) => {
      const { kid, jti } = await countersign({ file, ...flags });
      output.stdout(`signed ${jti} with key ${kid}\n`);
    });
}

function addInspect(program: Command, output: Output): void {
  program
    .command("inspect")
    .description("Show a signed document, and why a device would refuse it; exit code 1 if it would.")
    .argument("<file>", "the signed document")
    .option("--trust <dir>", "a device's trust store, to verify it with: public keys (*.jwk) and maybe policy.json")
    .action(async (file: string, flags: { trust?: string }) => {
      const inspection = await inspect({ file, ...(flags.trust === undefined ? {} : { trustDir: flags.trust }) });
      output.stdout(formatInspection(inspection));
      const { length } = inspection.problems;
      if (length > 0) throw new EdgerunError("MANIFEST_INVALID", `${JSON.stringify(file)} has ${length} problem(s)`);
    });
}

function addLint(program: Command, output: Output): void {
  program
    .command("lint")
    .description("Check a manifest, and name what is wider than it need be; exit code 1 if a device would refuse it.")
    .argument("<manifest>", "the manifest, a JSON file")
    .action(async (manifestFile: string) => {
      for (const advice of await lint({ manifestFile })) output.stdout(`${advice}\n`);
    });
}

function addDiff(program: Command, output: Output): void {
  program
    .command("diff")
    .description("What one manifest says and the other does not, signed or not, key by key.")
    .argument("<old>", "a manifest")
    .argument("<new>", "a manifest")
    .action(async (before: string, after: string) => {
      for (const line of await diff(before, after)) output.stdout(`${line}\n`);
    });
}

function addRevoke(program: Command, output: Output): void {
  const collect = (value: string, before: string[]): string[] => [...before, value];
  program
    .command("revoke")
    .description("Add to a revocation list, a JSON file (made if it is not there), and sign it.")
    .argument("<list>", "the list, a JSON file; its seq is raised")
    .requiredOption("-k, --key <file>", keyHelp)
    .option("--signer <command>", signerHelp)
    .requiredOption("-o, --out <file>", "where the signed list goes")
    .option("--iss <name>", "who revokes, for a new list")
    .option("--kid <kid>", "a key", collect, [])
    .option("--jti <jti>", "a manifest, by its jti", collect, [])
    .option("--digest <digest>", "a manifest, by its digest", collect, [])
    .option("--app <pattern>", 'apps, "com.example.*"', collect, [])
    .option("--min-seq <app=seq>", "the least seq of an app", collect, [])
    .action(async (list: string, { kid, jti, digest, app, minSeq, ...flags }: RevokeFlags) => {
      const entries = { kids: kid, jtis: jti, digests: digest, apps: app, minSeq };
      const result = await revoke({ list, entries, ...flags });
      output.stdout(`signed ${result.jti} with key ${result.kid}\n`);
    });
}

type RevokeFlags = {
  key: string;
  signer?: string;
  out: string;
  iss?: string;
  kid: string[];
  jti: string[];
  digest: string[];
  app: string[];
  minSeq: string[];
};

function addBundle(program: Command, output: Output): void {
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
      for (const warning of warnings) output.stderr(`edgerun: warning: ${warning}\n`);
      output.stdout(`${digest}\n`);
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
