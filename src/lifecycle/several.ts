// SPDX-License-Identifier: Apache-2.0
// Commands on every container whose id matches a regular expression, as crun has them.
import { EdgerunError } from "../errors.ts";
import { listIds } from "../state/store.ts";
import { deleteContainer } from "./delete.ts";
import { kill } from "./kill.ts";
import type { Context, DeleteMatchingOptions, KillMatchingOptions } from "./options.ts";

/** `delete --regex`. */
export function deleteMatching(context: Context, { pattern, force }: DeleteMatchingOptions): number {
  return doForEach(context, pattern, (id) => deleteContainer(context, { id, force }));
}

/** `kill --regex`. A container that does not run needs no signal. */
export function killMatching(context: Context, { pattern, signal, all }: KillMatchingOptions): number {
  return doForEach(context, pattern, (id) => {
    try {
      kill(context, { id, signal, all });
    } catch (error) {
      if (!(error instanceof EdgerunError) || error.code !== "CONTAINER_STATE") throw error;
      context.log.debug(`container "${id}": ${error.message}`);
    }
  });
}

/**
 * Does it for all, whatever happens to some; one that vanishes meanwhile is no failure.
 * @throws EdgerunError USAGE for a wrong pattern; else one that names every container that failed, with its reason
 */
function doForEach(context: Context, pattern: string, action: (id: string) => void): number {
  const { host, root } = context;
  const failures: string[] = [];
  let first: EdgerunError | undefined;
  for (const id of host.matchRegex(pattern, listIds(host, root))) {
    try {
      action(id);
    } catch (error) {
      if (!(error instanceof EdgerunError)) throw error;
      if (error.code === "CONTAINER_NOT_FOUND") continue;
      failures.push(`container "${id}": ${error.message}`);
      first ??= error;
    }
  }
  if (first !== undefined) throw new EdgerunError(first.code, failures.join("; "), { cause: first });
  return 0;
}
