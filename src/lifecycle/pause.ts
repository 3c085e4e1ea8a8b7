// SPDX-License-Identifier: Apache-2.0
import { EdgerunError } from "../errors.ts";
import { computeStatus } from "../state/status.ts";
import { lockDirectory, readRecord, unlockDirectory } from "../state/store.ts";
import { setFrozen } from "./cgroups.ts";
import { notRunning } from "./kill.ts";
import type { Context } from "./options.ts";

/** `pause`: freezes every process of the container. */
export function pause(context: Context, id: string): number {
  const { host, root } = context;
  const directory = lockDirectory(host, root, id);
  try {
    const record = readRecord(host, root, id);
    const status = computeStatus(host, root, record);
    if (status !== "running" && status !== "created") throw notRunning();
    setFrozen(host, record, true);
  } finally {
    unlockDirectory(host, directory);
  }
  return 0;
}

/**
 * `resume`: thaws a paused container. Takes no lock: an exec that was frozen before its process was ready holds it, and
 * waits for just this.
 */
export function resume(context: Context, id: string): number {
  const { host, root } = context;
  const record = readRecord(host, root, id);
  if (computeStatus(host, root, record) !== "paused") {
    throw new EdgerunError("CONTAINER_STATE", "container not paused");
  }
  setFrozen(host, record, false);
  return 0;
}
