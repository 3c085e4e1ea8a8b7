// SPDX-License-Identifier: Apache-2.0
// What a runtime costs besides time: memory, system calls, disk.
import { readFileSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { helperPath, MEASURES, type Measure, makeSubject } from "./measures.ts";
import type { Runtime } from "./options.ts";
import { runOrThrow } from "./program.ts";
import { type Figure, type Row, summarize } from "./results.ts";
import { type Bench, fewRounds, takeRounds, withSetUp } from "./timing.ts";

/** Peak resident memory of a command: two rows, the runtime's own process, and the biggest of all it started. */
export async function measureMemory(bench: Bench, measure: Measure): Promise<Row[]> {
  const report = join(bench.workspace.directory, "memory.txt");
  const anyPeaks = new Map<string, number[]>();
  const sample = (runtime: Runtime) => (): Promise<number> =>
    withSetUp(bench, measure, runtime, async ({ prepare, command }) => {
      if (prepare !== undefined) await runOrThrow(bench.run, ["sh", "-c", prepare]);
      await runOrThrow(bench.run, [helperPath("measure"), report, ...command]);
      const [own, any] = readFileSync(report, "utf8").split(" ").map(Number);
      anyPeaks.set(runtime.name, [...(anyPeaks.get(runtime.name) ?? []), any!]);
      return own!;
    });
  const samples = new Map(bench.runtimes.map((runtime) => [runtime.name, sample(runtime)]));
  const own = await takeRounds(samples, fewRounds(bench), bench.signal);
  const any = Object.entries(own).map(([name, figure]): [string, Figure] => [
    name,
    "error" in figure ? figure : summarize(anyPeaks.get(name)!),
  ]);
  return [
    { name: `memory_${measure.name}`, title: measure.title, unit: "KiB", figures: own },
    {
      name: `memory_${measure.name}_any`,
      title: "  biggest process",
      unit: "KiB",
      figures: Object.fromEntries(any),
    },
  ];
}

/** Measures for which memory is measured: single commands of a runtime. */
export const MEMORY_MEASURES: readonly Measure[] = MEASURES.filter(
  ({ command, isComposite }) => command !== undefined && !isComposite,
);

/** System calls of `run`, in all of its processes up to the container's end. */
export async function countSystemCalls(bench: Bench): Promise<Row> {
  const report = join(bench.workspace.directory, "strace.txt");
  const sample = (runtime: Runtime) => async (): Promise<number> => {
    const { call, bundle, id } = makeSubject(bench.workspace, runtime);
    const strace = ["strace", "-f", "-c", "-S", "calls", "-o", report];
    await runOrThrow(bench.run, [...strace, ...call("run", "--bundle", bundle("true"), id)]);
    return parseTotalCalls(readFileSync(report, "utf8"));
  };
  const samples = new Map(bench.runtimes.map((runtime) => [runtime.name, sample(runtime)]));
  const figures = await takeRounds(samples, fewRounds(bench), bench.signal);
  return { name: "system_calls", title: "system calls of run true", unit: "calls", figures };
}

/** The number of calls in the last line of `strace -c`: `100.00 SECONDS USECS/CALL CALLS [ERRORS] total`. */
export function parseTotalCalls(report: string): number {
  const total = /^100\.00 .* total$/m.exec(report)?.[0].trim().split(/\s+/);
  const calls = Number(total?.[3]);
  if (!Number.isInteger(calls)) throw new Error("no total in the report of strace");
  return calls;
}

/** Bytes on disk: of the program, and with the shared libraries that it loads. */
export async function measureSize(bench: Bench): Promise<Row[]> {
  const program: Record<string, Figure> = {};
  const all: Record<string, Figure> = {};
  for (const { name, path } of bench.runtimes) {
    const size = statSync(path).size;
    program[name] = summarize([size]);
    // Fails for a static program: it has none.
    const { stdout } = await bench.run(["ldd", path]);
    const libraries = new Set([...stdout.matchAll(/(\/\S+) \(0x/g)].map((match) => realpathSync(match[1]!)));
    all[name] = summarize([[...libraries].reduce((sum, library) => sum + statSync(library).size, size)]);
  }
  return [
    { name: "size", title: "program", unit: "bytes", figures: program },
    { name: "size_with_libraries", title: "  with shared libraries", unit: "bytes", figures: all },
  ];
}
