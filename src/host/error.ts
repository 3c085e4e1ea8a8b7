// SPDX-License-Identifier: Apache-2.0
// How a failed host function becomes an error: both bindings call this and throw what it returns.
import { EdgerunError } from "../errors.ts";

/** The error of a host function that failed; `errno` is "" where no system call failed. */
export function makeHostError(message: string, errno: string): EdgerunError {
  return new EdgerunError("HOST", message, { errno: errno === "" ? undefined : errno });
}
