// SPDX-License-Identifier: Apache-2.0
// linux.resources, whose terms are those of cgroup version 1, as files of a version 2 directory.
// What version 2 has no file for is refused; values that count on another scale are converted as runc and crun do.
// Source: Documentation/admin-guide/cgroup-v2.rst of the kernel, config-linux.md of the runtime-spec.
import type { LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxResources } from "../spec/config.ts";
import { type ControllerWrites, planPids, planRdma } from "./cgroup_v1.ts";
import type { CgroupDirectory } from "./cgroups.ts";
import { planDeviceProgram } from "./device_program.ts";
import type { CgroupPlan, CgroupWrite, ControllerNeed, HostFacts } from "./plan.ts";
import { invalid, unsupported, warning } from "./refusal.ts";

/**
 * The one directory of a container on a host with only version 2, with its files and its device program.
 * @throws UNSUPPORTED for what version 2 does not have, CONFIG_INVALID for what contradicts itself
 */
export function planUnifiedCgroup(
  resources: LinuxResources,
  { mount, path }: CgroupDirectory,
  facts: HostFacts,
  warnings: string[],
): CgroupPlan {
  const needs: ControllerNeed[] = [];
  const writes: CgroupWrite[] = [];
  for (const limit of planUnifiedLimits(resources, warnings)) {
    if (limit.writes.length === 0) continue;
    writes.push(...limit.writes);
    const { controller } = limit;
    if (controller === "cgroup" || needs.some((need) => need.controller === controller)) continue;
    needs.push({ controller, jsonPath: `linux.resources.${limit.jsonPath}` });
  }
  const deviceProgram = facts.initialUserNamespace ? planDeviceProgram(resources.devices ?? []) : [];
  if (!facts.initialUserNamespace) {
    // The kernel refuses the program there, and lets nobody make device nodes.
    warnings.push(warning("linux.resources.devices", "not applied in a user namespace"));
  }
  return {
    path,
    controllers: mount.controllers,
    inherit: [],
    writes,
    unified: { mountPoint: mount.mountPoint, needs, deviceProgram },
  };
}

/** Every limit; some have no writes. Rules for devices are not among them. */
export function planUnifiedLimits(resources: LinuxResources, warnings: string[]): ControllerWrites[] {
  refuseVersion1(resources);
  const { memory = {}, cpu = {}, blockIO = {} } = resources;
  const limits: ControllerWrites[] = [];
  const add = (controller: string, jsonPath: string, writes: CgroupWrite[]) =>
    limits.push({ controller, jsonPath, writes });
  add("memory", "memory", planMemory(memory, warnings));
  add("cpu", "cpu", planCpu(cpu));
  add("cpuset", "cpu", planCpuset(cpu));
  add("pids", "pids", planPids(resources.pids?.limit));
  add("io", "blockIO", planIo(blockIO));
  add("hugetlb", "hugepageLimits", planHugepages(resources.hugepageLimits ?? []));
  add("rdma", "rdma", planRdma(resources.rdma ?? {}));
  // After the others: these are version 2's own terms, and the more exact ones.
  for (const [file, value] of Object.entries(resources.unified ?? {})) {
    add(file.slice(0, file.indexOf(".")), `unified["${file}"]`, planFile(file, value));
  }
  return limits;
}

/** What nothing of version 2 stands for. Zeros and empty lists are engines' way to write "not set". */
function refuseVersion1({ memory = {}, cpu = {}, blockIO = {}, network = {} }: LinuxResources): void {
  const asked: [jsonPath: string, isAsked: boolean][] = [
    ["memory.disableOOMKiller", memory.disableOOMKiller === true],
    ["memory.swappiness", memory.swappiness !== undefined],
    ["cpu.realtimeRuntime", Number(cpu.realtimeRuntime ?? 0) !== 0],
    ["cpu.realtimePeriod", Number(cpu.realtimePeriod ?? 0) !== 0],
    ["blockIO.leafWeight", (blockIO.leafWeight ?? 0) !== 0],
    ["blockIO.weightDevice", (blockIO.weightDevice ?? []).some(({ leafWeight = 0 }) => leafWeight !== 0)],
    ["network.classID", (network.classID ?? 0) !== 0],
    ["network.priorities", (network.priorities ?? []).length > 0],
  ];
  for (const [jsonPath, isAsked] of asked) {
    if (isAsked) throw unsupported(`linux.resources.${jsonPath}`, "cgroup v2 has no such limit");
  }
}

/** 0 is "not set", a negative number is "no limit". */
function limit(file: string, value: bigint | undefined): CgroupWrite[] {
  if (value === undefined || value === 0n) return [];
  return [{ file, value: value < 0n ? "max" : `${value}` }];
}

// memory.checkBeforeUpdate is for `update`: in a new directory no memory is in use. memory.useHierarchy is always so.
function planMemory(memory: LinuxMemory, warnings: string[]): CgroupWrite[] {
  for (const name of ["limit", "reservation", "swap"] as const) {
    const value = memory[name] ?? 0n;
    if (value < -1n) throw invalid(`linux.resources.memory.${name}`, `expected -1 or more, found ${value}`);
  }
  for (const name of ["kernel", "kernelTCP"] as const) {
    if (memory[name] !== undefined) {
      warnings.push(warning(`linux.resources.memory.${name}`, "not applied: the kernel has no such limit any more"));
    }
  }
  return [
    ...limit("memory.max", memory.limit),
    ...planSwap(memory.limit ?? 0n, memory.swap ?? 0n),
    ...limit("memory.low", memory.reservation),
  ];
}

/** `swap` is memory and swap together; memory.swap.max is swap alone. */
function planSwap(memory: bigint, together: bigint): CgroupWrite[] {
  const file = "memory.swap.max";
  // Without swap accounting the file is missing; "no limit" is what there is, and 0 is what a host without swap has.
  if (together < 0n || (together === 0n && memory < 0n)) return [{ file, value: "max", ifAbsent: "" }];
  if (together === 0n) return [];
  if (memory < 0n) return [{ file, value: `${together}` }];
  if (memory === 0n) {
    throw invalid("linux.resources.memory.swap", "memory and swap together can't be limited without a memory limit");
  }
  if (together < memory) {
    throw invalid("linux.resources.memory.swap", "memory and swap together can't be less than the memory limit");
  }
  const swap = together - memory;
  return swap === 0n ? [{ file, value: "0", ifAbsent: "" }] : [{ file, value: `${swap}` }];
}

/** Microseconds: cpu.max of a new directory. */
const defaultPeriod = 100_000n;

function planCpu({ shares = 0n, quota = 0n, period = 0n, burst, idle }: LinuxCpu): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  // The weight first: it can't be changed of a group that is idle.
  if (shares !== 0n) writes.push({ file: "cpu.weight", value: `${convertShares(shares)}` });
  if (idle !== undefined) writes.push({ file: "cpu.idle", value: `${idle}` });
  if (quota !== 0n || period !== 0n) {
    const most = quota > 0n ? `${quota}` : "max";
    writes.push({ file: "cpu.max", value: `${most} ${period === 0n ? defaultPeriod : period}` });
  }
  // The burst is checked against the quota, so it comes after.
  if (burst !== undefined) writes.push({ file: "cpu.max.burst", value: `${burst}` });
  return writes;
}

/**
 * cpu.shares (2 to 262144, 1024 is ordinary) as cpu.weight (1 to 10000, 100 is ordinary): 10 to the power of
 * (l² + 125 l) / 612 - 7 / 34 with l = log2(shares), rounded up. This parabola meets both ends and the ordinary
 * value; a straight line from end to end would make 39 of 1024.
 */
function convertShares(shares: bigint): number {
  if (shares <= 2n) return 1;
  if (shares >= 262144n) return 10000;
  const exponent = Math.log2(Number(shares));
  return Math.ceil(10 ** ((exponent * exponent + 125 * exponent) / 612 - 7 / 34));
}

function planCpuset({ cpus = "", mems = "" }: LinuxCpu): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  if (cpus !== "") writes.push({ file: "cpuset.cpus", value: cpus });
  if (mems !== "") writes.push({ file: "cpuset.mems", value: mems });
  return writes;
}

function planIo(blockIo: LinuxBlockIo): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  // BFQ has a file of its own, on the scale of version 1; otherwise the weight is that of the kernel's cost model.
  const addWeight = (target: string, weight: number | undefined): void => {
    if (weight === undefined || weight === 0) return;
    writes.push({
      file: "io.bfq.weight",
      value: `${target} ${weight}`,
      ifAbsent: "io.weight",
      valueIfAbsent: `${target} ${convertIoWeight(weight)}`,
    });
  };
  addWeight("default", blockIo.weight);
  for (const { major, minor, weight } of blockIo.weightDevice ?? []) addWeight(`${major}:${minor}`, weight);
  const throttles = [
    ["rbps", blockIo.throttleReadBpsDevice],
    ["wbps", blockIo.throttleWriteBpsDevice],
    ["riops", blockIo.throttleReadIOPSDevice],
    ["wiops", blockIo.throttleWriteIOPSDevice],
  ] as const;
  for (const [key, devices] of throttles) {
    for (const { major, minor, rate } of devices ?? []) {
      // 0 is version 1's "no limit"; here it is no number at all.
      writes.push({ file: "io.max", value: `${major}:${minor} ${key}=${rate === 0n ? "max" : rate}` });
    }
  }
  return writes;
}

/** blkio.weight (10 to 1000) as io.weight (1 to 10000), on a straight line. */
function convertIoWeight(weight: number): number {
  return 1 + Math.floor(((Math.max(weight, 10) - 10) * 9999) / 990);
}

function planHugepages(limits: NonNullable<LinuxResources["hugepageLimits"]>): CgroupWrite[] {
  return limits.flatMap(({ pageSize, limit: bytes }) => [
    // Reservations count when they are made, before any fault (Linux >= 5.7).
    { file: `hugetlb.${pageSize}.rsvd.max`, value: `${bytes}`, ifAbsent: "" },
    { file: `hugetlb.${pageSize}.max`, value: `${bytes}` },
  ]);
}

/** Of cgroup.*, what limits. The others move, kill or freeze processes, or decide about controllers. */
const ownFiles = ["cgroup.max.depth", "cgroup.max.descendants", "cgroup.pressure"];

/** The kernel takes one line with each write. */
function planFile(file: string, value: string): CgroupWrite[] {
  if (file.startsWith("cgroup.") && !ownFiles.includes(file)) {
    throw invalid(`linux.resources.unified["${file}"]`, "is not a resource");
  }
  const lines = value.split("\n").filter((line) => line !== "");
  return lines.length === 0 ? [{ file, value }] : lines.map((line) => ({ file, value: line }));
}
