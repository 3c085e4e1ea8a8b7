// SPDX-License-Identifier: Apache-2.0
// Taking a container apart: what `delete`, a creation that failed and a restore that failed have in common.
import type { ContainerRecord } from "../state/record.ts";
import { removeDirectory, type StateDirectory } from "../state/store.ts";
import { removeCgroups } from "./cgroups.ts";
import { runPoststopHooks } from "./hooks.ts";
import type { Context } from "./options.ts";
import { killAndWait } from "./processes.ts";
import { removeResctrlDirectories } from "./resctrl_directories.ts";

/**
 * The steps that end whatever runs in a container and remove everything of it: processes, network, cgroups, poststop
 * hooks (runtime-spec, "Lifecycle": also when a hook before the start has failed), and last of all the state, so that
 * a deletion that was killed can be repeated.
 */
export function listTeardown(
  context: Context,
  directory: StateDirectory,
  record: ContainerRecord,
): readonly (() => void)[] {
  const { host } = context;
  return [
    () => killAndWait(host, record),
    () => context.lifecycle.disconnectNetwork(context, record),
    () => removeCgroups(host, record.cgroups),
    () => removeResctrlDirectories(host, record),
    () => runPoststopHooks(context, record),
    () => removeDirectory(host, directory),
  ];
}

/** Runs every step, whatever the others do: their failures are logged, and must not hide the one that led here. */
export function runEach({ log }: Pick<Context, "log">, operation: string, steps: readonly (() => void)[]): void {
  for (const step of steps) {
    try {
      step();
    } catch (error) {
      log.warn(`while ${operation}: ${String(error)}`);
    }
  }
}
