// SPDX-License-Identifier: Apache-2.0
// Rules of `process` that a schema can't say (runtime-spec 1.3, config.md).
import { quote } from "../schema/describe.ts";
import { capabilityNames } from "./capabilities.ts";
import type { Capabilities, Process, Rlimit, Scheduler } from "./process.ts";
import { fail, type Report, warn } from "./report.ts";
import { rlimitNumber } from "./rlimits.ts";

/** Checks a decoded process, and leaves unknown capabilities out. `path` is where it stands: "$.process" or "$". */
export function validateProcess(report: Report, path: string, process: Process): void {
  for (const [index, entry] of (process.env ?? []).entries()) {
    // A name of no characters can't be looked up; entries that start with "=" are nothing but mistakes.
    if (entry.indexOf("=") < 1) fail(report, `${path}.env[${index}]`, `expected NAME=value, found ${quote(entry)}`);
  }
  if (process.args[0] === "") fail(report, `${path}.args[0]`, "must not be empty");
  if (process.capabilities !== undefined) validateCapabilities(report, `${path}.capabilities`, process.capabilities);
  if (process.rlimits !== undefined) validateRlimits(report, `${path}.rlimits`, process.rlimits);
  if (process.scheduler !== undefined) validateScheduler(report, `${path}.scheduler`, process.scheduler);
}

/** The specification wants capabilities that the runtime doesn't know ignored, with a warning. */
function validateCapabilities(report: Report, path: string, capabilities: Capabilities): void {
  for (const set of Object.keys(capabilities) as (keyof Capabilities)[]) {
    const names = capabilities[set]!;
    const known = names.filter((name) => capabilityNames.includes(name));
    if (known.length === names.length) continue;
    const unknown = names.filter((name) => !known.includes(name));
    warn(report, `${path}.${set}`, `unknown capabilities ignored: ${unknown.map(quote).join(", ")}`);
    capabilities[set] = known;
  }
}

function validateRlimits(report: Report, path: string, rlimits: Rlimit[]): void {
  const seen = new Set<string>();
  for (const [index, { type, soft, hard }] of rlimits.entries()) {
    if (rlimitNumber(type) === undefined) fail(report, `${path}[${index}].type`, `unknown resource ${quote(type)}`);
    if (seen.has(type)) fail(report, `${path}[${index}].type`, `duplicate ${type}`);
    if (soft > hard) fail(report, `${path}[${index}].soft`, `${soft} is above the hard limit ${hard}`);
    seen.add(type);
  }
}

/** As sched_setattr(2): priority is for the real-time policies, the three times are for SCHED_DEADLINE. */
function validateScheduler(report: Report, path: string, scheduler: Scheduler): void {
  const { policy, priority = 0 } = scheduler;
  if (priority !== 0 && policy !== "SCHED_FIFO" && policy !== "SCHED_RR") {
    fail(report, `${path}.priority`, `only for SCHED_FIFO and SCHED_RR, not for ${policy}`);
  }
  if (policy === "SCHED_DEADLINE") return;
  for (const name of ["runtime", "deadline", "period"] as const) {
    if ((scheduler[name] ?? 0n) !== 0n) fail(report, `${path}.${name}`, `only for SCHED_DEADLINE, not for ${policy}`);
  }
}
