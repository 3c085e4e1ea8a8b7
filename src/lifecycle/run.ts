// SPDX-License-Identifier: Apache-2.0
import { EdgerunError } from "../errors.ts";
import { unlockDirectory } from "../state/store.ts";
import { readBundle } from "./bundle.ts";
import { checkTerminal, createContainer } from "./create.ts";
import { deleteAfterRun, destroy } from "./delete.ts";
import { startProgram } from "./init.ts";
import type { Context, RunOptions } from "./options.ts";
import {
  awaitReadiness,
  checkDescriptors,
  noNotifications,
  openNotifications,
  readServiceManager,
} from "./service_manager.ts";
import { runPoststart } from "./start.ts";

/** `run`: create, start, and in the foreground wait for the end and delete. Returns the program's exit code. */
export function run(context: Context, options: RunOptions): number {
  const { host } = context;
  const service = readServiceManager(context.request);
  checkDescriptors(host, service.listenFds, options.preserveFds);
  const bundle = readBundle(context, options);
  if (bundle.spec.process.args.length === 0) {
    throw new EdgerunError("CONFIG_INVALID", "config.json: $.process: missing: there is nothing to run");
  }
  checkTerminal(bundle.spec, options, options.detach);
  const { directory, record, init, terminalFd } = createContainer(context, options, bundle, service, false);
  let notifications = noNotifications;
  try {
    notifications = openNotifications(context, options.id);
    startProgram(host, init.controlFd);
    runPoststart(host, record);
  } catch (error) {
    host.waitProcess(init.pid);
    destroy(context, directory, record);
    throw error;
  }
  // Other commands (exec, kill, pause, delete --force) must get at the container while we wait.
  unlockDirectory(host, directory);
  if (options.detach) {
    awaitReadiness(context, notifications, init.pidfd, init.pid);
    return 0;
  }
  const { fd, address } = notifications;
  const exitCode = host.superviseProcess(init.pid, init.pidfd, terminalFd, fd, address);
  if (!options.keep) deleteAfterRun(context, record);
  return exitCode;
}
