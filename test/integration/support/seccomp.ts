// SPDX-License-Identifier: Apache-2.0
// Turns an engine's seccomp profile into the form of config.json, as an engine does before it calls the runtime; and
// the helpers beside: an agent for user notification, a tracer, a program that makes any system call.

import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { Seccomp, SyscallRule } from "./config.ts";
import { execute, launch, type Running, waitFor } from "./process.ts";
import type { Workspace } from "./workspace.ts";

/** Where the engines of the Debian family keep their common profile. */
export const engineProfile = "/usr/share/containers/seccomp.json";

type Condition = { caps?: string[]; arches?: string[]; minKernel?: string };
type EngineProfile = {
  defaultAction: string;
  defaultErrnoRet?: number;
  archMap: { architecture: string; subArchitectures: string[] | null }[];
  syscalls: (SyscallRule & { includes?: Condition; excludes?: Condition })[];
};

const native: Record<string, { name: string; architecture: string }> = {
  x64: { name: "amd64", architecture: "SCMP_ARCH_X86_64" },
  arm64: { name: "arm64", architecture: "SCMP_ARCH_AARCH64" },
  arm: { name: "arm", architecture: "SCMP_ARCH_ARM" },
};

/** The profile as it applies to a process with these capabilities on this machine's architecture. */
export function resolveProfile(path: string, capabilities: readonly string[]): Seccomp {
  const profile: EngineProfile = JSON.parse(readFileSync(path, "utf8"));
  const machine = native[process.arch]!;
  const holdsAll = (names: string[] | undefined) => (names ?? []).every((name) => capabilities.includes(name));
  const holdsAny = (names: string[] | undefined) => (names ?? []).some((name) => capabilities.includes(name));
  const rules = profile.syscalls.filter(({ includes, excludes }) => {
    if (!holdsAll(includes?.caps) || holdsAny(excludes?.caps)) return false;
    if (includes?.arches?.length && !includes.arches.includes(machine.name)) return false;
    return !excludes?.arches?.includes(machine.name);
  });
  const family = profile.archMap.find((entry) => entry.architecture === machine.architecture);
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures: [machine.architecture, ...(family?.subArchitectures ?? [])],
    syscalls: rules.map(({ names, action, errnoRet, args }) => ({
      names,
      action,
      ...(errnoRet === undefined ? {} : { errnoRet }),
      ...(args?.length ? { args } : {}),
    })),
  };
}

/** What the agent prints: one object for each line. */
export type AgentReport = {
  state?: { ociVersion: string; fds: string[]; pid: number; metadata?: string; state: Record<string, unknown> };
  descriptors?: number;
  nr?: number;
  pid?: number;
  waiting?: boolean;
  answer?: string;
};

export type Agent = { socket: string; running: Running; reports(): AgentReport[] };

/** Starts an agent that answers system calls; see seccomp_agent.py. The caller ends it with stopAgent(). */
export function startAgent(ws: Workspace, answer: string, ...flags: string[]): Agent {
  const socket = ws.newFile();
  const helper = resolve("test/integration/support/seccomp_agent.py");
  const running = launch("python3", [helper, socket, answer, ...flags], { pipe: true });
  waitFor("the seccomp agent", () => existsSync(socket));
  const reports = () =>
    running
      .stdout()
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as AgentReport);
  return { socket, running, reports };
}

export async function stopAgent({ running }: Agent): Promise<void> {
  running.child.kill("SIGKILL");
  await running.end();
}

/** What ptrace(2) tells of the filter of a process; see trace_seccomp.py. */
export function traceSeccomp(what: "flags" | "message", pid: number): number {
  const helper = resolve("test/integration/support/trace_seccomp.py");
  const result = execute("python3", [helper, what, String(pid)]);
  if (result.status !== 0) throw new Error(result.stderr);
  return Number(result.stdout);
}
