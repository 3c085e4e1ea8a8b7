// SPDX-License-Identifier: Apache-2.0
// linux.sysctl. That each parameter belongs to a namespace of the container was checked with config.json.
import type { Linux } from "../spec/config.ts";
import { sysctlPath } from "../spec/sysctl.ts";
import type { Operation } from "./operations.ts";

/** One operation per parameter, in the order of config.json. */
export function planSysctls(linux: Linux): Operation[] {
  return Object.entries(linux.sysctl ?? {}).map(([name, value]) => ({
    op: "set_sysctl",
    path: sysctlPath(name),
    value,
  }));
}
