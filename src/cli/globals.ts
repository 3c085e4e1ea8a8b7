// SPDX-License-Identifier: Apache-2.0
// The flags before the command.
import type { Request } from "../host/functions.ts";
import { type FlagTable, type FlagValues, usageError } from "./grammar.ts";
import { absolutePath, optionalPath } from "./paths.ts";

/** The table of the global flags. */
export function globalFlags() {
  return {
    debug: { kind: "bool", doc: "log warnings and debug messages, too" },
    log: { kind: "value", doc: "file that errors are appended to (they are on stderr in any case)" },
    "log-format": { kind: "value", default: '"text"', doc: "format of the log file: text or json" },
    root: {
      kind: "value",
      default: `"${systemRoot}"`,
      doc: "directory of the containers' state; should be on a tmpfs",
    },
    "config-root": {
      kind: "value",
      default: `"${defaultConfigRoot}"`,
      doc: "directory of the owner's keys (trust) and manifests (manifests)",
    },
    "systemd-cgroup": { kind: "bool", doc: "cgroupsPath is of the form slice:prefix:name, for systemd" },
    rootless: { kind: "value", doc: "accepted for compatibility, has no effect" },
    criu: { kind: "value", hidden: true, doc: "accepted for compatibility, has no effect" },
    version: { kind: "bool", short: "v", doc: "print the version" },
  } as const satisfies FlagTable;
}

export type GlobalOptions = {
  root: string;
  /** Where the owner's keys and manifests are. */
  configRoot: string;
  logPath: string | undefined;
  logFormat: "text" | "json";
  debug: boolean;
  systemdCgroup: boolean;
};

const defaultConfigRoot = "/etc/edgerun";
const systemRoot = "/run/edgerun/containers";

/**
 * Checks the global flags' values and fills in the defaults.
 * @throws EdgerunError USAGE
 */
export function readGlobals(flags: FlagValues<ReturnType<typeof globalFlags>>, request: Request): GlobalOptions {
  const format = flags["log-format"] ?? "text";
  if (format !== "text" && format !== "json") throw usageError(`invalid log-format: ${format}`);
  const root = optionalPath(request.cwd, flags.root) ?? defaultRoot(request);
  if (root === "/") throw usageError("Option --root argument should not be set to /");
  return {
    root,
    configRoot: optionalPath(request.cwd, flags["config-root"]) ?? defaultConfigRoot,
    logPath: optionalPath(request.cwd, flags.log),
    logFormat: format,
    debug: flags.debug === true,
    systemdCgroup: flags["systemd-cgroup"] === true,
  };
}

/** Users other than root can't write in /run; theirs is below $XDG_RUNTIME_DIR. */
function defaultRoot(request: Request): string {
  if (request.uid === 0) return systemRoot;
  const prefix = "XDG_RUNTIME_DIR=";
  const directory = request.env.find((entry) => entry.startsWith(prefix))?.slice(prefix.length);
  return directory ? absolutePath(request.cwd, `${directory}/edgerun/containers`) : systemRoot;
}
