// SPDX-License-Identifier: Apache-2.0
// What a container gets of the service manager (systemd) that started us: sockets that it opened, and a way to tell it
// that the service is ready.
import type { Spec } from "../spec/config.ts";
import { findNamespace } from "../spec/linux.ts";
import type { Operation } from "./operations.ts";
import { warning } from "./refusal.ts";

export type ServiceOptions = {
  /** Sockets that it opened: so many descriptors from 3 on (sd_listen_fds(3)). */
  listenFds: number;
  /** Their names, joined by ":"; "": they have none. */
  listenNames: string;
  /** The host's directory with the socket `notify.sock`; "": there is nobody to notify. */
  notifyDirectory: string;
};

/** Started by a person, or by an engine. */
export const noService: ServiceOptions = { listenFds: 0, listenNames: "", notifyDirectory: "" };

/** Where runc has it in a container. */
export const notifyTarget = "/run/notify";

/** The spec with the environment, and the mount, that the container's process needs for it. */
export function addService(spec: Spec, service: ServiceOptions, warnings: string[]): Spec {
  const { listenFds, listenNames, notifyDirectory } = service;
  if (listenFds === 0 && notifyDirectory === "") return spec;
  const env = (spec.process.env ?? []).filter((entry) => listenFds === 0 || !entry.startsWith("LISTEN_PID="));
  if (listenFds > 0) env.push(`LISTEN_FDS=${listenFds}`);
  if (listenFds > 0 && listenNames !== "") env.push(`LISTEN_FDNAMES=${listenNames}`);
  const mounts = [...(spec.mounts ?? [])];
  if (notifyDirectory !== "" && findNamespace(spec.linux ?? {}, "mount") === undefined) {
    warnings.push(warning("linux.namespaces", "without a mount namespace the container can't notify $NOTIFY_SOCKET"));
  } else if (notifyDirectory !== "") {
    const options = ["bind", "nosuid", "noexec", "nodev", "ro"];
    mounts.push({ destination: notifyTarget, type: "bind", source: notifyDirectory, options });
    env.push(`NOTIFY_SOCKET=${notifyTarget}/notify.sock`);
  }
  return { ...spec, process: { ...spec.process, env }, mounts };
}

/** Programs use the sockets only if they are told to be the process that they are for. */
export function planListenPid({ listenFds }: ServiceOptions): Operation[] {
  return listenFds > 0 ? [{ op: "set_listen_pid" }] : [];
}
