// SPDX-License-Identifier: Apache-2.0
import type { Context, CreateOptions } from "../../lifecycle/options.ts";
import { type Command, defineCommand, type Flag, type FlagTable, type FlagValues } from "../grammar.ts";
import { checkId } from "../id.ts";
import { absolutePath, optionalPath } from "../paths.ts";

/** `create`: a container from a bundle, up to the point where its program would start. */
export function createCommand(): Command {
  return defineCommand({
    name: "create",
    summary: "create a container",
    usage: "<container-id>",
    description:
      "Sets up a container from a bundle: a directory with a config.json and a root file system.\nIts program is started by `start`.",
    flags: createFlags(),
    minArgs: 1,
    maxArgs: 1,
    run(context, { flags, args }) {
      return context.lifecycle.create(context, readCreateOptions(context, flags, args[0]!));
    },
  });
}

/** The flags that `create` and `run` share. */
export function createFlags() {
  return {
    bundle: { kind: "value", short: "b", doc: "the bundle's directory (default: the working directory)" },
    config: configFlag(),
    manifest: { kind: "value", doc: "file of the capability manifest, signed by the device's owner" },
    "console-socket": { kind: "value", doc: "UNIX socket that is sent the master end of the terminal" },
    "pidfd-socket": { kind: "value", doc: "UNIX socket that is sent a pidfd of the container's process" },
    "pid-file": { kind: "value", doc: "file that the process id is written to" },
    "no-pivot": { kind: "bool", doc: "change the root without pivot_root(2): for a root file system on a ramdisk" },
    "no-new-keyring": { kind: "bool", doc: "keep the caller's session keyring" },
    "preserve-fds": { kind: "number", default: "0", doc: "pass this many descriptors after stdio and $LISTEN_FDS" },
  } as const satisfies FlagTable;
}

/** crun's flag for another config.json. */
export function configFlag() {
  return { kind: "value", short: "f", doc: "file in place of the bundle's config.json" } as const satisfies Flag;
}

/** The file of --config; as with crun, plain "config.json" is the bundle's. */
export function readConfigPath(cwd: string, path: string | undefined): string | undefined {
  return path === "config.json" ? undefined : optionalPath(cwd, path);
}

/**
 * The options that `create` and `run` share, from their flags.
 * @throws EdgerunError USAGE when the id is not valid
 */
export function readCreateOptions(
  context: Context,
  flags: FlagValues<ReturnType<typeof createFlags>>,
  id: string,
): CreateOptions {
  const { cwd } = context.request;
  return {
    id: checkId(id),
    bundle: absolutePath(cwd, flags.bundle ?? ""),
    config: readConfigPath(cwd, flags.config),
    manifest: optionalPath(cwd, flags.manifest),
    consoleSocket: optionalPath(cwd, flags["console-socket"]),
    pidfdSocket: optionalPath(cwd, flags["pidfd-socket"]),
    pidFile: optionalPath(cwd, flags["pid-file"]),
    noPivot: flags["no-pivot"] === true,
    noNewKeyring: flags["no-new-keyring"] === true,
    preserveFds: flags["preserve-fds"] ?? 0,
  };
}
