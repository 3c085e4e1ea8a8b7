// SPDX-License-Identifier: Apache-2.0
// Runs test suites, names every skip with its reason, and sums the results up:
//   run_tests.mjs SUITE...        suites: check, unit, native, integration, engines, conformance, vm (a part of vm_all), vm_all
// $TESTS: only TypeScript test files whose name contains one of these, separated by commas.
// The last line is `N passed, N failed, N skipped`; the exit code is 1 if anything failed.
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runInVirtualMachine } from "../test/vm/suite.ts";
import { bundleDirectory, bundleTests, type Counts, findTests, readTap, run } from "./node_tests.ts";

const chosen = process.env.TESTS ?? "";

/** Bundles and runs the TypeScript tests of a directory. Those that share the machine run one file at a time. */
function runNodeTests(suite: string, alone: boolean): Counts {
  const names = findTests(join("test", suite), chosen);
  if (names.length === 0) return { passed: 0, failed: 0, skipped: 0 };
  const files = bundleTests(suite, names);
  if (files === undefined) return { passed: 0, failed: 1, skipped: 0 };
  const report = join(bundleDirectory(suite), "report.tap");
  const status = run(process.execPath, [
    "--test",
    ...(alone ? ["--test-concurrency=1"] : []),
    ...["--test-reporter=spec", "--test-reporter-destination=stdout"],
    ...["--test-reporter=tap", `--test-reporter-destination=${report}`],
    ...files,
  ]);
  return conclude(suite, report, status === 0);
}

/** Names the skips of a report and counts. A runner that failed without a failed test has crashed: a failure, too. */
function conclude(suite: string, report: string, succeeded: boolean): Counts {
  const { counts, skips } = readTap(report);
  for (const skip of new Set(skips)) console.log(`skipped: ${suite}: ${skip}`);
  if (!succeeded && counts.failed === 0) counts.failed = 1;
  return counts;
}

/** Integration tests in a virtual machine with systemd and cgroup v2. */
function runVirtualMachine(suite: string, tests: string, timeoutSeconds: number): Counts {
  const outcome = runInVirtualMachine(findTests("test/integration", tests), timeoutSeconds);
  if (outcome.skip !== undefined) {
    console.log(`skipped: ${suite}: ${outcome.skip}`);
    return { passed: 0, failed: 0, skipped: 1 };
  }
  return conclude(suite, outcome.report, outcome.succeeded);
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
  // What a host with systemd and cgroup v2 changes most; everything takes too long for each time.
  vm: () => runVirtualMachine("vm", "lifecycle,cgroup_v2,exec", 400),
  vm_all: () => runVirtualMachine("vm", chosen, 3600),
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
