// SPDX-License-Identifier: Apache-2.0
import { EdgerunError } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import type { ContainerRecord } from "../state/record.ts";

/** Removes what a container has in resctrl. Safe to repeat. */
export function removeResctrlDirectories(host: Host, { resctrl = [] }: ContainerRecord): void {
  for (const path of resctrl) {
    try {
      host.removeDirectory(path);
    } catch (error) {
      if (!(error instanceof EdgerunError && error.errno === "ENOENT")) throw error;
    }
  }
}
