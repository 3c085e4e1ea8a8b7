// SPDX-License-Identifier: Apache-2.0
// Statistics of a container on cgroup version 2, in the terms of version 1.
// Source: Documentation/admin-guide/cgroup-v2.rst of the kernel; what goes where is runc's choice.
import { readCpuset } from "./cgroup_v1.ts";
import { type FileReader, noLimit, parseNumber, readLines, readNamed, readNumber, splitWords } from "./files.ts";
import {
  type BlockFigure,
  blockFigure,
  memoryFigures,
  omitZero,
  readPressure,
  type Stats,
  sortedFigures,
} from "./shape.ts";

/** @param pageSizes of huge pages: "2MB" */
export function readV2Stats(read: FileReader, pageSizes: readonly string[]): Stats {
  const pidsLimit = readNumber(read, "pids.max");
  return {
    cpu: readCpu(read),
    // Version 2 has no such flags, and runc leaves the lists out.
    cpuset: readCpuset(() => null),
    memory: readMemory(read),
    pids: {
      current: omitZero(readNumber(read, "pids.current")),
      limit: pidsLimit === noLimit ? undefined : omitZero(pidsLimit),
    },
    blkio: readBlockIo(read),
    hugetlb: readHugepages(read, pageSizes),
    intel_rdt: {},
    network_interfaces: null,
  };
}

/** cpu.stat is there without the controller, too. Its times are microseconds. */
function readCpu(read: FileReader): Stats["cpu"] {
  const figures = readNamed(read, "cpu.stat");
  const nanoseconds = (name: string): bigint => (figures.get(name) ?? 0n) * 1000n;
  return {
    usage: {
      total: omitZero(nanoseconds("usage_usec")),
      percpu: undefined,
      percpu_kernel: undefined,
      percpu_user: undefined,
      kernel: nanoseconds("system_usec"),
      user: nanoseconds("user_usec"),
    },
    throttling: {
      periods: omitZero(figures.get("nr_periods")),
      throttledPeriods: omitZero(figures.get("nr_throttled")),
      throttledTime: omitZero(nanoseconds("throttled_usec")),
    },
    psi: readPressure(read, "cpu.pressure"),
  };
}

function readMemory(read: FileReader): Stats["memory"] {
  const raw = readNamed(read, "memory.stat");
  const figure = (name: string): bigint => readNumber(read, `memory.${name}`);
  const usage = memoryFigures(figure("max"), figure("current"), figure("peak"), 0n);
  const swapLimit = figure("swap.max");
  const none = memoryFigures(0n, 0n, 0n, 0n);
  // Version 1 counts memory and swap together. How much both were at most together, nobody knows.
  const limit = swapLimit === noLimit || usage.limit === noLimit ? noLimit : swapLimit + usage.limit;
  const swap = memoryFigures(limit, figure("swap.current") + (usage.usage ?? 0n), 0n, 0n);
  return {
    cache: omitZero(raw.get("file")),
    usage,
    swap: read("memory.current") === null ? none : swap,
    kernel: none,
    kernelTCP: none,
    raw: sortedFigures(raw),
    psi: readPressure(read, "memory.pressure"),
  };
}

/** A line for each device: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6". */
function readBlockIo(read: FileReader): Stats["blkio"] {
  const bytes: BlockFigure[] = [];
  const operations: BlockFigure[] = [];
  const kinds: { [key: string]: [figures: BlockFigure[], op: string] } = {
    rbytes: [bytes, "Read"],
    wbytes: [bytes, "Write"],
    dbytes: [bytes, "Discard"],
    rios: [operations, "Read"],
    wios: [operations, "Write"],
    dios: [operations, "Discard"],
  };
  for (const line of readLines(read, "io.stat")) {
    const [device = "", ...pairs] = splitWords(line);
    const [major = "", minor = ""] = device.split(":");
    for (const pair of pairs) {
      const [key = "", value = ""] = pair.split("=");
      const kind = Object.hasOwn(kinds, key) ? kinds[key] : undefined;
      if (kind === undefined) continue; // of a controller such as io.cost
      const [figures, op] = kind;
      const [first, second] = [parseNumber(major, "io.stat"), parseNumber(minor, "io.stat")];
      figures.push(blockFigure(first, second, op, parseNumber(value, "io.stat")));
    }
  }
  return {
    ioServiceBytesRecursive: bytes.length === 0 ? undefined : bytes,
    ioServicedRecursive: operations.length === 0 ? undefined : operations,
    psi: readPressure(read, "io.pressure"),
  };
}

function readHugepages(read: FileReader, pageSizes: readonly string[]): Stats["hugetlb"] {
  const figures: Stats["hugetlb"] = {};
  for (const pageSize of pageSizes) {
    const prefix = `hugetlb.${pageSize}`;
    const usage = [`${prefix}.rsvd.current`, `${prefix}.current`].find((file) => read(file) !== null);
    if (usage === undefined) continue;
    const failcnt = readNamed(read, `${prefix}.events`).get("max") ?? 0n;
    figures[pageSize] = { usage: omitZero(readNumber(read, usage)), failcnt };
  }
  return figures;
}
