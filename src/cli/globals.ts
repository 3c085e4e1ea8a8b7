// SPDX-License-Identifier: Apache-2.0
// The flags before the command.
import type { Host, Request } from "../host/functions.ts";
import { findRuntimeDirectory, systemRuntimeDirectory } from "../host/runtime_directory.ts";
import type { Rootless } from "../lifecycle/options.ts";
import type { CgroupManager } from "../plan/cgroups.ts";
import { type FlagTable, type FlagValues, usageError } from "./grammar.ts";
import { type LogDestination, type LogLevel, readLogDestination } from "./log_destination.ts";
import { optionalPath } from "./paths.ts";

/** The table of the global flags. */
export function globalFlags() {
  return {
    debug: { kind: "bool", doc: "log warnings and debug messages, too" },
    log: {
      kind: "value",
      doc: "where errors are logged, beside stderr: a file, or file:PATH, journald:NAME, syslog:NAME",
    },
    "log-format": { kind: "value", default: '"text"', doc: "format of the log file: text or json" },
    "log-level": { kind: "value", doc: "least severe messages to log: debug, warning or error" },
    root: {
      kind: "value",
      default: `"${systemRuntimeDirectory}/containers"`,
      doc: "directory of the containers' state; should be on a tmpfs",
    },
    "config-root": {
      kind: "value",
      default: `"${defaultConfigRoot}"`,
      doc: "directory of the owner's keys (trust) and manifests (manifests)",
    },
    "data-root": {
      kind: "value",
      default: `"${defaultDataRoot}"`,
      doc: "directory of what outlives containers and reboots: which manifests were in force",
    },
    "systemd-cgroup": { kind: "bool", doc: "as --cgroup-manager systemd" },
    "cgroup-manager": {
      kind: "value",
      default: '"cgroupfs"',
      doc: "who makes cgroups: cgroupfs, systemd (cgroupsPath is slice:prefix:name), or disabled: nobody",
    },
    rootless: {
      kind: "value",
      default: '"auto"',
      doc: "do without cgroups where there is no right to make them: true, false or auto",
    },
    criu: { kind: "value", hidden: true, doc: "accepted for compatibility, has no effect" },
    version: { kind: "bool", short: "v", doc: "print the version" },
  } as const satisfies FlagTable;
}

export type GlobalOptions = {
  root: string;
  /** Where the owner's keys and manifests are. */
  configRoot: string;
  /** What outlives containers and reboots. */
  dataRoot: string;
  logDestination: LogDestination | undefined;
  logFormat: "text" | "json";
  /** undefined: warnings only where there is no --log. */
  logLevel: LogLevel | undefined;
  cgroupManager: CgroupManager;
  rootless: Rootless;
};

const defaultConfigRoot = "/etc/edgerun";
const defaultDataRoot = "/var/lib/edgerun";

/**
 * Checks the global flags' values and fills in the defaults.
 * @throws EdgerunError USAGE
 */
export function readGlobals(
  flags: FlagValues<ReturnType<typeof globalFlags>>,
  request: Request,
  host: Host,
): GlobalOptions {
  const format = flags["log-format"] ?? "text";
  if (format !== "text" && format !== "json") throw usageError(`invalid log-format: ${format}`);
  const root = optionalPath(request.cwd, flags.root) ?? `${findRuntimeDirectory(host, request)}/containers`;
  if (root === "/") throw usageError("Option --root argument should not be set to /");
  return {
    root,
    configRoot: optionalPath(request.cwd, flags["config-root"]) ?? defaultConfigRoot,
    dataRoot: optionalPath(request.cwd, flags["data-root"]) ?? defaultDataRoot,
    logDestination: readLogDestination(request.cwd, flags.log),
    logFormat: format,
    logLevel: flags.debug === true ? "debug" : readLogLevel(flags["log-level"]),
    rootless: readRootless(flags.rootless ?? "auto"),
    cgroupManager: readCgroupManager(flags["cgroup-manager"], flags["systemd-cgroup"] === true),
  };
}

function readLogLevel(level: string | undefined): LogLevel | undefined {
  if (level === undefined || level === "debug" || level === "warning" || level === "error") return level;
  throw usageError(`invalid log-level: ${level}`);
}

/** podman asks for "disabled" beside the --systemd-cgroup that it always passes: the more exact flag counts. */
function readCgroupManager(name: string | undefined, systemdCgroup: boolean): CgroupManager {
  if (name === undefined) return systemdCgroup ? "systemd" : "cgroupfs";
  if (name === "cgroupfs" || name === "systemd" || name === "disabled") return name;
  throw usageError(`invalid cgroup-manager: ${name}`);
}

/** As runc, which takes what Go's strconv.ParseBool takes, and "auto". */
function readRootless(text: string): Rootless {
  if (text === "auto" || text === "") return "auto";
  if (["1", "t", "T", "TRUE", "true", "True"].includes(text)) return "true";
  if (["0", "f", "F", "FALSE", "false", "False"].includes(text)) return "false";
  throw usageError(`invalid --rootless "${text}": expected true, false or auto`);
}
