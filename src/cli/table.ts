// SPDX-License-Identifier: Apache-2.0
// The tables that `list` and `ps` print. Pure.
import { EdgerunError } from "../errors.ts";
import type { ContainerState } from "../lifecycle/options.ts";

const minColumnWidth = 12;
const columnGap = 3;

/** The table of `list`: a header, then one line per container; columns as wide as their widest cell. */
export function formatListTable(states: readonly ContainerState[]): string {
  const rows = [["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]];
  for (const state of states) {
    rows.push([state.id, String(state.pid), state.status, state.bundle, state.created, state.owner]);
  }
  const last = rows[0]!.length - 1;
  const widths = rows[0]!.map((_, column) =>
    rows.reduce((width, row) => Math.max(width, row[column]!.length + columnGap), minColumnWidth),
  );
  const lines = rows.map((row) => row.map((cell, i) => (i === last ? cell : cell.padEnd(widths[i]!))).join(""));
  return `${lines.join("\n")}\n`;
}

/**
 * The header of ps(1)'s output and its lines about the given processes.
 * @throws EdgerunError USAGE when the output has no PID column (the caller's ps options decide that)
 */
export function filterProcessTable(output: string, pids: readonly number[]): string {
  const lines = output.split("\n");
  const column = splitFields(lines[0] ?? "").indexOf("PID");
  if (column < 0) throw new EdgerunError("USAGE", "couldn't find PID field in ps output");
  const wanted = pids.map(String);
  const kept = lines.filter((line, i) => i === 0 || wanted.includes(splitFields(line)[column] ?? ""));
  return `${kept.join("\n")}\n`;
}

/** Fields apart by any number of blanks. */
function splitFields(line: string): string[] {
  return line
    .replaceAll("\t", " ")
    .split(" ")
    .filter((field) => field !== "");
}
