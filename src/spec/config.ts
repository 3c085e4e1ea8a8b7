// SPDX-License-Identifier: Apache-2.0
// config.json as a whole (runtime-spec 1.3, config.md), for Linux. Property names are those of the specification.
import type { Decoded, Schema } from "../schema/schema.ts";
import { hooksSchema } from "./hooks.ts";
import { linuxSchema } from "./linux.ts";
import { mountSchema, rootSchema } from "./mounts.ts";
import { type Process, processSchema } from "./process.ts";

export type { Hook, Hooks } from "./hooks.ts";
export type { Device, IntelRdt, Linux, MemoryPolicy, Namespace, NamespaceType, TimeOffset } from "./linux.ts";
export type { IdMapping, Mount, Root } from "./mounts.ts";
export type { Capabilities, IoPriority, Process, Rlimit, Scheduler, User } from "./process.ts";
export type { DeviceRule, LinuxBlockIo, LinuxCpu, LinuxMemory, LinuxResources } from "./resources.ts";
export type {
  Seccomp,
  SeccompAction,
  SeccompArchitecture,
  SeccompArg,
  SeccompOperator,
  SeccompSyscall,
} from "./seccomp.ts";

export const specSchema = {
  required: { ociVersion: "nonempty_string", root: rootSchema },
  optional: {
    process: processSchema,
    hostname: "string",
    domainname: "string",
    mounts: { list: mountSchema },
    hooks: hooksSchema,
    annotations: { map: "string" },
    linux: linuxSchema,
  },
} as const satisfies Schema;

/** Without a process in config.json, `process` is one without args: nothing to start (runtime-spec, "Process"). */
export type Spec = Decoded<typeof specSchema> & { process: Process };
