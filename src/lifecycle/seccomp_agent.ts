// SPDX-License-Identifier: Apache-2.0
// Seccomp user notification: an agent on the host answers system calls of the container (SCMP_ACT_NOTIFY).
import { ociVersionMax } from "../cli/version.ts";
import { EdgerunError, wrap } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import type { SeccompPlan } from "../plan/plan.ts";

/**
 * Sends the listener to the agent's socket, and with it which process of which container it belongs to
 * (config-linux.md "The Container Process State"). One connection for each, closed after it.
 * @param pid of the process under the filter
 * @param state of the container, as hooks get it
 * @throws EdgerunError HOST when the agent can't be reached or does not read
 */
export function sendListener(
  host: Host,
  seccomp: SeccompPlan | null,
  listenerFd: number,
  pid: number,
  state: string,
): void {
  const listener = seccomp?.listener;
  if (!listener) throw new EdgerunError("INIT", "container init has a seccomp listener that nobody asked for");
  const head = { ociVersion: ociVersionMax, fds: ["seccompFd"], pid };
  const described = listener.metadata === "" ? head : { ...head, metadata: listener.metadata };
  // `state` is JSON already.
  const text = `${JSON.stringify(described).slice(0, -1)},"state":${state}}`;
  try {
    host.sendDescriptor(listener.path, listenerFd, text);
  } catch (error) {
    throw wrap("cannot notify the seccomp agent of linux.seccomp.listenerPath", error);
  }
}
