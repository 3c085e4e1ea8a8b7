// SPDX-License-Identifier: Apache-2.0
// The two hosts of the one program: the device binary (QuickJS), and Node with the N-API addon.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { execute, launch, type Options, type Result, type Running } from "./process.ts";
import { lacking, runtimePath } from "./runtime.ts";
import type { Workspace } from "./workspace.ts";

export type HostName = "device" | "node";
export const hostNames: readonly HostName[] = ["device", "node"];

/** Test options: the peers have one host only. */
export const twoHosts = lacking({ runc: "has one host", crun: "has one host" });

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

/** Process ids and times of `state` and `list`, and widths that follow: they differ between any two containers. */
export function normalize(text: string): string {
  return text
    .replace(/"pid":( ?)\d+/g, '"pid":$1PID')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/g, "TIME")
    .replace(/^(\S+ +)\d+( +(?:created|running|paused) )/gm, "$1PID$2")
    .replace(/^ID +PID .*$/gm, (header) => header.replace(/ +/g, " "));
}

/** Fails unless both hosts (in the order of hostNames) gave the same result. Returns it. */
export function compareResults(results: readonly Result[], label: string): Result {
  const [device, node] = results.map((result) => ({ ...result, stdout: normalize(result.stdout) }));
  assert.deepEqual(node, device, `${label}: Node (actual) and the device (expected)`);
  return device!;
}

/** Runs a command line in both hosts, which must answer in the same way. Returns what they say. */
export function callBoth(ws: Workspace, args: readonly string[], options?: Options): Result {
  return compareResults(
    hostNames.map((host) => callHost(ws, host, args, options)),
    args.join(" "),
  );
}
