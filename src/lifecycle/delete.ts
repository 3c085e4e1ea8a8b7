// SPDX-License-Identifier: Apache-2.0
import { EdgerunError } from "../errors.ts";
import type { ContainerRecord } from "../state/record.ts";
import { computeStatus } from "../state/status.ts";
import { lockDirectory, readRecord, removeDirectory, type StateDirectory, unlockDirectory } from "../state/store.ts";
import { removeCgroups } from "./cgroups.ts";
import type { Context, DeleteOptions } from "./options.ts";
import { killAll, killAtOnce } from "./processes.ts";
import { listTeardown } from "./teardown.ts";

/**
 * `delete`: a stopped container, or one that was never started. With force any container, from its record alone, and
 * one that does not exist is no error.
 */
export function deleteContainer(context: Context, options: DeleteOptions): number {
  const { host, root } = context;
  const { id, force } = options;
  if (force) killUnlocked(context, id);
  let directory: StateDirectory;
  try {
    directory = lockDirectory(host, root, id);
  } catch (error) {
    if (force && error instanceof EdgerunError && error.code === "CONTAINER_NOT_FOUND") return 0;
    throw error;
  }
  try {
    const record = readRecordOrNothing(context, id, force);
    if (record === undefined) {
      removeRemains(context, directory);
      return 0;
    }
    const status = computeStatus(host, root, record);
    if (!force && (status === "running" || status === "paused" || status === "creating")) {
      throw new EdgerunError("CONTAINER_STATE", `cannot delete container ${id} that is not stopped: ${status}`);
    }
    destroy(context, directory, record);
  } finally {
    unlockDirectory(host, directory);
  }
  return 0;
}

/**
 * Before we wait for the lock: who holds it may wait for a process inside (an exec whose process was stopped by the
 * container, a hook that hangs), and goes on when that has ended.
 */
function killUnlocked(context: Context, id: string): void {
  try {
    killAtOnce(context.host, readRecord(context.host, context.root, id));
  } catch (error) {
    if (!(error instanceof EdgerunError)) throw error; // what can't be done now is reported under the lock
  }
}

function readRecordOrNothing(context: Context, id: string, force: boolean): ContainerRecord | undefined {
  try {
    return readRecord(context.host, context.root, id);
  } catch (error) {
    if (force && error instanceof EdgerunError && error.code === "CONTAINER_STATE") return undefined;
    throw error;
  }
}

/**
 * Without a usable record. Killed before it was on disk, nothing else was done. Where it was damaged later, there is
 * the effective config, which names the cgroups; what is in them is the container.
 */
function removeRemains(context: Context, directory: StateDirectory): void {
  const { host } = context;
  for (const path of context.lifecycle.findCgroups(context, directory)) {
    killAll(host, path);
    removeCgroups(host, [path]);
  }
  removeDirectory(host, directory);
}

/** Ends whatever runs in the container and removes everything of it, up to the first step that fails. */
export function destroy(context: Context, directory: StateDirectory, record: ContainerRecord): void {
  for (const step of listTeardown(context, directory, record)) step();
}

/**
 * After a foreground `run`. Somebody else may have deleted the container meanwhile, which is as good, and may have made
 * another one with its id, which is left alone.
 */
export function deleteAfterRun(context: Context, record: ContainerRecord): void {
  const { host, root } = context;
  let directory: StateDirectory;
  try {
    directory = lockDirectory(host, root, record.id);
  } catch (error) {
    if (error instanceof EdgerunError && error.code === "CONTAINER_NOT_FOUND") return;
    throw error;
  }
  try {
    const found = readRecordOrNothing(context, record.id, true);
    if (found?.pid === record.pid && found.startTime === record.startTime) destroy(context, directory, found);
  } finally {
    unlockDirectory(host, directory);
  }
}
