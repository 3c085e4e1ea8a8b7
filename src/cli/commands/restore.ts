// SPDX-License-Identifier: Apache-2.0
import { criuFlags, readCriuFlags } from "../criu_flags.ts";
import { type Command, defineCommand } from "../grammar.ts";
import { absolutePath, optionalPath } from "../paths.ts";

/**
 * `restore`: by criu(8). podman and CRI-O ask for --lsm-mount-context without a value, and take "flag needs an argument"
 * as support for restoring pods.
 */
export function restoreCommand(): Command {
  return defineCommand({
    name: "restore",
    summary: "restore a container from a checkpoint",
    usage: "<container-id>",
    description:
      "Makes a container of a bundle and of the images that `checkpoint` has saved, with criu(8), and waits for it unless\n--detach is given. The images must belong to the caller and be writable by nobody else.",
    flags: {
      bundle: { kind: "value", short: "b", doc: "the bundle's directory (default: the working directory)" },
      manifest: { kind: "value", doc: "file of the capability manifest, signed by the device's owner" },
      ...criuFlags(),
      "console-socket": { kind: "value", doc: "UNIX socket that is sent the master end of the terminal" },
      "pid-file": { kind: "value", doc: "file that the process id is written to" },
      detach: { kind: "bool", short: "d", doc: "don't wait for the container's process" },
      "tcp-close": { kind: "bool", doc: "close TCP connections instead of restoring them" },
      "lsm-profile": { kind: "value", doc: "TYPE:NAME of another security profile: apparmor or selinux" },
      "lsm-mount-context": { kind: "value", doc: "another SELinux context of mounts" },
      "no-subreaper": { kind: "bool", doc: "accepted for compatibility, has no effect" },
      "no-pivot": { kind: "bool", doc: "accepted for compatibility: criu chooses by itself how it changes the root" },
    },
    minArgs: 1,
    maxArgs: 1,
    run(context, { flags, args }) {
      const { cwd } = context.request;
      return context.lifecycle.restore(context, {
        ...readCriuFlags(context, flags, args[0]!),
        bundle: absolutePath(cwd, flags.bundle ?? ""),
        manifest: optionalPath(cwd, flags.manifest),
        consoleSocket: optionalPath(cwd, flags["console-socket"]),
        pidFile: optionalPath(cwd, flags["pid-file"]),
        detach: flags.detach === true,
        tcpClose: flags["tcp-close"] === true,
        lsmProfile: flags["lsm-profile"] || undefined,
        lsmMountContext: flags["lsm-mount-context"] || undefined,
      });
    },
  });
}
