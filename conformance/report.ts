// SPDX-License-Identifier: Apache-2.0
// The table of outcomes.
import type { Outcome } from "./program.ts";

/** Outcomes of one program, by the runtime's name. */
export type Row = { program: string; outcomes: Record<string, Outcome> };

/** One cell: counts of ok and not ok; then what else kept the program from being clean, or was skipped. */
function formatOutcome(outcome: Outcome): string {
  const parts = [`${outcome.ok}/${outcome.notOk}`];
  if (outcome.skipped > 0) parts.push(`skip ${outcome.skipped}`);
  if (outcome.timedOut) parts.push("timeout");
  else if (outcome.status !== 0) parts.push(`exit ${outcome.status}`);
  return `${outcome.clean ? "+" : "-"} ${parts.join(" ")}`;
}

const PROGRAM_WIDTH = 34;
const CELL_WIDTH = 22;

/** The heading over formatRow()'s lines. */
export function formatHeading(runtimes: readonly string[]): string {
  const cells = runtimes.map((name) => name.padEnd(CELL_WIDTH));
  return `${"program (+ clean; ok/not ok)".padEnd(PROGRAM_WIDTH)}${cells.join("")}`.trimEnd();
}

/** The line of one program. */
export function formatRow(row: Row): string {
  const cells = Object.values(row.outcomes).map((outcome) => formatOutcome(outcome).padEnd(CELL_WIDTH));
  return `${row.program.padEnd(PROGRAM_WIDTH)}${cells.join("")}`.trimEnd();
}

/** The last lines: `NAME: N clean of M`. */
export function formatSums(runtimes: readonly string[], rows: readonly Row[]): string {
  const count = (name: string) => rows.filter((row) => row.outcomes[name]?.clean).length;
  return runtimes.map((name) => `${name}: ${count(name)} clean of ${rows.length}`).join("\n");
}
