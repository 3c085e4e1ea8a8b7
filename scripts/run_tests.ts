// SPDX-License-Identifier: Apache-2.0
// Runs test suites, names every skip with its reason, and sums the results up:
//   run_tests.mjs SUITE...        suites: check, unit, native, integration, engines, conformance
// $TESTS: only TypeScript test files whose name contains one of these, separated by commas.
// The last line is `N passed, N failed, N skipped`; the exit code is 1 if anything failed.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

type Counts = { passed: number; failed: number; skipped: number };

/** Runs a program in the foreground. Returns its exit code; a signal or a failed start is 255. */
function run(command: string, args: string[]): number {
  return spawnSync(command, args, { stdio: "inherit" }).status ?? 255;
}

/** Test files below a directory, sorted; those that $TESTS asks for. */
function findTests(directory: string): string[] {
  if (!existsSync(directory)) return [];
  const wanted = (process.env.TESTS ?? "").split(",");
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" });
  return names.filter((name) => name.endsWith(".test.ts") && wanted.some((part) => name.includes(part))).sort();
}

/** Counts in the summary of a TAP report, and its skips: each with its reason. */
function readTap(path: string): { counts: Counts; skips: string[] } {
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  const count = (name: string): number =>
    Number(lines.findLast((line) => line.startsWith(`# ${name} `))?.slice(name.length + 3) ?? 0);
  const skips = lines.filter((line) => line.includes(" # SKIP"));
  return {
    counts: { passed: count("pass"), failed: count("fail") + count("cancelled"), skipped: count("skipped") },
    skips: skips.map((line) =>
      line
        .trim()
        .replace(/^ok \d+ - /, "")
        .replace(" # SKIP", ":"),
    ),
  };
}

/** Bundles and runs the TypeScript tests of a directory. Those that share the machine run one file at a time. */
function runNodeTests(suite: string, alone: boolean): Counts {
  const source = join("test", suite);
  const output = join("build", "test", suite);
  const names = findTests(source);
  if (names.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  mkdirSync(output, { recursive: true });
  const bundled = run("node_modules/.bin/esbuild", [
    ...names.map((name) => join(source, name)),
    ...["--bundle", "--platform=node", "--format=esm", "--packages=external", "--log-level=warning"],
    ...[`--outdir=${output}`, `--outbase=${source}`, "--out-extension:.js=.mjs"],
  ]);
  if (bundled !== 0) return { passed: 0, failed: 1, skipped: 0 };
  const report = join(output, "report.tap");
  const status = run(process.execPath, [
    "--test",
    ...(alone ? ["--test-concurrency=1"] : []),
    ...["--test-reporter=spec", "--test-reporter-destination=stdout"],
    ...["--test-reporter=tap", `--test-reporter-destination=${report}`],
    ...names.map((name) => join(output, name.replace(/\.ts$/, ".mjs"))),
  ]);
  const { counts, skips } = readTap(report);
  for (const skip of skips) console.log(`skipped: ${suite}: ${skip}`);
  // A runner that failed without a failed test has crashed: that is a failure too.
  if (status !== 0 && counts.failed === 0) counts.failed = 1;
  return counts;
}

/** Runs the C tests: programs whose last line is `N passed, N failed, N skipped`. */
function runNativeTests(): Counts {
  const total: Counts = { passed: 0, failed: 0, skipped: 0 };
  const names = readdirSync("test/native").filter((name) => name.endsWith("_test.c"));
  for (const name of names) {
    const program = join("build/test/native", name.slice(0, -2));
    const result = spawnSync(program, [], { stdio: ["ignore", "pipe", "inherit"], encoding: "utf8", timeout: 300_000 });
    const output = result.stdout ?? "";
    console.log(`${program}\n${output.trimEnd()}`);
    const match = /(\d+) passed, (\d+) failed, (\d+) skipped\n$/.exec(output);
    total.passed += Number(match?.[1] ?? 0);
    total.skipped += Number(match?.[3] ?? 0);
    const failed = Number(match?.[2] ?? 0);
    // One that crashed, or said nothing that can be counted, has failed.
    total.failed += failed === 0 && (result.status !== 0 || match === null) ? 1 : failed;
  }
  return total;
}

/** Types, lint and format: each is one test. */
function runChecks(): Counts {
  const commands = [
    ["node_modules/.bin/tsc", "--noEmit"],
    ["node_modules/.bin/tsc", "--noEmit", "--project", "tsconfig.device.json"],
    ["node_modules/.bin/biome", "check", "--error-on-warnings", "."],
  ];
  const failed = commands.filter(([command = "", ...args]) => run(command, args) !== 0).length;
  return { passed: commands.length - failed, failed, skipped: 0 };
}

/** The OCI validation programs that edgerun has to pass on this machine, each one test. */
function runConformance(): Counts {
  const output = "build/conformance/check.json";
  rmSync(output, { force: true });
  const status = run("conformance/run.sh", ["--check", "--output", output]);
  if (!existsSync(output)) return { passed: 0, failed: 1, skipped: 0 };
  const { programs } = JSON.parse(readFileSync(output, "utf8")) as { programs: unknown[] };
  return { passed: programs.length - status, failed: status, skipped: 0 };
}

const suites: Record<string, () => Counts> = {
  check: runChecks,
  unit: () => runNodeTests("unit", false),
  native: () => {
    const programs = runNativeTests();
    const bindings = runNodeTests("native", false);
    return add(programs, bindings);
  },
  integration: () => runNodeTests("integration", true),
  engines: () => runNodeTests("engines", true),
  conformance: runConformance,
};

function add(a: Counts, b: Counts): Counts {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, skipped: a.skipped + b.skipped };
}

function format(counts: Counts): string {
  return `${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`;
}

let total: Counts = { passed: 0, failed: 0, skipped: 0 };
const summary: string[] = [];
for (const name of process.argv.slice(2)) {
  const suite = suites[name];
  if (suite === undefined) throw new Error(`unknown suite "${name}"; suites: ${Object.keys(suites).join(", ")}`);
  const counts = suite();
  summary.push(`${name}: ${format(counts)}`);
  total = add(total, counts);
}
console.log(summary.join("\n"));
console.log(format(total));
process.exitCode = total.failed === 0 ? 0 : 1;
