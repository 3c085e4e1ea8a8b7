// SPDX-License-Identifier: Apache-2.0
// What the benchmark found: rows of figures, one for each runtime.

export type Unit = "ms" | "KiB" | "calls" | "bytes";

/** A figure, or why there is none. */
export type Figure = { median: number; rounds: number[]; min: number; max: number } | { error: string };

export type Row = { name: string; title: string; unit: Unit; figures: Record<string, Figure> };

/** The median; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return sorted.length === 0 ? Number.NaN : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The figure of one value for each round. */
export function summarize(rounds: readonly number[]): Figure {
  return { median: median(rounds), rounds: [...rounds], min: Math.min(...rounds), max: Math.max(...rounds) };
}

/** The median of a runtime in a row; undefined where it was not measured. */
export function medianOf(row: Row | undefined, runtime: string): number | undefined {
  const figure = row?.figures[runtime];
  return figure === undefined || "error" in figure ? undefined : figure.median;
}

/** `runtime`'s median as a multiple of that of `peer`; undefined where one is missing. */
export function ratio(row: Row | undefined, runtime: string, peer: string): number | undefined {
  const own = medianOf(row, runtime);
  const other = medianOf(row, peer);
  return own === undefined || other === undefined || other === 0 ? undefined : own / other;
}
