// SPDX-License-Identifier: Apache-2.0
// Small C programs beside this file, for what busybox can't do in a container.

import { join, resolve } from "node:path";
import { execute } from "./process.ts";
import type { Workspace } from "./workspace.ts";

/** `call` makes system calls by number; `notify` is sd_notify(3). */
export type ProgramName = "call" | "notify";

/** Compiles a program, static, into /bin of a root file system. */
export function addProgram(rootfs: string, name: ProgramName): void {
  const source = resolve("test/integration/support", `${name}.c`);
  const result = execute("gcc", ["-static", "-Os", "-s", "-o", join(rootfs, "bin", name), source]);
  if (result.status !== 0) throw new Error(result.stderr);
}

/** A new root file system with one of them. */
export function rootfsWith(ws: Workspace, name: ProgramName): string {
  const rootfs = ws.newRootfs();
  addProgram(rootfs, name);
  return rootfs;
}
