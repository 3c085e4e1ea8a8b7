// SPDX-License-Identifier: Apache-2.0
import { EdgerunError } from "../errors.ts";
import type { ContainerRecord } from "../state/record.ts";
import { computeStatus } from "../state/status.ts";
import { readRecord } from "../state/store.ts";
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

/** runc's text, which containerd and CRI-O look for. */
export function notRunning(): EdgerunError {
  return new EdgerunError("CONTAINER_STATE", "container not running");
}
