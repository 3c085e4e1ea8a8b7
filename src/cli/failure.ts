// SPDX-License-Identifier: Apache-2.0
// What a caught value is: an expected failure, or a mistake in edgerun itself.
import { EdgerunError } from "../errors.ts";

/** The line to report; `stack` only where the error is a mistake in edgerun. */
export function describeFailure(error: unknown): { message: string; stack: string | undefined } {
  if (error instanceof EdgerunError) return { message: error.message, stack: undefined };
  if (error instanceof Error) return { message: `internal error: ${error.name}: ${error.message}`, stack: error.stack };
  return { message: `internal error: ${String(error)}`, stack: undefined };
}
