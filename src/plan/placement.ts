// SPDX-License-Identifier: Apache-2.0
// Where a process runs and where its memory lies: process.execCPUAffinity and linux.memoryPolicy.
import { parseCpuList } from "../manifest/cpu_list.ts";
import type { Linux, Process } from "../spec/config.ts";
import type { Operation } from "./operations.ts";
import { invalid } from "./refusal.ts";

/** Before an exec'd process joins the container's cgroups (config.md "execCPUAffinity"). */
export function planInitialAffinity({ execCPUAffinity }: Process): Operation[] {
  return planAffinity(execCPUAffinity?.initial ?? "", "process.execCPUAffinity.initial");
}

/** After it has joined them: what was set before is taken back, as far as its cpuset goes, where nothing else is said. */
export function planFinalAffinity({ execCPUAffinity }: Process): Operation[] {
  const { initial = "", final = "" } = execCPUAffinity ?? {};
  if (final !== "") return planAffinity(final, "process.execCPUAffinity.final");
  return initial === "" ? [] : [{ op: "set_cpu_affinity", cpus: everyCpu() }];
}

function planAffinity(list: string, jsonPath: string): Operation[] {
  return list === "" ? [] : [{ op: "set_cpu_affinity", cpus: parseMask(list, jsonPath) }];
}

/** As many as the kernel can be built for; it leaves out those that are not there. */
function everyCpu(): number[] {
  return new Array(8192 / 32).fill(0xffff_ffff);
}

/** "0-3,7" as a bit mask. */
function parseMask(list: string, jsonPath: string): number[] {
  const numbers = parseCpuList(list);
  if (numbers === undefined || numbers.length === 0)
    throw invalid(jsonPath, `expected a list such as 0-3,7, found "${list}"`);
  const mask: number[] = [];
  for (const number of numbers) {
    const word = number >>> 5;
    while (mask.length <= word) mask.push(0);
    mask[word] = (mask[word]! | (1 << (number & 31))) >>> 0;
  }
  return mask;
}

/** Arguments of set_mempolicy(2) (linux/mempolicy.h). */
const modes = {
  MPOL_DEFAULT: 0,
  MPOL_PREFERRED: 1,
  MPOL_BIND: 2,
  MPOL_INTERLEAVE: 3,
  MPOL_LOCAL: 4,
  MPOL_PREFERRED_MANY: 5,
  MPOL_WEIGHTED_INTERLEAVE: 6,
} as const;
const modeFlags = {
  MPOL_F_NUMA_BALANCING: 1 << 13,
  MPOL_F_RELATIVE_NODES: 1 << 14,
  MPOL_F_STATIC_NODES: 1 << 15,
} as const;

/** linux.memoryPolicy: every process of the container has it, by inheritance or from `exec`. */
export function planMemoryPolicy({ memoryPolicy }: Linux): Operation[] {
  if (memoryPolicy === undefined) return [];
  let mode: number = modes[memoryPolicy.mode];
  for (const flag of memoryPolicy.flags ?? []) mode |= modeFlags[flag];
  const { nodes = "" } = memoryPolicy;
  return [{ op: "set_memory_policy", mode, nodes: nodes === "" ? [] : parseMask(nodes, "linux.memoryPolicy.nodes") }];
}
