// SPDX-License-Identifier: Apache-2.0
// linux.resources as writes to cgroup version 1 files. At a start the files are those of a directory that was just made;
// `update` takes care of values that have to be kept consistent with earlier ones.
// Source: Documentation/admin-guide/cgroup-v1/ of the kernel, config-linux.md of the runtime-spec.
import type { EdgerunError } from "../errors.ts";
import type { LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxResources } from "../spec/config.ts";
import { planDeviceRules } from "./device_rules.ts";
import type { CgroupPlan, CgroupWrite, HostFacts } from "./plan.ts";
import { invalid, unsupported, warning } from "./refusal.ts";

/** A hierarchy's directory, with the controllers that its files belong to. */
export type ControllerPlan = { controllers: readonly string[]; plan: CgroupPlan };

/** Writes to one controller's files, and the JSON path below linux.resources of what they are for. */
export type ControllerWrites = { controller: string; jsonPath: string; writes: CgroupWrite[] };

/** Adds every write to the directory of its controller. @throws UNSUPPORTED where a controller is missing */
export function planResources(
  resources: LinuxResources,
  plans: readonly ControllerPlan[],
  facts: HostFacts,
  warnings: string[],
): void {
  const limits = planLimits(resources, warnings);
  if (facts.initialUserNamespace) {
    const writes = planDeviceRules(resources.devices ?? []);
    limits.unshift({ controller: "devices", jsonPath: "devices", writes });
  } else {
    // The kernel refuses the writes there, and lets nobody make device nodes.
    warnings.push(warning("linux.resources.devices", "not applied in a user namespace"));
  }
  for (const { controller, jsonPath, writes } of limits) {
    if (writes.length === 0) continue;
    const found = plans.find(({ controllers }) => controllers.includes(controller));
    if (found === undefined) throw missingController(jsonPath, controller);
    found.plan.writes.push(...writes);
  }
}

/** The refusal of a limit whose controller the host does not have, or has in a version 2 hierarchy of a hybrid host. */
export function missingController(jsonPath: string, controller: string): EdgerunError {
  return unsupported(`linux.resources.${jsonPath}`, `this host has no cgroup controller "${controller}"`);
}

/** Every limit, whatever the host has; some have no writes. Rules for devices are not among them. */
export function planLimits(resources: LinuxResources, warnings: string[]): ControllerWrites[] {
  if (Object.keys(resources.unified ?? {}).length > 0) {
    throw invalid("linux.resources.unified", "cannot use unified on cgroup v1");
  }
  const { memory = {}, cpu = {}, blockIO = {}, network = {} } = resources;
  const limits: ControllerWrites[] = [];
  const add = (controller: string, jsonPath: string, writes: CgroupWrite[]) =>
    limits.push({ controller, jsonPath, writes });
  add("memory", "memory", planMemory(memory, warnings));
  add("cpu", "cpu", planCpu(cpu));
  add("cpuset", "cpu", planCpuset(cpu));
  add("pids", "pids", planPids(resources.pids?.limit));
  add("blkio", "blockIO", planBlockIo(blockIO));
  add("hugetlb", "hugepageLimits", planHugepages(resources.hugepageLimits ?? []));
  add("net_cls", "network.classID", present("net_cls.classid", network.classID ?? 0));
  add("net_prio", "network.priorities", planPriorities(network.priorities ?? []));
  add("rdma", "rdma", planRdma(resources.rdma ?? {}));
  return limits;
}

/** One write, unless the value is 0: engines write 0 for "not set". */
function present(file: string, value: number | bigint | undefined): CgroupWrite[] {
  return value === undefined || Number(value) === 0 ? [] : [{ file, value: `${value}` }];
}

function planMemory(memory: LinuxMemory, warnings: string[]): CgroupWrite[] {
  const { limit = 0n, swap = 0n } = memory;
  if (limit > 0n && swap > 0n && swap < limit) {
    throw invalid("linux.resources.memory.swap", "memory and swap together can't be less than the memory limit");
  }
  if (memory.kernel !== undefined) {
    warnings.push(warning("linux.resources.memory.kernel", "not applied: the kernel has no such limit any more"));
  }
  // The limit first: memory and swap together may never be less than memory alone.
  const writes = present("memory.limit_in_bytes", limit);
  for (const write of present("memory.memsw.limit_in_bytes", swap)) {
    // Without swap accounting the file is missing, and "no limit" is what there is.
    writes.push(swap < 0n ? { ...write, ifAbsent: "" } : write);
  }
  writes.push(...present("memory.soft_limit_in_bytes", memory.reservation));
  writes.push(...present("memory.kmem.tcp.limit_in_bytes", memory.kernelTCP));
  if (memory.useHierarchy !== undefined) {
    writes.push({ file: "memory.use_hierarchy", value: memory.useHierarchy ? "1" : "0" });
  }
  if (memory.disableOOMKiller === true) writes.push({ file: "memory.oom_control", value: "1" });
  if (memory.swappiness !== undefined) writes.push({ file: "memory.swappiness", value: `${memory.swappiness}` });
  return writes;
}

/** cpu.shares: the kernel takes what is outside for the nearest of the two, without a word. */
const sharesRange = [2n, 262144n] as const;

function planCpu(cpu: LinuxCpu): CgroupWrite[] {
  const shares = cpu.shares ?? 0n;
  if (shares !== 0n && (shares < sharesRange[0] || shares > sharesRange[1])) {
    throw invalid("linux.resources.cpu.shares", `expected ${sharesRange[0]} to ${sharesRange[1]}, found ${shares}`);
  }
  const writes = [
    ...present("cpu.rt_period_us", cpu.realtimePeriod),
    ...present("cpu.rt_runtime_us", cpu.realtimeRuntime),
    ...present("cpu.shares", shares),
    ...present("cpu.cfs_period_us", cpu.period),
    ...present("cpu.cfs_quota_us", cpu.quota),
  ];
  // The burst is checked against the quota, so it comes after.
  if (cpu.burst !== undefined) writes.push({ file: "cpu.cfs_burst_us", value: `${cpu.burst}` });
  if (cpu.idle !== undefined) writes.push({ file: "cpu.idle", value: `${cpu.idle}` });
  return writes;
}

function planCpuset({ cpus = "", mems = "" }: LinuxCpu): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  if (cpus !== "") writes.push({ file: "cpuset.cpus", value: cpus });
  if (mems !== "") writes.push({ file: "cpuset.mems", value: mems });
  return writes;
}

/** pids.max is the same file in both versions. */
export function planPids(limit: bigint | undefined): CgroupWrite[] {
  if (limit === undefined) return [];
  return [{ file: "pids.max", value: limit > 0n ? `${limit}` : "max" }];
}

function planBlockIo(blockIo: LinuxBlockIo): CgroupWrite[] {
  const writes: CgroupWrite[] = [];
  // Weights are the scheduler's: CFQ's files until Linux 4.20, then BFQ's. CFQ alone had leaf weights.
  for (const write of present("blkio.weight", blockIo.weight)) {
    writes.push({ ...write, ifAbsent: "blkio.bfq.weight" });
  }
  writes.push(...present("blkio.leaf_weight", blockIo.leafWeight));
  for (const { major, minor, weight, leafWeight } of blockIo.weightDevice ?? []) {
    if (weight !== undefined && weight !== 0) {
      const value = `${major}:${minor} ${weight}`;
      writes.push({ file: "blkio.weight_device", value, ifAbsent: "blkio.bfq.weight_device" });
    }
    if (leafWeight !== undefined && leafWeight !== 0) {
      writes.push({ file: "blkio.leaf_weight_device", value: `${major}:${minor} ${leafWeight}` });
    }
  }
  const throttles = [
    ["blkio.throttle.read_bps_device", blockIo.throttleReadBpsDevice],
    ["blkio.throttle.write_bps_device", blockIo.throttleWriteBpsDevice],
    ["blkio.throttle.read_iops_device", blockIo.throttleReadIOPSDevice],
    ["blkio.throttle.write_iops_device", blockIo.throttleWriteIOPSDevice],
  ] as const;
  for (const [file, devices] of throttles) {
    for (const { major, minor, rate } of devices ?? []) writes.push({ file, value: `${major}:${minor} ${rate}` });
  }
  return writes;
}

function planHugepages(limits: NonNullable<LinuxResources["hugepageLimits"]>): CgroupWrite[] {
  return limits.flatMap(({ pageSize, limit }) => [
    // Reservations count when they are made, before any fault (Linux >= 5.7).
    { file: `hugetlb.${pageSize}.rsvd.limit_in_bytes`, value: `${limit}`, ifAbsent: "" },
    { file: `hugetlb.${pageSize}.limit_in_bytes`, value: `${limit}` },
  ]);
}

function planPriorities(priorities: readonly { name: string; priority: number }[]): CgroupWrite[] {
  return priorities.map(({ name, priority }) => ({ file: "net_prio.ifpriomap", value: `${name} ${priority}` }));
}

/** rdma.max is the same file in both versions. */
export function planRdma(rdma: NonNullable<LinuxResources["rdma"]>): CgroupWrite[] {
  return Object.entries(rdma).map(([device, { hcaHandles, hcaObjects }]) => {
    const handles = hcaHandles === undefined ? "" : ` hca_handle=${hcaHandles}`;
    const objects = hcaObjects === undefined ? "" : ` hca_object=${hcaObjects}`;
    return { file: "rdma.max", value: `${device}${handles}${objects}` };
  });
}
