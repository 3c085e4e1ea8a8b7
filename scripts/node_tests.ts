// SPDX-License-Identifier: Apache-2.0
// TypeScript tests: found, bundled, and counted from their TAP reports. scripts/run_tests.ts runs them on this machine,
// test/vm/suite.ts in a virtual one.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type Counts = { passed: number; failed: number; skipped: number };

/** Runs a program in the foreground. Returns its exit code; a signal or a failed start is 255. */
export function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): number {
  return spawnSync(command, [...args], { stdio: "inherit", env }).status ?? 255;
}

/** Test files below a directory, sorted; those with one of `parts`, separated by commas, in their names. */
export function findTests(directory: string, parts: string): string[] {
  if (!existsSync(directory)) return [];
  const wanted = parts.split(",");
  const names = readdirSync(directory, { recursive: true, encoding: "utf8" });
  return names.filter((name) => name.endsWith(".test.ts") && wanted.some((part) => name.includes(part))).sort();
}

/** Where the tests of a suite are bundled to. */
export function bundleDirectory(suite: string): string {
  return join("build", "test", suite);
}

/** Bundles test files of test/SUITE. Returns their new names, or undefined if that failed. */
export function bundleTests(suite: string, names: readonly string[]): string[] | undefined {
  const source = join("test", suite);
  const output = bundleDirectory(suite);
  mkdirSync(output, { recursive: true });
  const status = run("node_modules/.bin/esbuild", [
    ...names.map((name) => join(source, name)),
    ...["--bundle", "--platform=node", "--format=esm", "--packages=external", "--log-level=warning"],
    ...[`--outdir=${output}`, `--outbase=${source}`, "--out-extension:.js=.mjs"],
  ]);
  return status === 0 ? names.map((name) => join(output, name.replace(/\.ts$/, ".mjs"))) : undefined;
}

/** Counts in the summaries of one or more TAP reports, and their skips: each with its reason. */
export function readTap(path: string): { counts: Counts; skips: string[] } {
  const lines = existsSync(path) ? readFileSync(path, "utf8").split("\n") : [];
  const count = (name: string): number =>
    lines.reduce((sum, line) => sum + (line.startsWith(`# ${name} `) ? Number(line.slice(name.length + 3)) : 0), 0);
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
