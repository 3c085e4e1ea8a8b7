// SPDX-License-Identifier: Apache-2.0
// Where --log points to: a file, or, as with crun, the journal or syslog.
import type { Host } from "../host/functions.ts";
import { usageError } from "./grammar.ts";
import { absolutePath } from "./paths.ts";

export type LogLevel = "debug" | "warning" | "error";

/** `name` is what the journal or syslog shows as the sender. */
export type LogDestination = { kind: "file"; path: string } | { kind: "journald" | "syslog"; name: string };

/**
 * Reads --log; an empty value counts as absent, as in runc. A path with a colon is a path, unless a known kind is before it.
 * @throws EdgerunError USAGE
 */
export function readLogDestination(cwd: string, text: string | undefined): LogDestination | undefined {
  if (text === undefined || text === "") return undefined;
  const colon = text.indexOf(":");
  const kind = text.slice(0, Math.max(colon, 0));
  if (kind !== "file" && kind !== "journald" && kind !== "syslog")
    return { kind: "file", path: absolutePath(cwd, text) };
  const name = text.slice(colon + 1);
  if (name === "") throw usageError(`invalid log: "${text}" names nothing after ${kind}:`);
  return kind === "file" ? { kind, path: absolutePath(cwd, name) } : { kind, name };
}

/** Writes one message: `fileLine` to a file, or the message (one line) to the journal or syslog. */
export function writeLog(
  host: Host,
  destination: LogDestination,
  level: LogLevel,
  message: string,
  fileLine: () => string,
): void {
  if (destination.kind === "file") {
    host.appendFile(destination.path, fileLine());
    return;
  }
  const { kind, name } = destination;
  const severity = { error: 3, warning: 4, debug: 7 }[level]; // syslog(3)
  if (kind === "journald") {
    // systemd's native protocol: a datagram of lines NAME=value.
    const fields = [`MESSAGE=${message}`, `PRIORITY=${severity}`, `SYSLOG_IDENTIFIER=${name}`];
    host.sendDatagram("/run/systemd/journal/socket", `${fields.join("\n")}\n`);
  } else {
    const daemon = 3 << 3; // the facility
    host.sendDatagram("/dev/log", `<${daemon | severity}>${name}: ${message}`);
  }
}
