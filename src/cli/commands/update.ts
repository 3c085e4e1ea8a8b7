// SPDX-License-Identifier: Apache-2.0
import type { LinuxCpu, LinuxMemory, LinuxResources } from "../../spec/config.ts";
import { type Command, defineCommand, type FlagTable, type FlagValues, usageError } from "../grammar.ts";
import { checkId } from "../id.ts";
import { absolutePath } from "../paths.ts";
import { parseInteger, parseSize } from "../quantities.ts";

/** `update`: other limits for a container. */
export function updateCommand(): Command {
  return defineCommand({
    name: "update",
    summary: "change the resource limits of a container",
    usage: "<container-id>",
    description:
      "Only what is given changes. If a limit can't be set, none is.\n\nThe file of --resources has the form of linux.resources in config.json; what is absent from it, null or 0 stays as it\nis, and so do the rules for devices. With a file, the flags about limits don't count.",
    flags: updateFlags(),
    minArgs: 1,
    maxArgs: 1,
    run(context, { flags, args }) {
      return context.lifecycle.update(context, {
        id: checkId(args[0]!),
        changes: readChanges(flags),
        resources: readResourcesPath(context.request.cwd, flags.resources),
        l3CacheSchema: flags["l3-cache-schema"] ?? "",
        memBwSchema: flags["mem-bw-schema"] ?? "",
      });
    },
  });
}

function updateFlags() {
  return {
    resources: { kind: "value", short: "r", doc: "file of limits as JSON, or - for standard input" },
    "blkio-weight": { kind: "integer", doc: "block I/O weight, 10 to 1000" },
    "cpu-period": { kind: "value", doc: "CFS period in microseconds" },
    "cpu-quota": { kind: "value", doc: "CFS quota in microseconds, -1: no limit" },
    "cpu-burst": { kind: "value", doc: "CFS burst in microseconds" },
    "cpu-share": { kind: "value", doc: "CPU shares, 2 to 262144; 1024 is ordinary" },
    "cpu-rt-period": { kind: "value", doc: "real-time period in microseconds (cgroup v1)" },
    "cpu-rt-runtime": { kind: "value", doc: "real-time runtime in microseconds (cgroup v1)" },
    "cpuset-cpus": { kind: "value", doc: "CPUs to use: 0-2,7" },
    "cpuset-mems": { kind: "value", doc: "memory nodes to use" },
    "cpu-idle": { kind: "value", doc: "1: run only when nothing else does; 0: as others" },
    memory: { kind: "value", doc: "memory limit in bytes, or with k, m, g; -1: no limit" },
    "memory-reservation": { kind: "value", doc: "soft memory limit; on cgroup v2, memory that is protected" },
    "memory-swap": { kind: "value", doc: "limit of memory and swap together, -1: no limit" },
    "kernel-memory": { kind: "value", hidden: true, doc: "accepted for compatibility, has no effect" },
    "kernel-memory-tcp": { kind: "value", hidden: true, doc: "accepted for compatibility, has no effect" },
    "pids-limit": { kind: "integer", doc: "number of processes, -1: no limit" },
    "l3-cache-schema": { kind: "value", doc: "Intel RDT L3 cache schema" },
    "mem-bw-schema": { kind: "value", doc: "Intel RDT memory bandwidth schema" },
  } as const satisfies FlagTable;
}

type Flags = FlagValues<ReturnType<typeof updateFlags>>;

/** As engines call it, `-` is standard input. */
function readResourcesPath(cwd: string, path: string | undefined): string | undefined {
  if (path === undefined || path === "" || path === "-") return path || undefined;
  return absolutePath(cwd, path);
}

/** The flags as linux.resources; an empty value counts as absent, as in runc. */
function readChanges(flags: Flags): LinuxResources {
  const changes: LinuxResources = { memory: readMemory(flags), cpu: readCpu(flags) };
  const weight = flags["blkio-weight"];
  if (weight !== undefined) {
    if (weight < 0 || weight > 65535) throw usageError(`invalid value for blkio-weight: ${weight} is not a weight`);
    changes.blockIO = { weight };
  }
  const pids = flags["pids-limit"];
  if (pids !== undefined) changes.pids = { limit: BigInt(pids) };
  return changes;
}

function readMemory(flags: Flags): LinuxMemory {
  const memory: LinuxMemory = {};
  const pairs = [
    ["memory", "limit"],
    ["memory-reservation", "reservation"],
    ["memory-swap", "swap"],
  ] as const;
  for (const [flag, name] of pairs) {
    const text = flags[flag] ?? "";
    if (text !== "") memory[name] = parseSize(flag, text);
  }
  return memory;
}

function readCpu(flags: Flags): LinuxCpu {
  const cpu: LinuxCpu = {};
  const pairs = [
    ["cpu-period", "period", "u64"],
    ["cpu-quota", "quota", "i64"],
    ["cpu-burst", "burst", "u64"],
    ["cpu-share", "shares", "u64"],
    ["cpu-rt-period", "realtimePeriod", "u64"],
    ["cpu-rt-runtime", "realtimeRuntime", "i64"],
  ] as const;
  for (const [flag, name, kind] of pairs) {
    const text = flags[flag] ?? "";
    if (text !== "") cpu[name] = parseInteger(flag, text, kind);
  }
  const idle = flags["cpu-idle"] ?? "";
  if (idle !== "" && idle !== "0" && idle !== "1") throw usageError("invalid value for cpu-idle: want 0 or 1");
  if (idle !== "") cpu.idle = Number(idle);
  cpu.cpus = flags["cpuset-cpus"] ?? "";
  cpu.mems = flags["cpuset-mems"] ?? "";
  return cpu;
}
