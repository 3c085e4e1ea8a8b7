// SPDX-License-Identifier: Apache-2.0
// The planner's two ways to say no. Both name the JSON path of what they are about.
import { EdgerunError } from "../errors.ts";

/** config.json contradicts itself or the specification: `invalid("linux.sysctl", "...")`. */
export function invalid(path: string, text: string): EdgerunError {
  return new EdgerunError("CONFIG_INVALID", `config.json: $.${path}: ${text}`);
}

/** Well-formed, but this version or this host does not carry it out. It is never dropped silently. */
export function unsupported(path: string, text: string): EdgerunError {
  return new EdgerunError("UNSUPPORTED", `config.json: $.${path}: ${text}`);
}
