// SPDX-License-Identifier: Apache-2.0
// linux.intelRdt: a group of the resctrl file system (config-linux.md "IntelRdt"; Documentation/filesystems/resctrl.rst).
import type { Linux } from "../spec/config.ts";
import type { ResctrlPlan } from "./plan.ts";
import { invalid } from "./refusal.ts";

/** Directories that every group has. */
const reserved = [".", "..", "info", "mon_groups", "mon_data"];

/** null where the container asks for none. @throws CONFIG_INVALID with the JSON path */
export function planResctrl({ intelRdt }: Linux, id: string): ResctrlPlan | null {
  if (intelRdt === undefined) return null;
  const { closID = "", l3CacheSchema = "", memBwSchema = "", schemata = [], enableMonitoring = false } = intelRdt;
  if (closID.includes("/") || closID.includes("\n") || reserved.includes(closID)) {
    throw invalid("linux.intelRdt.closID", `"${closID}" is not the name of a group`);
  }
  if (memBwSchema !== "" && (!memBwSchema.startsWith("MB:") || memBwSchema.includes("\n"))) {
    throw invalid("linux.intelRdt.memBwSchema", `expected one line that starts with MB:, found "${memBwSchema}"`);
  }
  const cacheLines = l3CacheSchema.split("\n").filter((line) => line !== "");
  return {
    group: closID === "" ? id : closID,
    isOwn: closID === "",
    // Of two that say something of the memory bandwidth, the property that is for it counts.
    limits: [
      ...cacheLines.filter((line) => memBwSchema === "" || !line.startsWith("MB:")),
      ...(memBwSchema === "" ? [] : [memBwSchema]),
    ],
    schemata: schemata.filter((line) => line !== ""),
    monitorGroup: enableMonitoring ? id : "",
  };
}
