// SPDX-License-Identifier: Apache-2.0
import { existsSync } from "node:fs";

const directories = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

/** Test options that skip, with the reason, where one of the programs is not installed. */
export function toolsMissing(...programs: string[]): { skip?: string } {
  const missing = programs.filter((program) => !directories.some((directory) => existsSync(`${directory}/${program}`)));
  return missing.length === 0 ? {} : { skip: `not installed: ${missing.join(", ")}` };
}
