// SPDX-License-Identifier: Apache-2.0
import { type Command, defineCommand } from "../grammar.ts";
import { unsupportedCommand } from "../unsupported.ts";

/** `update`: not in this version. */
export function updateCommand(): Command {
  return defineCommand({
    name: "update",
    summary: "change the resource limits of a container",
    usage: "<container-id>",
    flags: {
      resources: { kind: "value", short: "r", doc: "file of linux.resources as JSON, or - for stdin" },
      "blkio-weight": { kind: "value", doc: "block I/O weight, 10 to 1000" },
      "cpu-period": { kind: "value", doc: "CFS period in microseconds" },
      "cpu-quota": { kind: "value", doc: "CFS quota in microseconds" },
      "cpu-burst": { kind: "value", doc: "CFS burst in microseconds" },
      "cpu-share": { kind: "value", doc: "CPU shares" },
      "cpu-rt-period": { kind: "value", doc: "real-time period in microseconds" },
      "cpu-rt-runtime": { kind: "value", doc: "real-time runtime in microseconds" },
      "cpuset-cpus": { kind: "value", doc: "CPUs to use" },
      "cpuset-mems": { kind: "value", doc: "memory nodes to use" },
      "cpu-idle": { kind: "value", doc: "1: run only when nothing else does" },
      memory: { kind: "value", doc: "memory limit in bytes" },
      "memory-reservation": { kind: "value", doc: "soft memory limit in bytes" },
      "memory-swap": { kind: "value", doc: "memory and swap in bytes, -1: no limit" },
      "kernel-memory": { kind: "value", hidden: true, doc: "accepted for compatibility, has no effect" },
      "kernel-memory-tcp": { kind: "value", hidden: true, doc: "accepted for compatibility, has no effect" },
      "pids-limit": { kind: "value", doc: "number of processes" },
      "l3-cache-schema": { kind: "value", doc: "Intel RDT L3 cache schema" },
      "mem-bw-schema": { kind: "value", doc: "Intel RDT memory bandwidth schema" },
    },
    minArgs: 1,
    maxArgs: 1,
    unsupported: true,
    run: () => unsupportedCommand("update"),
  });
}
