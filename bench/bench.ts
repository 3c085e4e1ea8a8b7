// SPDX-License-Identifier: Apache-2.0
// edgerun, runc and crun side by side, in one run, on this machine (as root):
//   bench.mjs [OPTION...]        see options.ts, or --help
// Prints a table and writes latest.json. Exit code: 0; 1 when something could not be measured, or with --check when a
// promise is broken; 2 for a wrong command line; 130 when interrupted. Nothing that it made is left on the host.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release } from "node:os";
import { join } from "node:path";
import { countSystemCalls, MEMORY_MEASURES, measureMemory, measureSize } from "./footprint.ts";
import { MEASURES, type Measure } from "./measures.ts";
import { findProgram, type Options, parseOptions, type Runtime, USAGE } from "./options.ts";
import { makeRun, runOrThrow } from "./program.ts";
import { formatFailures, formatTable, formatVerdicts } from "./report.ts";
import type { Row } from "./results.ts";
import { judge } from "./thresholds.ts";
import { type Bench, dividePerContainer, timeMeasure } from "./timing.ts";
import {
  copyRuntimes,
  makeWorkspace,
  prepareCgroups,
  removeWorkspace,
  writeBundles,
  writeSeccompBundle,
} from "./workspace.ts";

const EXIT_FAILURE = 1;
const EXIT_USAGE = 2;
const EXIT_INTERRUPTED = 130;
/** First argument of the process in the private mount namespace. */
const INSIDE = "--inside";
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
const NAMES = [...MEASURES.map(({ name }) => name), "memory", "system_calls", "size"];

process.exitCode = await main(process.argv.slice(2));

async function main(argv: string[]): Promise<number> {
  const isInside = argv[0] === INSIDE;
  let options: Options;
  try {
    options = parseOptions(isInside ? argv.slice(1) : argv, NAMES);
  } catch (error) {
    console.error(`bench: ${(error as Error).message}\n${USAGE}`);
    return EXIT_USAGE;
  }
  if (options.help) {
    console.log(`${USAGE}measures: ${NAMES.join(", ")}`);
    return 0;
  }
  if (isInside) return await bench(options);
  const missing = findMissing();
  if (missing !== undefined) {
    console.error(`bench: ${missing}`);
    return EXIT_FAILURE;
  }
  return await enterMountNamespace(argv);
}

/** What this machine lacks, as a text; undefined if nothing. */
function findMissing(): string | undefined {
  if (process.getuid?.() !== 0) return "containers with all namespaces take root";
  const programs = ["hyperfine", "strace", "unshare", "ldd", "busybox"].filter(
    (name) => findProgram(name) === undefined,
  );
  return programs.length === 0 ? undefined : `not installed: ${programs.join(", ")}`;
}

/** Runs this program again where its mounts are its own. */
async function enterMountNamespace(argv: string[]): Promise<number> {
  const self = [process.execPath, process.argv[1]!, INSIDE, ...argv];
  const child = spawn("unshare", ["--mount", "--propagation", "private", ...self], { stdio: "inherit" });
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  return await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? EXIT_FAILURE));
  });
}

async function bench(options: Options): Promise<number> {
  const interrupt = new AbortController();
  for (const signal of SIGNALS) process.on(signal, () => interrupt.abort(new Error(`ended by ${signal}`)));
  const workspace = makeWorkspace();
  const run = makeRun(workspace.directory, interrupt.signal);
  const { rounds, scale } = options;
  const loadBefore = loadavg()[0]!;
  let runtimes: Runtime[] = [];
  try {
    runtimes = copyRuntimes(workspace, options.runtimes);
    writeBundles(workspace);
    await prepareCgroups(workspace, run);
    const rows = await measureAll({ workspace, runtimes, rounds, scale, run, signal: interrupt.signal }, options);
    return await report(
      rows,
      options,
      loadBefore,
      async (path) => (await runOrThrow(run, [path, "--version"])).split("\n")[0]!,
    );
  } catch (error) {
    console.error(`bench: ${(error as Error).message}`);
    return interrupt.signal.aborted ? EXIT_INTERRUPTED : EXIT_FAILURE;
  } finally {
    await removeWorkspace(workspace, runtimes, makeRun(workspace.directory, new AbortController().signal, 20_000));
  }
}

async function measureAll(bench: Bench, options: Options): Promise<Row[]> {
  const isSelected = (name: string): boolean => options.only.length === 0 || options.only.includes(name);
  const rows: Row[] = [];
  const add = (...more: Row[]): void => {
    rows.push(...more);
    console.error(`measured ${more[0]!.unit === "KiB" ? "memory of " : ""}${more[0]!.title.trim()}`);
  };
  const hasProfile = existsSync(options.seccomp);
  if (hasProfile) writeSeccompBundle(bench.workspace, options.seccomp);
  else console.log(`skipped: run_seccomp: no profile at "${options.seccomp}"`);
  const isPossible = ({ name }: Measure): boolean => hasProfile || name !== "run_seccomp";
  for (const measure of MEASURES.filter((measure) => isSelected(measure.name) && isPossible(measure))) {
    const row = await timeMeasure(bench, measure);
    add(row, ...(measure.name === "parallel" ? [dividePerContainer(row)] : []));
  }
  if (isSelected("memory")) {
    for (const measure of MEMORY_MEASURES.filter(isPossible)) add(...(await measureMemory(bench, measure)));
  }
  if (isSelected("system_calls")) add(await countSystemCalls(bench));
  if (isSelected("size")) add(...(await measureSize(bench)));
  return rows;
}

async function report(
  rows: Row[],
  options: Options,
  loadBefore: number,
  version: (path: string) => Promise<string>,
): Promise<number> {
  const { runtimes, rounds, scale, only, output } = options;
  const machine = {
    kernel: release(),
    processor: cpus()[0]?.model ?? "unknown",
    processors: cpus().length,
    loadBefore,
  };
  const versions = await Promise.all(
    runtimes.map(async ({ name, path }) => ({ name, path, version: await version(path).catch(() => "unknown") })),
  );
  const verdicts = judge(rows, (name) => only.length === 0 || only.includes(name));
  const failures = formatFailures(rows);
  mkdirSync(output, { recursive: true });
  const path = join(output, "latest.json");
  const date = new Date().toISOString();
  const document = { date, machine, runtimes: versions, rounds, scale, rows, verdicts };
  writeFileSync(path, `${JSON.stringify(document, null, 2)}\n`);

  console.log(`\n${versions.map((runtime) => runtime.version).join(", ")}`);
  console.log(`Linux ${machine.kernel}, ${machine.processors} x ${machine.processor}; medians over ${rounds} rounds`);
  // Somebody else's work: figures under load are no basis for a judgement.
  if (loadBefore > machine.processors / 2)
    console.log(`the machine was busy: load ${loadBefore.toFixed(1)} at the start`);
  console.log(
    formatTable(
      rows,
      runtimes.map(({ name }) => name),
    ),
  );
  for (const failure of failures) console.log(`failed: ${failure}`);
  if (options.check) console.log(`\n${formatVerdicts(verdicts).join("\n")}`);
  console.log(`\nwritten to ${path}`);
  const isBroken = options.check && verdicts.some(({ isKept }) => !isKept);
  return failures.length > 0 || isBroken ? EXIT_FAILURE : 0;
}
