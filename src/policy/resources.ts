// SPDX-License-Identifier: Apache-2.0
// Quantities: memory, CPU, pids. Each becomes the smaller of what the bundle asks for and what the manifest grants;
// what the bundle leaves open becomes the grant. Also applied to what `update` asks for, merged into what is in force.
import { formatCpuList, parseCpuList } from "../manifest/cpu_list.ts";
import type { Grants } from "../manifest/schema.ts";
import type { LinuxCpu, LinuxMemory, LinuxResources } from "../spec/config.ts";
import type { Decision } from "./decision.ts";
import { formatBytes, formatPercent } from "./quantities.ts";

/** Without a `cpu` grant: the time of one CPU. Time can't be refused as a device can; this leaves the others free. */
const defaultQuotaPercent = 100;
/** cpu.shares of an ordinary cgroup: an app may ask to weigh less, not more. */
const ordinaryShares = 1024n;
/** Microseconds: the kernel's default period. A grant of 1 % of it is 1 ms, the smallest quota that the kernel takes. */
const defaultPeriod = 100000n;

/** The resources as far as they are granted; `devices` stays as it is, see limitDevices(). */
export function limitResources(asked: LinuxResources, grants: Grants, decisions: Decision[]): LinuxResources {
  const { unified, ...rest } = asked;
  for (const [file, value] of Object.entries(unified ?? {})) {
    // Written after the limits above, any of these could undo them: memory.max, cpu.weight, memory.min ...
    decisions.push({
      subject: `cgroup ${file}`,
      asked: value,
      granted: "-",
      verdict: "dropped",
      rule: "base: no raw cgroup files",
    });
  }
  return {
    ...rest,
    memory: limitMemory(asked.memory ?? {}, grants, decisions),
    cpu: limitCpu(asked.cpu ?? {}, grants, decisions),
    pids: { limit: limitPids(asked.pids?.limit, grants, decisions) },
  };
}

function limitMemory(asked: LinuxMemory, grants: Grants, decisions: Decision[]): LinuxMemory {
  const ceiling = BigInt(grants.memory.limitBytes);
  const limit = asked.limit !== undefined && asked.limit > 0n && asked.limit < ceiling ? asked.limit : ceiling;
  decisions.push({
    subject: "memory limit",
    asked: isLimit(asked.limit) ? formatBytes(asked.limit) : "no limit",
    granted: formatBytes(limit),
    verdict: limit === asked.limit ? "granted" : "clamped",
    rule: "grants.memory.limitBytes",
  });
  // `swap` is memory and swap together (runtime-spec): equal to the limit, there is none.
  if (asked.swap !== limit) {
    decisions.push({
      subject: "memory swap",
      asked: formatSwap(asked),
      granted: "none",
      verdict: "clamped",
      rule: "base: no swap",
    });
  }
  const { disableOOMKiller, ...rest } = asked;
  if (disableOOMKiller === true) {
    decisions.push({
      subject: "memory disableOOMKiller",
      asked: "true",
      granted: "-",
      verdict: "dropped",
      rule: "base: no precedence over others",
    });
  }
  const limited: LinuxMemory = { ...rest, limit, swap: limit };
  for (const name of ["reservation", "kernel", "kernelTCP"] as const) {
    const value = asked[name];
    if (value !== undefined && (value < 0n || value > limit)) limited[name] = limit;
  }
  return limited;
}

function isLimit(value: bigint | undefined): value is bigint {
  return value !== undefined && value > 0n;
}

function formatSwap(asked: LinuxMemory): string {
  if (!isLimit(asked.swap)) return "no limit";
  if (!isLimit(asked.limit) || asked.swap < asked.limit) return `${formatBytes(asked.swap)} with memory`;
  return asked.swap === asked.limit ? "none" : formatBytes(asked.swap - asked.limit);
}

function limitCpu(asked: LinuxCpu, grants: Grants, decisions: Decision[]): LinuxCpu {
  const { burst, realtimeRuntime, realtimePeriod, ...rest } = asked;
  const limited: LinuxCpu = { ...rest, ...limitCpuTime(asked, grants, decisions) };
  const rule = "base: no precedence over others";
  for (const [name, value] of Object.entries({ burst, realtimeRuntime, realtimePeriod })) {
    if (value === undefined || value <= 0n) continue;
    decisions.push({ subject: `cpu ${name}`, asked: `${value} us`, granted: "-", verdict: "dropped", rule });
  }
  if (asked.shares !== undefined && asked.shares > ordinaryShares) {
    limited.shares = ordinaryShares;
    const granted = `${ordinaryShares}`;
    decisions.push({ subject: "cpu shares", asked: `${asked.shares}`, granted, verdict: "clamped", rule });
  }
  const cpus = limitCpus(asked.cpus, grants, decisions);
  if (cpus !== undefined) limited.cpus = cpus;
  return limited;
}

function limitCpuTime(asked: LinuxCpu, grants: Grants, decisions: Decision[]): { quota: bigint; period: bigint } {
  const percent = BigInt(grants.cpu?.quotaPercent ?? defaultQuotaPercent);
  const period = asked.period !== undefined && asked.period > 0n ? asked.period : defaultPeriod;
  const quota = asked.quota ?? 0n;
  const fits = quota > 0n && quota * 100n <= percent * period;
  const result = fits ? { quota, period } : { quota: (percent * defaultPeriod) / 100n, period: defaultPeriod };
  decisions.push({
    subject: "cpu time",
    asked: quota > 0n ? formatPercent(quota, period) : "no limit",
    granted: formatPercent(result.quota, result.period),
    verdict: fits ? "granted" : "clamped",
    rule: grants.cpu === undefined ? "base: one CPU" : "grants.cpu.quotaPercent",
  });
  return result;
}

/** The CPUs that both name; denied if there is none, because an empty list would mean all. */
function limitCpus(asked: string | undefined, grants: Grants, decisions: Decision[]): string | undefined {
  const granted = grants.cpu?.cpus;
  if (granted === undefined) return asked;
  const ceiling = parseCpuList(granted) ?? [];
  // A list that can't be read is one that asks for CPUs that don't exist: the kernel would refuse it.
  const wanted = asked === undefined || asked === "" ? undefined : (parseCpuList(asked) ?? []);
  const both = wanted === undefined ? ceiling : wanted.filter((cpu) => ceiling.includes(cpu));
  const result = formatCpuList(both);
  const asAsked = wanted !== undefined && both.length === wanted.length && both.length > 0;
  decisions.push({
    subject: "cpu cpus",
    asked: wanted === undefined ? "all" : (asked ?? ""),
    granted: both.length === 0 ? granted : result,
    verdict: both.length === 0 ? "denied" : asAsked ? "granted" : "clamped",
    rule: "grants.cpu.cpus",
  });
  return both.length === 0 ? granted : result;
}

function limitPids(asked: bigint | undefined, grants: Grants, decisions: Decision[]): bigint {
  const ceiling = BigInt(grants.pids.limit);
  const limit = isLimit(asked) && asked < ceiling ? asked : ceiling;
  decisions.push({
    subject: "pids limit",
    asked: isLimit(asked) ? `${asked}` : "no limit",
    granted: `${limit}`,
    verdict: limit === asked ? "granted" : "clamped",
    rule: "grants.pids.limit",
  });
  return limit;
}
