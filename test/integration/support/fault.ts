// SPDX-License-Identifier: Apache-2.0
// Faults at one chosen system call of the runtime: the calls of a command are recorded once, then the command is run
// again, each time with a signal or an error put in at another one of them (strace(1), --inject).

import { existsSync, readFileSync } from "node:fs";
import { execute, type Result } from "./process.ts";
import { runtimePath } from "./runtime.ts";
import type { Workspace } from "./workspace.ts";

const strace = ["/usr/bin/strace", "/bin/strace"].find((path) => existsSync(path));

/** Test options: the sweeps need strace(1). */
export const needsStrace: { skip?: string } = strace === undefined ? { skip: "strace is not installed" } : {};

/** The `occurrence`th call of `name` by the command itself, or by the process that it starts. */
export type Point = { name: string; occurrence: number; inInit: boolean };

/** Calls that can't fail as strace lets them fail, which is without effect: close(2) closes whatever it answers. */
const passedOver = ["close", "execve", "exit", "exit_group", "rt_sigreturn", "vfork"];

/** The calls of a command in their order; with `withInit`, those of edgerun-init too, up to the exec of the program. */
export function recordCalls(ws: Workspace, args: readonly string[], withInit: boolean): Point[] {
  const file = ws.newFile();
  execute(strace!, ["-qq", ...(withInit ? ["-f"] : []), "-o", file, runtimePath, ...ws.globalFlags, ...args]);
  const counts = new Map<string, number>();
  const points: Point[] = [];
  let command: string | undefined;
  for (const line of readFileSync(file, "utf8").split("\n")) {
    const match = /^(\d+ +)?([a-z0-9_]+)\(/.exec(line);
    if (match === null) continue;
    const [, process = "", name = ""] = match;
    command ??= process;
    const inInit = process !== command;
    // Init's execve is the container's program, which is not what is tested.
    if (inInit && name === "execve") break;
    const key = `${process} ${name}`;
    const occurrence = (counts.get(key) ?? 0) + 1;
    counts.set(key, occurrence);
    if (!passedOver.includes(name)) points.push({ name, occurrence, inInit });
  }
  return points;
}

/** About `wanted` of them, evenly spread; EDGERUN_FAULT_ALL=1 takes all. */
export function spread<T>(items: readonly T[], wanted: number): T[] {
  if (process.env.EDGERUN_FAULT_ALL === "1" || items.length <= wanted) return [...items];
  return Array.from({ length: wanted }, (_, index) => items[Math.floor((index * items.length) / wanted)]!);
}

/** Runs a command that is killed at the point. */
export function runKilledAt(ws: Workspace, { name, occurrence }: Point, args: readonly string[]): Result {
  const inject = `inject=${name}:signal=KILL:when=${occurrence}`;
  return execute(strace!, ["-qq", "-o", "/dev/null", "-e", inject, runtimePath, ...ws.globalFlags, ...args]);
}

/** Runs a command in which the call fails with the errno. */
export function runFailingAt(
  ws: Workspace,
  { name, occurrence, inInit }: Point,
  errno: string,
  args: readonly string[],
): Result {
  const inject = `inject=${name}:error=${errno}:when=${occurrence}`;
  // strace counts for each process on its own: one in init is one in the command, too.
  const follow = inInit ? ["-f"] : [];
  return execute(strace!, [...follow, "-qq", "-o", "/dev/null", "-e", inject, runtimePath, ...ws.globalFlags, ...args]);
}
