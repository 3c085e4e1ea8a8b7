// SPDX-License-Identifier: Apache-2.0
// The command line of the benchmark.
import { accessSync, constants } from "node:fs";
import { basename, delimiter, join, resolve } from "node:path";
import { parseArgs } from "node:util";

export type Runtime = { name: string; path: string };

export type Options = {
  runtimes: Runtime[];
  /** Names of measures; empty for all. */
  only: string[];
  rounds: number;
  /** Factor on the runs in each round. */
  scale: number;
  output: string;
  /** An engine's default seccomp profile. */
  seccomp: string;
  check: boolean;
  help: boolean;
};

export const USAGE = `usage: bench.mjs [OPTION...]
  --runtimes NAME=PATH,...  what to compare; ratios are those of the first (default: build/edgerun, and runc and crun
                            from PATH)
  --only NAME,...           these measures only
  --rounds N                rounds; in each, every runtime has its turn (default 7)
  --quick                   3 rounds of a quarter of the runs: ends within a minute
  --check                   exit with 1 if edgerun misses one of its thresholds
  --seccomp FILE            an engine's default profile (default /usr/share/containers/seccomp.json)
  --output DIRECTORY        where latest.json goes (default bench/results)
`;

/** Reads the command line; throws an Error with one line of text for a wrong one. `names` are those of the measures. */
export function parseOptions(argv: string[], names: readonly string[]): Options {
  const { values } = parseArgs({
    args: argv,
    options: {
      runtimes: { type: "string" },
      only: { type: "string", default: "" },
      rounds: { type: "string" },
      quick: { type: "boolean", default: false },
      check: { type: "boolean", default: false },
      seccomp: { type: "string", default: "/usr/share/containers/seccomp.json" },
      output: { type: "string", default: "bench/results" },
      help: { type: "boolean", default: false },
    },
  });
  const only = values.only.split(",").filter((name) => name !== "");
  const unknown = only.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`unknown measure "${unknown}"; measures: ${names.join(", ")}`);
  const rounds = Number(values.rounds ?? (values.quick ? 3 : 7));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds "${values.rounds}" is not a positive number`);
  return {
    runtimes: values.runtimes === undefined ? findRuntimes() : values.runtimes.split(",").map(parseRuntime),
    only,
    rounds,
    scale: values.quick ? 1 / 4 : 1,
    output: values.output,
    seccomp: values.seccomp,
    check: values.check,
    help: values.help,
  };
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
  const peers = ["runc", "crun"].flatMap((name) => {
    const path = findProgram(name);
    return path === undefined ? [] : [{ name, path }];
  });
  return [parseRuntime("edgerun=build/edgerun"), ...peers];
}

/** The path of a program: by PATH, and where programs for root are. */
export function findProgram(name: string): string | undefined {
  const directories = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return directories.map((directory) => join(directory, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
