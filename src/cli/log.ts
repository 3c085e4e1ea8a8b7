// SPDX-License-Identifier: Apache-2.0
// Errors, warnings and debug messages. An error is always written to stderr (conmon reports that) and to the --log
// file (containerd and podman read that). podman parses the whole file as one JSON object, so warnings stay out of it
// unless --debug or --log-level asks for them; and with --log, stderr may be the container's own log, so they stay out
// of that, too.
import type { Host } from "../host/functions.ts";
import type { Log } from "../lifecycle/options.ts";
import { type LogDestination, type LogLevel, writeLog } from "./log_destination.ts";
import { rfc3339 } from "./time.ts";

export type LogOptions = {
  /** Program name in front of lines on stderr. */
  name: string;
  /** --log; undefined: stderr alone. */
  destination: LogDestination | undefined;
  format: "text" | "json";
  /** The least severe messages that are written; undefined: errors, and warnings where there is no --log. */
  level: LogLevel | undefined;
};

/** The log that the options describe. Nothing is opened before there is something to write. */
export function openLog(host: Host, options: LogOptions): Log {
  const { name, destination, format, level: least } = options;
  const toLog = (level: LogLevel, message: string) => {
    if (destination === undefined) return;
    writeLog(host, destination, level, oneLine(message), () => {
      const [seconds, nanoseconds] = host.clock();
      return formatLogLine(format, level, message, rfc3339(seconds!, nanoseconds!));
    });
  };
  const toStderr = (text: string) => host.writeFd(2, `${name}: ${oneLine(text)}\n`);
  return {
    error(message) {
      try {
        toStderr(message);
      } finally {
        toLog("error", message);
      }
    },
    warn(message) {
      if (least === "error" || (least === undefined && destination !== undefined)) return;
      if (destination === undefined) toStderr(`warning: ${message}`);
      else toLog("warning", message);
    },
    debug(message) {
      if (least !== "debug") return;
      if (destination === undefined) toStderr(`debug: ${message}`);
      else toLog("debug", message);
    },
  };
}

/** One line of a log file: JSON, or logfmt as runc (logrus) writes it. */
export function formatLogLine(format: "text" | "json", level: string, message: string, time: string): string {
  if (format === "json") return `${JSON.stringify({ level, msg: message, time })}\n`;
  return `time=${logfmtValue(time)} level=${level} msg=${logfmtValue(message)}\n`;
}

function logfmtValue(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (!isBare(text.charCodeAt(i))) return JSON.stringify(text);
  }
  return text;
}

/** Letters, digits and -._/@^+ need no quotes. */
function isBare(c: number): boolean {
  const isLetter = (c >= 0x61 && c <= 0x7a) || (c >= 0x41 && c <= 0x5a);
  return isLetter || (c >= 0x2d && c <= 0x39) || c === 0x5f || c === 0x40 || c === 0x5e || c === 0x2b;
}

/** Text for a terminal: messages quote names that a bundle chose, so control characters become `?`. */
export function oneLine(text: string): string {
  let line = "";
  let start = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c >= 0x20 && (c < 0x7f || c > 0x9f)) continue;
    line += `${text.slice(start, i)}?`;
    start = i + 1;
  }
  return line + text.slice(start);
}
