// SPDX-License-Identifier: Apache-2.0
// The table that people read.
import { type Figure, type Row, ratio, type Unit } from "./results.ts";
import type { Verdict } from "./thresholds.ts";

const HEADINGS: Record<Unit, string> = {
  ms: "time, ms",
  KiB: "peak memory of its own process, KiB",
  calls: "system calls",
  bytes: "size, bytes",
};
const TITLE_WIDTH = 40;
const CELL_WIDTH = 10;

/** The rows as text; the last columns are the first runtime's figures as multiples of the others'. */
export function formatTable(rows: readonly Row[], runtimes: readonly string[]): string {
  const [first = "", ...peers] = runtimes;
  const ratioTitles = peers.map((peer) => `${first}/${peer}`);
  const widths = ratioTitles.map((title) => Math.max(CELL_WIDTH, title.length + 2));
  const lines: string[] = [];
  let unit: Unit | undefined;
  let columns = runtimes;
  for (const row of rows) {
    if (row.unit !== unit) {
      unit = row.unit;
      columns = rows.some((other) => other.unit === unit && "floor" in other.figures)
        ? [...runtimes, "floor"]
        : runtimes;
      const heading = columns.map((name) => name.padStart(CELL_WIDTH)).join("");
      const ratios = ratioTitles.map((title, i) => title.padStart(widths[i]!)).join("");
      lines.push("", HEADINGS[unit].padEnd(TITLE_WIDTH) + heading + ratios);
    }
    const cells = columns.map((name) => formatFigure(row.figures[name], row.unit).padStart(CELL_WIDTH)).join("");
    const ratios = peers.map((peer, i) => (ratio(row, first, peer)?.toFixed(2) ?? "").padStart(widths[i]!)).join("");
    lines.push(`  ${row.title}`.padEnd(TITLE_WIDTH) + cells + ratios);
  }
  return lines.map((line) => line.trimEnd()).join("\n");
}

/** One line for each failure, with its reason; rows that come from one measurement share it. */
export function formatFailures(rows: readonly Row[]): string[] {
  const lines = new Map<string, string>();
  for (const row of rows) {
    for (const [name, figure] of Object.entries(row.figures)) {
      if ("error" in figure && !lines.has(figure.error))
        lines.set(figure.error, `${row.name}: ${name}: ${figure.error}`);
    }
  }
  return [...lines.values()];
}

/** One line for each promise. */
export function formatVerdicts(verdicts: readonly Verdict[]): string[] {
  return verdicts.map(({ text, value, limit, isKept }) => {
    const number = value === undefined ? "not measured" : Number.isInteger(value) ? `${value}` : value.toFixed(2);
    return `${isKept ? "kept  " : "broken"}  ${text} ${number}, at most ${limit}`;
  });
}

function formatFigure(figure: Figure | undefined, unit: Unit): string {
  if (figure === undefined) return "";
  if ("error" in figure) return "failed";
  return unit === "ms" ? figure.median.toFixed(2) : `${Math.round(figure.median)}`;
}
