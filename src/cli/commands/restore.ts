// SPDX-License-Identifier: Apache-2.0
import { type Command, defineCommand } from "../grammar.ts";
import { unsupportedCommand } from "../unsupported.ts";

/**
 * `restore`: not in this version. runc's --lsm-profile and --lsm-mount-context are left out: podman asks for the latter
 * without a value, and takes "flag needs an argument" as support for restoring pods.
 */
export function restoreCommand(): Command {
  return defineCommand({
    name: "restore",
    summary: "restore a container from a checkpoint",
    usage: "<container-id>",
    flags: {
      "console-socket": { kind: "value", doc: "UNIX socket that is sent the master end of the terminal" },
      "image-path": { kind: "value", doc: "directory of the image files" },
      "work-path": { kind: "value", doc: "directory of work files and logs" },
      "tcp-established": { kind: "bool", doc: "allow open TCP connections" },
      "ext-unix-sk": { kind: "bool", doc: "allow UNIX sockets to the outside" },
      "shell-job": { kind: "bool", doc: "allow a terminal from the outside" },
      "file-locks": { kind: "bool", doc: "restore file locks" },
      "manage-cgroups-mode": { kind: "value", doc: "soft, full, strict or ignore" },
      bundle: { kind: "value", short: "b", doc: "the bundle's directory (default: the working directory)" },
      detach: { kind: "bool", short: "d", doc: "don't wait for the container's process" },
      "pid-file": { kind: "value", doc: "file that the process id is written to" },
      "no-subreaper": { kind: "bool", doc: "don't become the reaper of the container's orphaned processes" },
      "no-pivot": { kind: "bool", doc: "change the root without pivot_root(2)" },
      "empty-ns": { kind: "list", doc: "namespace whose properties are not restored" },
      "auto-dedup": { kind: "bool", doc: "remove memory pages that are in the parent image" },
      "lazy-pages": { kind: "bool", doc: "get memory from a page server" },
    },
    minArgs: 1,
    maxArgs: 1,
    unsupported: true,
    run: () => unsupportedCommand("restore"),
  });
}
