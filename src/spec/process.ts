// SPDX-License-Identifier: Apache-2.0
// `process` of config.json, and the process.json of `exec --process` (runtime-spec 1.3, config.md).
import type { Decoded, Schema } from "../schema/schema.ts";

const capabilityList = { list: "string" } as const satisfies Schema;

export const capabilitiesSchema = {
  required: {},
  optional: {
    bounding: capabilityList,
    effective: capabilityList,
    inheritable: capabilityList,
    permitted: capabilityList,
    ambient: capabilityList,
  },
} as const satisfies Schema;

export const userSchema = {
  required: { uid: "u32", gid: "u32" },
  // username is meant for Windows; Linux engines write it too.
  optional: { umask: "u32", additionalGids: { list: "u32" }, username: "string" },
} as const satisfies Schema;

export const rlimitSchema = {
  required: { type: "string", soft: "u64", hard: "u64" },
  optional: {},
} as const satisfies Schema;

/** Arguments of sched_setattr(2); runtime, deadline and period are nanoseconds. */
export const schedulerSchema = {
  required: {
    policy: {
      oneOf: ["SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "SCHED_ISO", "SCHED_IDLE", "SCHED_DEADLINE"],
    },
  },
  optional: {
    nice: { integer: [-20, 19] },
    priority: "i32",
    flags: {
      list: {
        oneOf: [
          "SCHED_FLAG_RESET_ON_FORK",
          "SCHED_FLAG_RECLAIM",
          "SCHED_FLAG_DL_OVERRUN",
          "SCHED_FLAG_KEEP_POLICY",
          "SCHED_FLAG_KEEP_PARAMS",
          "SCHED_FLAG_UTIL_CLAMP_MIN",
          "SCHED_FLAG_UTIL_CLAMP_MAX",
        ],
      },
    },
    runtime: "u64",
    deadline: "u64",
    period: "u64",
  },
} as const satisfies Schema;

export const ioPrioritySchema = {
  required: {
    class: { oneOf: ["IOPRIO_CLASS_RT", "IOPRIO_CLASS_BE", "IOPRIO_CLASS_IDLE"] },
    priority: { integer: [0, 7] },
  },
  optional: {},
} as const satisfies Schema;

export const processSchema = {
  required: { user: userSchema, cwd: "absolute_path", args: { list: "string", minItems: 1 } },
  optional: {
    terminal: "boolean",
    consoleSize: { required: { height: "u16", width: "u16" }, optional: {} },
    env: { list: "string" },
    capabilities: capabilitiesSchema,
    rlimits: { list: rlimitSchema },
    noNewPrivileges: "boolean",
    apparmorProfile: "string",
    selinuxLabel: "string",
    oomScoreAdj: { integer: [-1000, 1000] },
    scheduler: schedulerSchema,
    ioPriority: ioPrioritySchema,
    execCPUAffinity: { required: {}, optional: { initial: "string", final: "string" } },
  },
} as const satisfies Schema;

export type Capabilities = Decoded<typeof capabilitiesSchema>;
export type User = Decoded<typeof userSchema>;
export type Rlimit = Decoded<typeof rlimitSchema>;
export type Scheduler = Decoded<typeof schedulerSchema>;
export type IoPriority = Decoded<typeof ioPrioritySchema>;
export type Process = Decoded<typeof processSchema>;
