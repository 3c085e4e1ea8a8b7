// SPDX-License-Identifier: Apache-2.0
// CRIU's log: why it failed stands there, and nowhere else.
import { EdgerunError } from "../errors.ts";
import type { Host } from "../host/functions.ts";

/** At the log level that is asked for, a container of a hundred processes makes a few megabytes. */
const maxLogBytes = 16 << 20;
const quotedLines = 3;

/** The failure with the log's last errors, on one line, and where the log is. Other failures are left as they are. */
export function explainFailure(host: Host, error: unknown, logFile: string): unknown {
  if (!(error instanceof EdgerunError && error.code === "CRIU")) return error;
  const lines = lastErrors(readLog(host, logFile));
  const quoted = lines.length === 0 ? "" : `: ${lines.join(" | ")}`;
  return new EdgerunError("CRIU", `${error.message}: log file: ${logFile}${quoted}`, { cause: error });
}

function readLog(host: Host, logFile: string): string {
  try {
    return host.readFileIfExists(logFile, maxLogBytes) ?? "";
  } catch (error) {
    if (error instanceof EdgerunError) return ""; // too long, or not UTF-8: its path has to do
    throw error;
  }
}

/** The last lines that are errors, in the log's order. */
export function lastErrors(log: string): string[] {
  const lines: string[] = [];
  for (
    let at = log.lastIndexOf("Error (");
    at >= 0 && lines.length < quotedLines;
    at = log.lastIndexOf("Error (", at - 1)
  ) {
    const newline = log.indexOf("\n", at);
    lines.unshift(log.slice(at, newline < 0 ? undefined : newline).trim());
    if (at === 0) break;
  }
  return lines;
}
