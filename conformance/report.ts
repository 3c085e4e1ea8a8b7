// SPDX-License-Identifier: Apache-2.0
// The table of outcomes.
import { knownOutcomes } from "./known.ts";
import type { Outcome } from "./program.ts";

/** Outcomes of one program, by the runtime's name. */
export type Row = { program: string; outcomes: Record<string, Outcome> };

/**
 * One cell. First what the program as a whole says: "+" clean, "-" not, "?" clean by its exit code alone, since it
 * reports no test. Then the counts of ok and not ok, and what else there is to know.
 */
function formatOutcome(outcome: Outcome): string {
  const hasTests = outcome.ok + outcome.notOk + outcome.skipped > 0;
  const parts = [outcome.clean ? (hasTests ? "+" : "?") : "-", `${outcome.ok}/${outcome.notOk}`];
  if (outcome.skipped > 0) parts.push(`skip ${outcome.skipped}`);
  if (outcome.timedOut) parts.push("timeout");
  else if (outcome.status !== 0) parts.push(`exit ${outcome.status}`);
  if (outcome.complains) parts.push("complains");
  return parts.join(" ");
}

const PROGRAM_WIDTH = 34;
const CELL_WIDTH = 26;

/** The heading over formatRow()'s lines. */
export function formatHeading(runtimes: readonly string[]): string {
  const cells = runtimes.map((name) => name.padEnd(CELL_WIDTH));
  return `${"program (ok/not ok)".padEnd(PROGRAM_WIDTH)}${cells.join("")}`.trimEnd();
}

/** The line of one program. */
export function formatRow(row: Row): string {
  const cells = Object.values(row.outcomes).map((outcome) => formatOutcome(outcome).padEnd(CELL_WIDTH));
  return `${row.program.padEnd(PROGRAM_WIDTH)}${cells.join("")}`.trimEnd();
}

/** Programs that edgerun does not pass and should: a peer does, or nothing is known that speaks against it. */
export function listFailures(rows: readonly Row[]): Row[] {
  return rows.filter(({ program, outcomes: { edgerun, ...peers } }) => {
    const known = knownOutcomes[program];
    if (edgerun === undefined || edgerun.clean || known?.racy === true) return false;
    return known === undefined || Object.values(peers).some(({ clean }) => clean);
  });
}

/** Why edgerun is not clean, a line for each such program. */
export function formatReasons(rows: readonly Row[]): string[] {
  return rows
    .filter(({ outcomes }) => outcomes.edgerun?.clean === false)
    .map(({ program }) => `not clean: ${program}: ${knownOutcomes[program]?.reason ?? "reason not known"}`);
}

/** The last lines: `NAME: N clean of M`. */
export function formatSums(runtimes: readonly string[], rows: readonly Row[]): string {
  const count = (name: string) => rows.filter((row) => row.outcomes[name]?.clean).length;
  return runtimes.map((name) => `${name}: ${count(name)} clean of ${rows.length}`).join("\n");
}
