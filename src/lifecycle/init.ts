// SPDX-License-Identifier: Apache-2.0
// The host side of the handshake with edgerun-init (drawn in docs/architecture.md).
import { EdgerunError } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import { findRuntimeDirectory } from "../host/runtime_directory.ts";
import { encodeOperations } from "../plan/encode.ts";
import { messages, type Operation } from "../plan/operations.ts";
import type { LaunchPlan } from "../plan/plan.ts";
import type { Context } from "./options.ts";
import { SIGKILL, signalIfAlive } from "./processes.ts";

/** Init sets a container up in milliseconds; a mount that hangs (a dead network server) must not hang the engine. */
const setupTimeoutMs = 120_000;

/** The process that edgerun-init runs in, which becomes the container's first process or an exec'd one. */
export type InitProcess = { pid: number; pidfd: number; controlFd: number };

type Message = { kind: string; operation: number; errno: string; value: number; fd: number; text: string };

/** Starts init with a plan. It does nothing that others could see before it is told to `go`. */
export function launchInit(
  host: Host,
  operations: readonly Operation[],
  cloneFlags: number,
  preserveFds: number,
): InitProcess {
  const [pid = 0, controlFd = -1, pidfd = -1] = host.launchInit(encode(host, operations), cloneFlags, preserveFds);
  return { pid, controlFd, pidfd };
}

/**
 * Sends init what it is to do after `receive_plan`.
 * @param startSocket where it listens for `start`; "" if it is started over the control socket
 */
export function sendPlan(host: Host, init: InitProcess, operations: readonly Operation[], startSocket: string): void {
  const plan = encode(host, operations);
  speak(host, init, () => host.sendPlan(init.controlFd, plan, startSocket));
}

function encode(host: Host, operations: readonly Operation[]): Uint8Array {
  const { words, blobs } = encodeOperations(operations);
  return host.encodePlan(words, blobs);
}

/** A plan's operations with the seccomp filter in its place. */
export function fillSeccomp({ host, request }: Context, { operations, seccomp }: LaunchPlan): readonly Operation[] {
  if (seccomp === null) return operations;
  const directory = findRuntimeDirectory(host, request);
  // Any state root may share the cache: entries are named by their digest.
  const cache = host.fileInfo(directory, 0) === null ? "" : `${directory}/seccomp`;
  const filter = host.compileSeccomp(seccomp.words, seccomp.strings, cache);
  return operations.map((operation) => (operation.op === "load_seccomp" ? { ...operation, filter } : operation));
}

/** What the host side does when init asks for it. */
export type SetupHandlers = {
  runHooks: () => void;
  /** Sends what bind mounts show; only where the plan has such sources. */
  handSources: () => void;
  /** Only where the plan has network interfaces. */
  moveInterfaces: () => void;
  /** Takes over the master of the terminal. */
  takeTerminal: (masterFd: number) => void;
  /** Gives a seccomp listener to the agent. Until it has it, the process may hang in any system call. */
  giveListener: (listenerFd: number) => void;
};

/** Tells init that what it waits for is done. */
export function tellInit(host: Host, init: InitProcess, message: keyof typeof messages, value: number): void {
  speak(host, init, () => host.tellInit(init.controlFd, messages[message], value));
}

function speak(host: Host, init: InitProcess, send: () => void): void {
  try {
    send();
  } catch (error) {
    if (!(error instanceof EdgerunError && error.errno === "EPIPE")) throw error;
    throw unexpected(receive(host, init, 0)); // it failed meanwhile, and said why
  }
}

/**
 * Where the operations fork before they wait for `go`, the process that goes on is another one: this returns it.
 * Its predecessor has ended and is reaped.
 */
export function awaitFork(host: Host, init: InitProcess): InitProcess {
  const message = receive(host, init, setupTimeoutMs);
  if (message.kind !== "forked") throw unexpected(message);
  return adoptFork(host, init, message.value);
}

/** Does init say when it runs? See planAnnouncement(). */
export function announcesItself(operations: readonly Operation[]): boolean {
  return operations.some(({ op }) => op === "announce");
}

/** Waits until init runs: the execve(2) of its program is over. */
export function awaitAnnouncement(host: Host, init: InitProcess): void {
  const message = receive(host, init, setupTimeoutMs);
  if (message.kind !== "running") throw unexpected(message);
}

function adoptFork(host: Host, init: InitProcess, pid: number): InitProcess {
  host.waitProcess(init.pid);
  host.closeFd(init.pidfd);
  return { pid, pidfd: host.openProcess(pid), controlFd: init.controlFd };
}

/** Serves init until it is ready. */
export function awaitReady(host: Host, init: InitProcess, handlers: SetupHandlers): void {
  for (;;) {
    const message = receive(host, init, setupTimeoutMs);
    switch (message.kind) {
      case "hooks":
        handlers.runHooks();
        tellInit(host, init, "hooks_done", 0);
        break;
      case "open_sources":
        handlers.handSources();
        break;
      case "interfaces":
        handlers.moveInterfaces();
        tellInit(host, init, "interfaces_moved", 0);
        break;
      case "terminal":
        handlers.takeTerminal(message.fd);
        break;
      case "listener":
        giveListener(host, init, message.value, handlers);
        break;
      case "ready":
        return;
      default:
        throw unexpected(message);
    }
  }
}

/** Serves an init that changes mounts, until it is done. Returns the ids of those that it made, in order. */
export function awaitMounts(host: Host, init: InitProcess, handSources: () => void): number[] {
  const ids: number[] = [];
  for (;;) {
    const message = receive(host, init, setupTimeoutMs);
    if (message.kind === "ready") return ids;
    if (message.kind === "open_sources") handSources();
    else if (message.kind === "mounted") ids.push(message.value);
    else if (message.kind === "failed") throw describeFailure(message, "cannot change the mounts");
    else throw unexpected(message);
  }
}

/** Under its filter the process may not be able to send a descriptor: it tells the number, and we take it. */
function giveListener(host: Host, init: InitProcess, descriptor: number, handlers: SetupHandlers): void {
  const listenerFd = host.takeDescriptor(init.pidfd, descriptor);
  try {
    handlers.giveListener(listenerFd);
  } finally {
    host.closeFd(listenerFd);
  }
  tellInit(host, init, "listener_taken", 0);
}

/** Lets a process that is ready become its program. Returns when it has; the connection is closed. */
export function startProgram(host: Host, controlFd: number): void {
  host.tellInit(controlFd, messages.start, 0);
  const message = host.awaitInit(controlFd, -1) as Message;
  if (message.kind !== "end") throw unexpected(message);
  host.closeFd(controlFd);
}

/** Ends an init whose start failed, and reaps it. */
export function abandonInit(host: Host, init: InitProcess): void {
  host.closeFd(init.controlFd);
  signalIfAlive(host, init.pid, SIGKILL);
  host.waitProcess(init.pid);
  host.closeFd(init.pidfd);
}

function receive(host: Host, init: InitProcess, timeoutMs: number): Message {
  const message = host.awaitInit(init.controlFd, timeoutMs) as Message;
  if (message.kind !== "end") return message;
  const info = host.processInfo(init.pid);
  const reason =
    info === null || info[1] === "Z".charCodeAt(0) ? "its process was killed (out of memory?)" : "it stopped";
  throw new EdgerunError("INIT", `container init ended before it was ready: ${reason}`);
}

function unexpected(message: Message): EdgerunError {
  if (message.kind !== "failed")
    return new EdgerunError("INIT", `unexpected message "${message.kind}" from container init`);
  return describeFailure(message, "error during container init");
}

function describeFailure({ errno, text }: Message, operation: string): EdgerunError {
  return new EdgerunError("INIT", `${operation}: ${text}`, { errno: errno === "" ? undefined : errno });
}
