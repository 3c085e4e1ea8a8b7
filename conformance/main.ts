// SPDX-License-Identifier: Apache-2.0
// Runs the validation programs with each runtime; prints a table, and writes the outcomes as JSON.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { basename, delimiter, dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { knownOutcomes, needsCgroupV1 } from "./known.ts";
import { type Runtime, runProgram } from "./program.ts";
import { formatHeading, formatReasons, formatRow, formatSums, listFailures, type Row } from "./report.ts";

const USAGE = `usage: run.sh [OPTION...]
  --runtimes NAME=PATH,...  what to compare (default: build/edgerun, and runc and crun from PATH)
  --only NAME,...           these programs only
  --timeout SECONDS         for each program (default 60)
  --output FILE             where the outcomes go, as JSON
  --check                   the programs that can be passed here; the exit code is how many of them edgerun does not
`;

type Options = {
  suite: string;
  runtimes: Runtime[];
  programs: string[];
  timeoutMs: number;
  output: string;
  check: boolean;
};

/** Reads the command line; undefined if it only asks for help. Throws an Error with one line for a wrong one. */
function parseOptions(argv: string[]): Options | undefined {
  const { values } = parseArgs({
    args: argv,
    options: {
      suite: { type: "string", default: "" },
      runtimes: { type: "string" },
      only: { type: "string" },
      timeout: { type: "string", default: "60" },
      output: { type: "string", default: "build/conformance/results.json" },
      check: { type: "boolean", default: false },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return undefined;
  const all = readdirSync(join(values.suite, "programs")).sort();
  const programs = values.only?.split(",") ?? (values.check ? all.filter(isPassable) : all);
  const unknown = programs.find((name) => !all.includes(name));
  if (unknown !== undefined) throw new Error(`no program "${unknown}"; programs: ${all.join(", ")}`);
  const seconds = Number(values.timeout);
  if (!(seconds > 0)) throw new Error(`--timeout "${values.timeout}" is not a positive number`);
  return {
    suite: resolve(values.suite),
    runtimes: values.runtimes?.split(",").map(parseRuntime) ?? findRuntimes(),
    programs,
    timeoutMs: seconds * 1000,
    output: values.output,
    check: values.check,
  };
}

function isPassable(program: string): boolean {
  return !(program in knownOutcomes || (needsCgroupV1(program) && !existsSync("/sys/fs/cgroup/memory")));
}

/** "NAME=PATH", or a path alone, whose last part is then the name. */
function parseRuntime(text: string): Runtime {
  const separator = text.indexOf("=");
  const path = resolve(text.slice(separator + 1));
  const name = separator > 0 ? text.slice(0, separator) : basename(path);
  if (!isExecutable(path)) throw new Error(`runtime "${name}": no program at "${path}"`);
  return { name, path };
}

function findRuntimes(): Runtime[] {
  const runtimes = [parseRuntime("edgerun=build/edgerun")];
  const directories = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  for (const name of ["runc", "crun"]) {
    const path = directories.map((directory) => join(directory, name)).find(isExecutable);
    if (path === undefined) console.log(`skipped: ${name}: not installed`);
    else runtimes.push({ name, path });
  }
  return runtimes;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The first line of `RUNTIME --version`. */
function readVersion(runtime: Runtime): string {
  const { stdout } = spawnSync(runtime.path, ["--version"], { encoding: "utf8", timeout: 10_000 });
  return stdout?.split("\n")[0] ?? "";
}

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(USAGE);
    return 0;
  }
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => interrupt.abort());
  const names = options.runtimes.map((runtime) => runtime.name);
  const versions = options.runtimes.map((runtime) => [runtime.name, readVersion(runtime)]);
  for (const [name, version] of versions) console.log(`${name}: ${version}`);
  console.log(formatHeading(names));
  const rows: Row[] = [];
  for (const program of options.programs) {
    const row: Row = { program, outcomes: {} };
    // One after the other: some programs use cgroup paths that are not unique.
    for (const runtime of options.runtimes) {
      row.outcomes[runtime.name] = await runProgram(
        options.suite,
        program,
        runtime,
        options.timeoutMs,
        interrupt.signal,
      );
    }
    rows.push(row);
    console.log(formatRow(row));
  }
  const results = { suite: basename(options.suite), runtimes: Object.fromEntries(versions), programs: rows };
  mkdirSync(dirname(options.output), { recursive: true });
  writeFileSync(options.output, `${JSON.stringify(results, null, 2)}\n`);
  for (const line of formatReasons(rows)) console.log(line);
  console.log(formatSums(names, rows));
  const failures = options.check ? listFailures(rows) : [];
  for (const { program, outcomes } of failures) console.error(`not clean: ${program}\n${outcomes.edgerun?.stderr}`);
  return failures.length;
}

main().then(
  (status) => process.exit(status),
  (error: Error) => {
    console.error(`conformance: ${error.name === "AbortError" ? "interrupted" : error.message}`);
    process.exit(1);
  },
);
