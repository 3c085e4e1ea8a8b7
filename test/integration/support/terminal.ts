// SPDX-License-Identifier: Apache-2.0
// Runs the runtime on a terminal, and receives the terminals of containers, with the two Python helpers beside.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { execute, launch, type Options, type Result, type Running, waitFor } from "./process.ts";
import { runtimeName, runtimePath } from "./runtime.ts";
import type { Workspace } from "./workspace.ts";

const helper = (name: string) => resolve("test/integration/support", name);

/** Global flags for a runtime whose stderr is the terminal: crun would write its log, coloured, between the output. */
export function terminalFlags(ws: Workspace): string[] {
  return [...ws.globalFlags, ...(runtimeName === "crun" ? ["--log", "file:/dev/null"] : [])];
}

/** Runs the runtime with a terminal as its controlling terminal; stdout is what appeared on it. */
export function runOnTerminal(
  ws: Workspace,
  flags: readonly string[],
  args: readonly string[],
  options?: Options,
): Result {
  return execute(
    "python3",
    [helper("run_on_terminal.py"), ...flags, runtimePath, ...terminalFlags(ws), ...args],
    options,
  );
}

/** Listens on a console socket; returns when the socket is there. */
export function receiveTerminal(socket: string, size?: string): Running {
  const args = [helper("receive_terminal.py"), socket, ...(size === undefined ? [] : ["--size", size])];
  const running = launch("python3", args, { pipe: true });
  waitFor("the console socket", () => existsSync(socket));
  return running;
}
