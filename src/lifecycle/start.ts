// SPDX-License-Identifier: Apache-2.0
import { EdgerunError, wrap } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import type { ContainerRecord } from "../state/record.ts";
import { computeStatus } from "../state/status.ts";
import { lockDirectory, readRecord, startSocketPath, unlockDirectory } from "../state/store.ts";
import { hookState, runHooks } from "./hooks.ts";
import { startProgram } from "./init.ts";
import type { Context } from "./options.ts";
import { killAndWait } from "./processes.ts";
import { awaitReadiness, type Notifications, openNotifications } from "./service_manager.ts";

const connectTimeoutMs = 10_000;

/**
 * `start`: the created container becomes its program. The start socket is removed before the word is given, so a
 * container is never started twice; if we are killed in between, it ends unstarted. For a service manager it lasts until
 * the container says that it is ready.
 */
export function start(context: Context, id: string): number {
  const { host, root } = context;
  const directory = lockDirectory(host, root, id);
  let record: ContainerRecord;
  let notifications: Notifications;
  try {
    record = readRecord(host, root, id);
    checkStartable(host, root, record);
    context.lifecycle.reauthorize(context, directory, record);
    notifications = openNotifications(context, id);
    const socket = startSocketPath(directory);
    const connection = host.connectStart(socket, connectTimeoutMs);
    host.removeFile(socket);
    startProgram(host, connection);
    runPoststart(host, record);
  } catch (error) {
    throw wrap(`cannot start container "${id}"`, error);
  } finally {
    unlockDirectory(host, directory);
  }
  if (notifications.fd >= 0) awaitReadiness(context, notifications, host.openProcess(record.pid), record.pid);
  return 0;
}

function checkStartable(host: Host, root: string, record: ContainerRecord): void {
  const status = computeStatus(host, root, record);
  if (status === "created") return;
  const texts = {
    creating: "cannot start a container that is still being created",
    running: "cannot start an already running container",
    paused: "cannot start a container in the paused state",
    stopped: "cannot start a container that has stopped",
  };
  throw new EdgerunError("CONTAINER_STATE", texts[status]);
}

/** A failing poststart hook ends the container (runtime-spec 1.3, lifecycle). */
export function runPoststart(host: Host, record: ContainerRecord): void {
  try {
    runHooks(host, "poststart", record.poststart, hookState(record, "running"));
  } catch (error) {
    killAndWait(host, record);
    throw error;
  }
}
