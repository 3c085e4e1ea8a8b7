// SPDX-License-Identifier: Apache-2.0
// Commands that act on a running container: kill, pause, resume.
import { EdgerunError } from "../errors.ts";
import type { ContainerRecord } from "../state/record.ts";
import { computeStatus } from "../state/status.ts";
import { lockDirectory, readRecord, unlockDirectory } from "../state/store.ts";
import { setFrozen } from "./cgroups.ts";
import type { Context, KillOptions } from "./options.ts";
import { SIGKILL, signalAll, thaw } from "./processes.ts";

/**
 * `kill`: a signal to the container's first process, or with `all` to every process. Takes no lock: a container that
 * hangs in another command must still be killable.
 */
export function kill(context: Context, options: KillOptions): number {
  const { host, root } = context;
  const record = readRecord(host, root, options.id);
  const status = computeStatus(host, root, record);
  if (options.all) {
    signalAll(host, record, options.signal);
    return 0;
  }
  if (status === "stopped" || status === "creating") throw notRunning();
  try {
    host.signalProcess(record.pid, record.startTime, options.signal);
  } catch (error) {
    if (error instanceof EdgerunError && error.errno === "ESRCH") throw notRunning();
    throw error;
  }
  if (options.signal === SIGKILL) {
    thaw(host, record);
    killLeftovers(context, record);
  }
  return 0;
}

/** Without a pid namespace of its own, the end of its first process does not end a container's other processes. */
function killLeftovers(context: Context, record: ContainerRecord): void {
  if (!record.sharesPidNamespace) return;
  signalAll(context.host, record, SIGKILL);
}

function notRunning(): EdgerunError {
  return new EdgerunError("CONTAINER_STATE", "container not running");
}

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
