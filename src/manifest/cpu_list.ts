// SPDX-License-Identifier: Apache-2.0
// Lists of CPUs as cgroups write them: "0-2,4" (cpuset(7), list format).
import { consistsOf } from "./text.ts";

/** The kernel's own maximum (CONFIG_NR_CPUS): a bound on the work that a list can cause. */
const maxCpus = 8192;

/** The CPUs of a list, ascending; undefined if it is not one. An empty text is an empty list. */
export function parseCpuList(text: string): number[] | undefined {
  if (text === "") return [];
  const listed = new Uint8Array(maxCpus);
  for (const item of text.split(",")) {
    const [first, last, ...rest] = item.split("-").map(parseCpu);
    if (first === undefined || rest.length > 0) return undefined;
    const end = item.includes("-") ? last : first;
    if (end === undefined || end < first) return undefined;
    listed.fill(1, first, end + 1);
  }
  const cpus: number[] = [];
  listed.forEach((is, cpu) => {
    if (is === 1) cpus.push(cpu);
  });
  return cpus;
}

/** The shortest list of ascending CPUs: [0, 1, 2, 4] is "0-2,4". */
export function formatCpuList(cpus: readonly number[]): string {
  const items: string[] = [];
  for (let start = 0; start < cpus.length; ) {
    let end = start;
    while (cpus[end + 1] === cpus[end]! + 1) end++;
    items.push(start === end ? `${cpus[start]}` : `${cpus[start]}-${cpus[end]}`);
    start = end + 1;
  }
  return items.join(",");
}

function parseCpu(text: string): number | undefined {
  const trimmed = text.trim();
  if (trimmed.length > 4 || !consistsOf(trimmed, "0123456789")) return undefined;
  const cpu = Number(trimmed);
  return cpu < maxCpus ? cpu : undefined;
}
