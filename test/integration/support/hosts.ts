// SPDX-License-Identifier: Apache-2.0
// The two hosts of the one program: the device binary (QuickJS), and Node with the N-API addon.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { execute, launch, type Options, type Result, type Running } from "./process.ts";
import { runtimePath } from "./runtime.ts";
import type { Workspace } from "./workspace.ts";

export type HostName = "device" | "node";
export const hostNames: readonly HostName[] = ["device", "node"];

const nodeEntry = resolve("bin/edgerun.mjs");

/** Command and first arguments of a host's edgerun. */
export function hostCommand(name: HostName): [command: string, ...args: string[]] {
  if (name === "device") return [runtimePath];
  if (!existsSync(nodeEntry)) throw new Error(`no Node entry at ${nodeEntry}`);
  return [process.execPath, nodeEntry];
}

/** Runs edgerun in a host with the workspace's state root; `args` may begin with further global flags. */
export function callHost(ws: Workspace, name: HostName, args: readonly string[], options?: Options): Result {
  const [command, ...first] = hostCommand(name);
  return execute(command, [...first, ...ws.globalFlags, ...args], options);
}

/** As callHost(), without waiting. */
export function launchHost(ws: Workspace, name: HostName, args: readonly string[], options?: Options): Running {
  const [command, ...first] = hostCommand(name);
  return launch(command, [...first, ...ws.globalFlags, ...args], options);
}
