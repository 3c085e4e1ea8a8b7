// SPDX-License-Identifier: Apache-2.0
import { EdgerunError } from "../errors.ts";

/** The planner names paths in config.json: this puts the place that a document really came from instead of `prefix`. */
export function nameSource<T>(label: string, prefix: string, plan: () => T): T {
  try {
    return plan();
  } catch (error) {
    if (!(error instanceof EdgerunError) || !error.message.startsWith(prefix)) throw error;
    throw new EdgerunError(error.code, `${label}: $${error.message.slice(prefix.length)}`, { cause: error });
  }
}
