// SPDX-License-Identifier: Apache-2.0
// Which runtime is under test. The same tests run against edgerun and its peers, so a test is itself proven by
// runtimes that are in the field; where they legitimately differ, the test carries a table.

import { existsSync } from "node:fs";
import { basename, resolve } from "node:path";

export type RuntimeName = "runc" | "crun" | "edgerun";

/** Path of the runtime under test: $RUNTIME, or the build's. */
export const runtimePath = resolveRuntime(process.env.RUNTIME ?? "build/edgerun");

/** Its name: what the tables of expectations are keyed by. */
export const runtimeName: RuntimeName = nameOf(runtimePath);

function resolveRuntime(runtime: string): string {
  const candidates = runtime.includes("/")
    ? [resolve(runtime)]
    : ["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map((d) => `${d}/${runtime}`);
  const path = candidates.find((candidate) => existsSync(candidate));
  if (path === undefined) throw new Error(`no runtime at ${candidates.join(", ")}; build it or set RUNTIME`);
  return path;
}

function nameOf(path: string): RuntimeName {
  const name = basename(path);
  return name === "runc" || name === "crun" ? name : "edgerun";
}

/** The value for the runtime under test, from a table that names all of them. */
export function expected<T>(table: Record<RuntimeName, T>): T {
  return table[runtimeName];
}

/** Test options for a property that a runtime does not have (yet): the test is skipped there, with the reason. */
export function lacking(table: Partial<Record<RuntimeName, string>>): { skip?: string } {
  const reason = table[runtimeName];
  return reason === undefined ? {} : { skip: `${runtimeName}: ${reason}` };
}
