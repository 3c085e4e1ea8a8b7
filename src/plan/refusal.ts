// SPDX-License-Identifier: Apache-2.0
// The planner's ways to say no. All name the JSON path of what they are about.
import { EdgerunError } from "../errors.ts";

/** config.json contradicts itself or the specification: `invalid("linux.sysctl", "...")`. */
export function invalid(path: string, text: string): EdgerunError {
  return new EdgerunError("CONFIG_INVALID", `config.json: $.${path}: ${text}`);
}

/** Well-formed, but this version or this host does not carry it out. It is never dropped silently. */
export function unsupported(path: string, text: string): EdgerunError {
  return new EdgerunError("UNSUPPORTED", `config.json: $.${path}: ${text}`);
}

/** The text for LaunchPlan.warnings: what the specification lets a runtime leave out. */
export function warning(path: string, text: string): string {
  return `config.json: $.${path}: ${text}`;
}
