// SPDX-License-Identifier: Apache-2.0
// `events`: statistics of a container, and notices that it ran out of memory, as lines of JSON.
import { parseDecimal } from "../cli/grammar.ts";
import { EdgerunError } from "../errors.ts";
import { readHostFacts } from "../host/facts.ts";
import type { Host } from "../host/functions.ts";
import { cgroupVersion, findControllerDirectory } from "../plan/cgroups.ts";
import type { HostFacts } from "../plan/plan.ts";
import { toJsonText } from "../state/json_text.ts";
import type { ContainerRecord } from "../state/record.ts";
import { computeStatus } from "../state/status.ts";
import { readRecord } from "../state/store.ts";
import { readV1Stats } from "../stats/cgroup_v1.ts";
import { readV2Stats } from "../stats/cgroup_v2.ts";
import { type FileReader, readNamed } from "../stats/files.ts";
import type { Stats } from "../stats/shape.ts";
import type { Context, EventsOptions } from "./options.ts";

/** memory.stat of a host with many NUMA nodes has some tens of KiB. */
const maxFileBytes = 1 << 20;

/** What is watched: indexes of awaitReadable(). Memory first: of what happens at once, the killing comes before the end. */
const memoryIndex = 0;

/** Prints the statistics once, or events until the container ends. */
export function events(context: Context, options: EventsOptions): number {
  const { host, root } = context;
  const record = readRecord(host, root, options.id);
  const status = computeStatus(host, root, record);
  if (status === "stopped" || status === "creating") {
    throw new EdgerunError("CONTAINER_STATE", `container with id ${options.id} is not running`);
  }
  const facts = readHostFacts(host);
  if (options.stats) printStats(host, record, facts);
  else streamEvents(context, record, facts, options.intervalMs);
  return 0;
}

function printStats(host: Host, record: ContainerRecord, facts: HostFacts): void {
  const data = readStats(host, record.cgroups, facts);
  host.writeFd(1, `${toJsonText({ type: "stats", id: record.id, data })}\n`);
}

/** @throws EdgerunError HOST */
export function readStats(host: Host, cgroups: readonly string[], facts: HostFacts): Stats {
  const pageSizes = readPageSizes(host);
  if (cgroupVersion(facts) === 2) return readV2Stats(fileReader(host, cgroups[0]), pageSizes);
  return readV1Stats((controller) => fileReader(host, findControllerDirectory(cgroups, facts, controller)), pageSizes);
}

/** The sizes of huge pages that the kernel offers, as files of the hugetlb controller name them: "hugepages-2048kB" is "2MB". */
function readPageSizes(host: Host): string[] {
  const directory = "/sys/kernel/mm/hugepages";
  if (host.fileInfo(directory, 1) === null) return [];
  const sizes: string[] = [];
  for (const name of host.listDirectory(directory)) {
    let size = parseDecimal(name.slice("hugepages-".length, -"kB".length), Number.MAX_SAFE_INTEGER);
    if (size === undefined) continue;
    let unit = 0;
    for (; size >= 1024 && size % 1024 === 0; unit++) size /= 1024;
    sizes.push(`${size}${["KB", "MB", "GB", "TB"][unit]}`);
  }
  return sizes.sort();
}

function fileReader(host: Host, directory: string | undefined): FileReader {
  if (directory === undefined) return () => null;
  return (file) => {
    try {
      return host.readFileIfExists(`${directory}/${file}`, maxFileBytes);
    } catch (error) {
      // A file whose controller, or whose accounting (of pressure) is off; or a cgroup that was removed meanwhile.
      if (error instanceof EdgerunError && (error.errno === "EOPNOTSUPP" || error.errno === "ENODEV")) return null;
      throw error;
    }
  };
}

/** Ends with the container's first process. */
function streamEvents(context: Context, record: ContainerRecord, facts: HostFacts, intervalMs: number): void {
  const { host, log } = context;
  const process = openProcess(host, record);
  if (process === undefined) return;
  const memory = watchMemory(host, record.cgroups, facts);
  const watched = memory === undefined ? [process] : [memory.fd, process];
  let next = now(host) + intervalMs;
  for (;;) {
    // Never longer than the interval, though the clock may be set back.
    const ready = host.awaitReadable(watched, Math.ceil(Math.min(intervalMs, Math.max(0, next - now(host)))));
    if (memory !== undefined && ready === memoryIndex) {
      host.drain(memory.fd);
      if (memory.hasKilled()) host.writeFd(1, `${toJsonText({ type: "oom", id: record.id })}\n`);
    } else if (ready >= 0) {
      return;
    } else {
      try {
        printStats(host, record, facts);
      } catch (error) {
        if (!(error instanceof EdgerunError) || error.errno === "EPIPE") throw error;
        log.error(error.message);
      }
      next = now(host) + intervalMs;
    }
  }
}

/** undefined: it has ended meanwhile. */
function openProcess(host: Host, record: ContainerRecord): number | undefined {
  try {
    return host.openProcess(record.pid);
  } catch (error) {
    if (error instanceof EdgerunError && error.errno === "ESRCH") return undefined;
    throw error;
  }
}

/** A descriptor that wakes us, and whether a process was killed since the last call. */
type MemoryWatch = { fd: number; hasKilled: () => boolean };

/** undefined: the container's memory is not accounted. */
function watchMemory(host: Host, cgroups: readonly string[], facts: HostFacts): MemoryWatch | undefined {
  const isUnified = cgroupVersion(facts) === 2;
  const directory = isUnified ? cgroups[0] : findControllerDirectory(cgroups, facts, "memory");
  if (directory === undefined) return undefined;
  let fd: number;
  try {
    fd = host.watchOutOfMemory(directory);
  } catch (error) {
    if (error instanceof EdgerunError && error.errno === "ENOENT") return undefined;
    throw error;
  }
  const read = fileReader(host, directory);
  // Version 1 wakes also when the cgroup is removed.
  if (!isUnified) return { fd, hasKilled: () => read("memory.oom_control") !== null };
  const count = (): bigint => readNamed(read, "memory.events").get("oom_kill") ?? 0n;
  let last = count();
  const hasKilled = () => {
    const before = last;
    last = count();
    return last > before;
  };
  return { fd, hasKilled };
}

/** Milliseconds of the wall clock. */
function now(host: Host): number {
  const [seconds = 0, nanoseconds = 0] = host.clock();
  return seconds * 1000 + nanoseconds / 1e6;
}
