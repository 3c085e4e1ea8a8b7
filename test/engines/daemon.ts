// SPDX-License-Identifier: Apache-2.0
// Starts an engine's daemon with everything private in a temporary directory, and ends it by its pid.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { execute } from "../integration/support/process.ts";
import type { Workspace } from "../integration/support/workspace.ts";

/** Starts a daemon and waits until `probe` succeeds (at most 30 s); it ends when the workspace is closed. */
export async function startDaemon(ws: Workspace, command: readonly string[], probe: readonly string[]): Promise<void> {
  const logFile = ws.newFile();
  const log = openSync(logFile, "a");
  const child = spawn(command[0]!, command.slice(1), { stdio: ["ignore", log, log] });
  closeSync(log);
  ws.atClose(() => stopChild(child));
  const deadline = Date.now() + 30_000;
  while (execute(probe[0]!, probe.slice(1)).status !== 0) {
    if (child.exitCode !== null || Date.now() > deadline) {
      throw new Error(`${command[0]} did not come up:\n${readFileSync(logFile, "utf8").slice(-4000)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** SIGTERM, and SIGKILL if it is still there after 15 s. */
async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), 15_000);
  await exited;
  clearTimeout(timer);
}
