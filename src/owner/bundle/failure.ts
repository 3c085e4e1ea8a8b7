// SPDX-License-Identifier: Apache-2.0
// The failures of `edgerun owner bundle`, each made in one place.

import { EdgerunError } from "../../errors.ts";

/** The image is malformed, doesn't match its digests, or is hostile: nothing of it may be used. */
export function imageError(message: string, cause?: unknown): EdgerunError {
  return new EdgerunError("IMAGE_INVALID", message, { cause });
}

/** Well-formed, but not something this program turns into a bundle. */
export function unsupported(message: string): EdgerunError {
  return new EdgerunError("UNSUPPORTED", message);
}

/** Passes an EdgerunError on; makes HOST of a failed system call; anything else is a programmer error and stays one. */
export function fromSystem(operation: string, error: unknown): unknown {
  if (error instanceof EdgerunError || !(error instanceof Error)) return error;
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  return new EdgerunError("HOST", `${operation}: ${error.message}`, { cause: error, errno: code });
}
