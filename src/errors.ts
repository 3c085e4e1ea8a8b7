// SPDX-License-Identifier: Apache-2.0
// One error type for everything that can go wrong. The exit code, the line on stderr and the line in --log are
// derived from it in main.ts and nowhere else. Programmer errors stay plain TypeErrors.

/**
 * Stable names of the failures that callers and tests tell apart. Texts may be improved; these may not be renamed.
 *
 * - USAGE: the command line is wrong
 * - CONFIG_INVALID: config.json (or process.json, resources) is wrong; the message names the JSON path
 * - IMAGE_INVALID: a container image is malformed, doesn't match its digests, or is hostile
 * - UNSUPPORTED: well-formed, but this host's kernel or this build can't do it
 * - CONTAINER_EXISTS, CONTAINER_NOT_FOUND, CONTAINER_STATE: the id, or its state, doesn't allow the command
 * - MANIFEST_REQUIRED, MANIFEST_INVALID: enrolled host without a manifest; signature, time or binding wrong
 * - DENIED: the manifest doesn't grant what the bundle asks for
 * - HOST: a system call failed (errno kept)
 * - INIT: a step of the launch plan failed inside the container (errno kept)
 * - HOOK: a hook failed or timed out
 * - CRIU: criu(8) could not checkpoint or restore; the message quotes its log
 */
export type ErrorCode =
  | "USAGE"
  | "CONFIG_INVALID"
  | "IMAGE_INVALID"
  | "UNSUPPORTED"
  | "CONTAINER_EXISTS"
  | "CONTAINER_NOT_FOUND"
  | "CONTAINER_STATE"
  | "MANIFEST_REQUIRED"
  | "MANIFEST_INVALID"
  | "DENIED"
  | "HOST"
  | "INIT"
  | "HOOK"
  | "CRIU";

/** Every expected failure. `message` is one line, lower case, object quoted, innermost cause last. */
export class EdgerunError extends Error {
  readonly code: ErrorCode;
  /** The system call's errno by name ("ENOENT"), where a system call failed. */
  readonly errno: string | undefined;

  constructor(code: ErrorCode, message: string, options: { cause?: unknown; errno?: string | undefined } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "EdgerunError";
    this.code = code;
    this.errno = options.errno;
  }
}

/**
 * Puts the operation before a failure's text: `wrap("cannot read the pid file", error)`.
 * Keeps code and errno of the cause, so callers still see what kind of failure it was.
 */
export function wrap(operation: string, cause: unknown): EdgerunError {
  if (cause instanceof EdgerunError) {
    return new EdgerunError(cause.code, `${operation}: ${cause.message}`, { cause, errno: cause.errno });
  }
  throw cause;
}
