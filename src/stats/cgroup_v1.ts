// SPDX-License-Identifier: Apache-2.0
// Statistics of a container on cgroup version 1.
// Source: Documentation/admin-guide/cgroup-v1/ of the kernel; what goes where is runc's choice.
import {
  type FileReader,
  noLimit,
  parseNumber,
  readLines,
  readNamed,
  readNumber,
  readNumbers,
  readRanges,
  splitWords,
} from "./files.ts";
import {
  type BlockFigure,
  blockFigure,
  type MemoryFigures,
  memoryFigures,
  omitEmpty,
  omitZero,
  type Stats,
  sortedFigures,
} from "./shape.ts";

/** Ticks of cpuacct.stat (USER_HZ) are 10 ms on every architecture. */
const nanosecondsPerTick = 10_000_000n;

/**
 * @param readerOf a controller's directory; one that reads nothing where the host has no such controller
 * @param pageSizes of huge pages: "2MB"
 */
export function readV1Stats(readerOf: (controller: string) => FileReader, pageSizes: readonly string[]): Stats {
  const readPids = readerOf("pids");
  const pidsLimit = readNumber(readPids, "pids.max");
  return {
    cpu: readCpu(readerOf("cpu"), readerOf("cpuacct")),
    cpuset: readCpuset(readerOf("cpuset")),
    memory: readMemory(readerOf("memory")),
    pids: {
      current: omitZero(readNumber(readPids, "pids.current")),
      limit: pidsLimit === noLimit ? undefined : omitZero(pidsLimit),
    },
    blkio: readBlockIo(readerOf("blkio")),
    hugetlb: readHugepages(readerOf("hugetlb"), pageSizes),
    intel_rdt: {},
    network_interfaces: null,
  };
}

function readCpu(read: FileReader, readAccount: FileReader): Stats["cpu"] {
  const modes = readNamed(readAccount, "cpuacct.stat");
  const throttling = readNamed(read, "cpu.stat");
  // A header, then a line for each CPU: its number, user and system time.
  const perCpu = readLines(readAccount, "cpuacct.usage_all").slice(1).map(splitWords);
  const column = (index: number) => perCpu.map((words) => parseNumber(words[index] ?? "", "cpuacct.usage_all"));
  return {
    usage: {
      total: omitZero(readNumber(readAccount, "cpuacct.usage")),
      percpu: omitEmpty(readNumbers(readAccount, "cpuacct.usage_percpu")),
      percpu_kernel: omitEmpty(column(2)),
      percpu_user: omitEmpty(column(1)),
      kernel: (modes.get("system") ?? 0n) * nanosecondsPerTick,
      user: (modes.get("user") ?? 0n) * nanosecondsPerTick,
    },
    throttling: {
      periods: omitZero(throttling.get("nr_periods")),
      throttledPeriods: omitZero(throttling.get("nr_throttled")),
      throttledTime: omitZero(throttling.get("throttled_time")),
    },
    psi: undefined,
  };
}

export function readCpuset(read: FileReader): Stats["cpuset"] {
  const flag = (name: string): bigint => readNumber(read, `cpuset.${name}`);
  return {
    cpus: omitEmpty(readRanges(read, "cpuset.cpus")),
    cpu_exclusive: flag("cpu_exclusive"),
    mems: omitEmpty(readRanges(read, "cpuset.mems")),
    mem_hardwall: flag("mem_hardwall"),
    mem_exclusive: flag("mem_exclusive"),
    memory_migrate: flag("memory_migrate"),
    memory_spread_page: flag("memory_spread_page"),
    memory_spread_slab: flag("memory_spread_slab"),
    memory_pressure: flag("memory_pressure"),
    sched_load_balance: flag("sched_load_balance"),
    sched_relax_domain_level: flag("sched_relax_domain_level"),
  };
}

function readMemory(read: FileReader): Stats["memory"] {
  const raw = readNamed(read, "memory.stat");
  return {
    cache: omitZero(raw.get("cache")),
    usage: readUsage(read, "memory"),
    swap: readUsage(read, "memory.memsw"),
    kernel: readUsage(read, "memory.kmem"),
    kernelTCP: readUsage(read, "memory.kmem.tcp"),
    raw: sortedFigures(raw),
    psi: undefined,
  };
}

function readUsage(read: FileReader, prefix: string): MemoryFigures {
  const figure = (name: string): bigint => readNumber(read, `${prefix}.${name}`);
  return memoryFigures(
    figure("limit_in_bytes"),
    figure("usage_in_bytes"),
    figure("max_usage_in_bytes"),
    figure("failcnt"),
  );
}

/** Each figure is the I/O scheduler's own (BFQ, before that CFQ); bytes and operations are counted without one, too. */
function readBlockIo(read: FileReader): Stats["blkio"] {
  const names = [
    ["ioServiceBytesRecursive", "io_service_bytes"],
    ["ioServicedRecursive", "io_serviced"],
    ["ioQueueRecursive", "io_queued"],
    ["ioServiceTimeRecursive", "io_service_time"],
    ["ioWaitTimeRecursive", "io_wait_time"],
    ["ioMergedRecursive", "io_merged"],
    ["ioTimeRecursive", "time"],
    ["sectorsRecursive", "sectors"],
  ] as const;
  const figures: Stats["blkio"] = {};
  for (const [name, file] of names) {
    for (const prefix of ["blkio.bfq", "blkio", "blkio.throttle"]) {
      const found = readBlockFigures(read, `${prefix}.${file}_recursive`);
      if (found.length === 0) continue;
      figures[name] = found;
      break;
    }
  }
  return figures;
}

/** "8:0 Read 4096", or "8:0 4096"; and a last line "Total 4096", which is for all devices. */
function readBlockFigures(read: FileReader, file: string): BlockFigure[] {
  const figures: BlockFigure[] = [];
  for (const line of readLines(read, file)) {
    const [device = "", ...rest] = splitWords(line);
    if (device === "Total") continue;
    const [major = "", minor = ""] = device.split(":");
    const op = rest.length > 1 ? rest[0]! : "";
    figures.push(
      blockFigure(parseNumber(major, file), parseNumber(minor, file), op, parseNumber(rest.at(-1) ?? "", file)),
    );
  }
  return figures;
}

function readHugepages(read: FileReader, pageSizes: readonly string[]): Stats["hugetlb"] {
  const figures: Stats["hugetlb"] = {};
  for (const pageSize of pageSizes) {
    // Reservations count when they are made, before any fault (Linux >= 5.7).
    const prefix = [`hugetlb.${pageSize}.rsvd`, `hugetlb.${pageSize}`].find(
      (name) => read(`${name}.usage_in_bytes`) !== null,
    );
    if (prefix === undefined) continue;
    figures[pageSize] = {
      usage: omitZero(readNumber(read, `${prefix}.usage_in_bytes`)),
      max: omitZero(readNumber(read, `${prefix}.max_usage_in_bytes`)),
      failcnt: readNumber(read, `${prefix}.failcnt`),
    };
  }
  return figures;
}
