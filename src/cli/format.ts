// SPDX-License-Identifier: Apache-2.0
import type { OutputFormat } from "../lifecycle/options.ts";
import { usageError } from "./grammar.ts";

/**
 * The value of `--format`.
 * @throws EdgerunError USAGE
 */
export function readFormat(text: string | undefined): OutputFormat {
  const format = text ?? "table";
  if (format !== "table" && format !== "json") throw usageError("invalid format option");
  return format;
}
