// SPDX-License-Identifier: Apache-2.0
// Times: hyperfine without a shell, in rounds in which every runtime has its turn, so that drift of the machine meets
// all alike. A figure is the median over the rounds' medians.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Measure, makeSubject, PARALLEL } from "./measures.ts";
import type { Runtime } from "./options.ts";
import { quote, type Run, runOrThrow } from "./program.ts";
import { type Figure, type Row, summarize } from "./results.ts";
import { deleteContainers, type Workspace } from "./workspace.ts";

export type Bench = {
  workspace: Workspace;
  runtimes: readonly Runtime[];
  rounds: number;
  /** Factor on the runs in each round. */
  scale: number;
  run: Run;
  /** Aborted when the benchmark is interrupted. */
  signal: AbortSignal;
};

/** Besides the run of our own before. */
const WARMUPS = 1;

/** Takes one value, or throws; called once in each round. */
type Sample = () => Promise<number>;

/** Times a measure for all runtimes. One that fails has the reason as its figure, and no turn any more. */
export async function timeMeasure(bench: Bench, measure: Measure): Promise<Row> {
  const runs = Math.max(2, Math.round(measure.runs * bench.scale));
  const samples = new Map<string, Sample>();
  if (measure.command !== undefined) {
    for (const runtime of bench.runtimes) samples.set(runtime.name, () => timeRuntime(bench, measure, runtime, runs));
  }
  const floor = measure.floor?.(bench.workspace);
  if (floor !== undefined) samples.set("floor", () => timeCommand(bench, floor, undefined, runs));
  const figures = await takeRounds(samples, bench.rounds, bench.signal);
  return { name: measure.name, title: measure.title, unit: "ms", figures };
}

/** Takes samples in turns. */
export async function takeRounds(
  samples: ReadonlyMap<string, Sample>,
  rounds: number,
  signal: AbortSignal,
): Promise<Record<string, Figure>> {
  const names = [...samples.keys()];
  const values = new Map<string, number[]>(names.map((name) => [name, []]));
  const errors = new Map<string, string>();
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < names.length; turn++) {
      // Shifted in each round: nobody is always the one after the slowest.
      const name = names[(round + turn) % names.length]!;
      if (errors.has(name)) continue;
      try {
        values.get(name)!.push(await samples.get(name)!());
      } catch (error) {
        signal.throwIfAborted();
        errors.set(name, (error as Error).message);
      }
    }
  }
  const figure = (name: string): Figure => {
    const error = errors.get(name);
    return error === undefined ? summarize(values.get(name)!) : { error };
  };
  return Object.fromEntries(names.map((name) => [name, figure(name)]));
}

/** Rounds of what hardly varies. */
export function fewRounds(bench: Bench): number {
  return Math.ceil(bench.rounds / 3);
}

/** Does something between a measure's set-up and its tear-down. */
export async function withSetUp<T>(
  bench: Bench,
  measure: Measure,
  runtime: Runtime,
  body: (steps: { prepare: string | undefined; command: string[] }) => Promise<T>,
): Promise<T> {
  const subject = makeSubject(bench.workspace, runtime);
  try {
    const setUp = measure.setUp?.(subject);
    if (setUp !== undefined) await runOrThrow(bench.run, ["sh", "-c", setUp]);
    return await body({ prepare: measure.prepare?.(subject), command: measure.command!(subject) });
  } finally {
    if (!bench.signal.aborted) await deleteContainers(bench.workspace, runtime, bench.run);
  }
}

/** The row of the time for each container, from that of all at once. */
export function dividePerContainer(row: Row): Row {
  const figures = Object.entries(row.figures).map(([name, figure]): [string, Figure] => [
    name,
    "error" in figure ? figure : summarize(figure.rounds.map((value) => value / PARALLEL)),
  ]);
  return { ...row, name: `${row.name}_each`, title: "  for each", figures: Object.fromEntries(figures) };
}

function timeRuntime(bench: Bench, measure: Measure, runtime: Runtime, runs: number): Promise<number> {
  return withSetUp(bench, measure, runtime, async ({ prepare, command }) => {
    // Once by ourselves: hyperfine wouldn't say why a command fails.
    if (prepare !== undefined) await runOrThrow(bench.run, ["sh", "-c", prepare]);
    await runOrThrow(bench.run, command);
    return await timeCommand(bench, command, prepare, runs);
  });
}

/** The median time of a command in milliseconds. */
async function timeCommand(
  bench: Bench,
  command: readonly string[],
  prepare: string | undefined,
  runs: number,
): Promise<number> {
  const report = join(bench.workspace.directory, "hyperfine.json");
  await runOrThrow(bench.run, [
    ...["hyperfine", "--shell=none", "--style=none", `--warmup=${WARMUPS}`, `--runs=${runs}`],
    ...["--export-json", report],
    ...(prepare === undefined ? [] : ["--prepare", quote(["sh", "-c", prepare])]),
    quote(command),
  ]);
  return JSON.parse(readFileSync(report, "utf8")).results[0].median * 1000;
}
