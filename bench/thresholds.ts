// SPDX-License-Identifier: Apache-2.0
// What edgerun promises, as numbers.
import { medianOf, type Row, ratio } from "./results.ts";

/** One promise: kept, broken, or not known because a figure is missing. */
export type Verdict = { text: string; value: number | undefined; limit: number; isKept: boolean };

const RATIO_LIMITS = [
  { row: "run", peer: "crun", limit: 0.8 },
  { row: "run", peer: "runc", limit: 0.35 },
  { row: "state", peer: "crun", limit: 0.8 },
  { row: "kill", peer: "crun", limit: 0.8 },
  { row: "delete", peer: "crun", limit: 0.8 },
] as const;
const MAX_MEMORY_KIB = 8 * 1024;
const MAX_PROGRAM_BYTES = 3_000_000;

/** Holds the rows against what edgerun promises. `isSelected` says which rows were asked for; others aren't judged. */
export function judge(rows: readonly Row[], isSelected: (name: string) => boolean): Verdict[] {
  const find = (name: string): Row | undefined => rows.find((row) => row.name === name);
  const verdict = (text: string, value: number | undefined, limit: number): Verdict => ({
    text,
    value,
    limit,
    isKept: value !== undefined && value <= limit,
  });
  const verdicts = RATIO_LIMITS.filter(({ row }) => isSelected(row)).map(({ row, peer, limit }) =>
    verdict(`${row}: edgerun/${peer}`, ratio(find(row), "edgerun", peer), limit),
  );
  if (isSelected("memory")) {
    const peaks = rows.filter(({ unit }) => unit === "KiB").map((row) => medianOf(row, "edgerun") ?? Number.NaN);
    const peak = peaks.some(Number.isNaN) || peaks.length === 0 ? undefined : Math.max(...peaks);
    verdicts.push(verdict("memory: KiB, of any process of any command", peak, MAX_MEMORY_KIB));
  }
  if (isSelected("size")) {
    verdicts.push(verdict("size: bytes of the program", medianOf(find("size"), "edgerun"), MAX_PROGRAM_BYTES));
  }
  return verdicts;
}
