// SPDX-License-Identifier: Apache-2.0
// The shape of statistics that `events` prints: runc's (types/events.go), in its order. What runc leaves out when it is
// zero or empty is undefined here.
import type { Storable } from "../state/json_text.ts";
import { type FileReader, readLines, splitWords } from "./files.ts";

/** The `data` of an event of type "stats". */
export type Stats = {
  cpu: {
    usage: {
      total: bigint | undefined;
      percpu: readonly bigint[] | undefined;
      percpu_kernel: readonly bigint[] | undefined;
      percpu_user: readonly bigint[] | undefined;
      kernel: bigint;
      user: bigint;
    };
    throttling: {
      periods: bigint | undefined;
      throttledPeriods: bigint | undefined;
      throttledTime: bigint | undefined;
    };
    psi: Pressure | undefined;
  };
  cpuset: { [name: string]: Storable };
  memory: {
    cache: bigint | undefined;
    usage: MemoryFigures;
    swap: MemoryFigures;
    kernel: MemoryFigures;
    kernelTCP: MemoryFigures;
    raw: { [name: string]: bigint } | undefined;
    psi: Pressure | undefined;
  };
  pids: { current: bigint | undefined; limit: bigint | undefined };
  blkio: { [name: string]: Storable };
  hugetlb: { [pageSize: string]: Storable };
  /** Empty: figures of Intel RDT are not read. */
  intel_rdt: Record<string, never>;
  /** null: runc tells of interfaces that it made itself, which it never does for a bundle. */
  network_interfaces: null;
};

export type MemoryFigures = {
  limit: bigint;
  usage: bigint | undefined;
  max: bigint | undefined;
  failcnt: bigint;
};

/** An operation's count for one device. */
export type BlockFigure = {
  major: bigint | undefined;
  minor: bigint | undefined;
  op: string | undefined;
  value: bigint | undefined;
};

type PressureFigures = { avg10: number; avg60: number; avg300: number; total: bigint };
export type Pressure = { some: PressureFigures; full: PressureFigures };

export function omitZero(value: bigint | undefined): bigint | undefined {
  return value === 0n ? undefined : value;
}

export function omitEmpty<T>(values: readonly T[]): readonly T[] | undefined {
  return values.length === 0 ? undefined : values;
}

export function memoryFigures(limit: bigint, usage: bigint, max: bigint, failcnt: bigint): MemoryFigures {
  return { limit, usage: omitZero(usage), max: omitZero(max), failcnt };
}

export function blockFigure(major: bigint, minor: bigint, op: string, value: bigint): BlockFigure {
  return { major: omitZero(major), minor: omitZero(minor), op: op === "" ? undefined : op, value: omitZero(value) };
}

/** Figures by name, sorted, as Go prints a map; undefined for none. */
export function sortedFigures(figures: Map<string, bigint>): { [name: string]: bigint } | undefined {
  if (figures.size === 0) return undefined;
  return Object.fromEntries([...figures.keys()].sort().map((name) => [name, figures.get(name)!]));
}

/** Pressure stall information (Documentation/accounting/psi.rst); undefined where the kernel has none. */
export function readPressure(read: FileReader, file: string): Pressure | undefined {
  const lines = readLines(read, file);
  if (lines.length === 0) return undefined;
  return { some: parsePressure(lines, "some"), full: parsePressure(lines, "full") };
}

/** "some avg10=0.00 avg60=0.00 avg300=0.00 total=0" */
function parsePressure(lines: readonly string[], kind: string): PressureFigures {
  const figures: PressureFigures = { avg10: 0, avg60: 0, avg300: 0, total: 0n };
  const [, ...pairs] = splitWords(lines.find((line) => line.startsWith(`${kind} `)) ?? "");
  for (const pair of pairs) {
    const [name, value = "0"] = pair.split("=");
    if (name === "total") figures.total = BigInt(value);
    else if (name === "avg10" || name === "avg60" || name === "avg300") figures[name] = Number(value);
  }
  return figures;
}
