// SPDX-License-Identifier: Apache-2.0
// The service manager (systemd) that started us, as its environment variables say: sd_listen_fds(3), sd_notify(3).
import { EdgerunError } from "../errors.ts";
import type { Host, Request } from "../host/functions.ts";
import { notifyDirectoryPath } from "../state/store.ts";
import type { Context } from "./options.ts";

export type ServiceManager = {
  /** How many sockets it opened for us: descriptors from 3 on. */
  listenFds: number;
  /** Their names, joined by ":". */
  listenNames: string;
  /** Where it is told how the service does; "": nowhere. */
  notifyAddress: string;
};

/** Sockets are ours only if LISTEN_PID says so: variables are inherited by children that they are not for. */
export function readServiceManager({ env, pid }: Request): ServiceManager {
  const isForUs = variable(env, "LISTEN_PID") === String(pid);
  const count = Number(variable(env, "LISTEN_FDS"));
  const address = variable(env, "NOTIFY_SOCKET");
  return {
    listenFds: isForUs && Number.isSafeInteger(count) && count > 0 ? count : 0,
    listenNames: variable(env, "LISTEN_FDNAMES"),
    // A path, or an abstract name; of the other kinds (vsock) none is for services of this host.
    notifyAddress: address.startsWith("/") || address.startsWith("@") ? address : "",
  };
}

function variable(env: readonly string[], name: string): string {
  const prefix = `${name}=`;
  return env.find((entry) => entry.startsWith(prefix))?.slice(prefix.length) ?? "";
}

/**
 * A descriptor that is announced and not open would be one of our own by the time it is handed on.
 * @throws EdgerunError USAGE; the text is runc's
 */
export function checkDescriptors(host: Host, listenFds: number, preserveFds: number): void {
  for (let fd = 3; fd < 3 + listenFds + preserveFds; fd++) {
    if (host.fileInfo(`/proc/self/fd/${fd}`, 0) !== null) continue;
    const which =
      fd < 3 + listenFds
        ? `descriptor ${fd} of $LISTEN_FDS (${listenFds})`
        : `preserved-fd ${fd - 3 - listenFds} (of ${preserveFds})`;
    throw new EdgerunError("USAGE", `unable to stat ${which}: no such file or directory`);
  }
}

/** A relay between the container's notifications and the service manager. */
export type Notifications = { fd: number; address: string };

/** Nothing to relay. */
export const noNotifications: Notifications = { fd: -1, address: "" };

/** Before the program starts: from here on it can notify. Containers that were created for nobody stay so. */
export function openNotifications({ host, root, request }: Context, id: string): Notifications {
  const { notifyAddress: address } = readServiceManager(request);
  if (address === "") return noNotifications;
  const directory = notifyDirectoryPath(root, id);
  if (host.fileInfo(directory, 0) === null) return noNotifications;
  return { fd: host.bindNotifySocket(`${directory}/notify.sock`), address };
}

/**
 * Waits until the container says that it is ready, or has ended; then the service manager knows the process `pid` as
 * the service's. The container runs in any case, so a service manager that can't be reached is a warning.
 */
export function awaitReadiness({ host, log }: Context, notifications: Notifications, pidfd: number, pid: number): void {
  const { fd, address } = notifications;
  if (fd < 0) return;
  try {
    host.relayNotifications(fd, address, pidfd, pid);
  } catch (error) {
    log.warn(error instanceof Error ? error.message : String(error));
  } finally {
    host.closeFd(fd);
  }
}
