// SPDX-License-Identifier: Apache-2.0
import { type Command, defineCommand } from "../grammar.ts";
import { unsupportedCommand } from "../unsupported.ts";

/** `checkpoint`: not in this version. podman takes an exit code of 0 for `checkpoint --help` as support. */
export function checkpointCommand(): Command {
  return defineCommand({
    name: "checkpoint",
    summary: "save the state of a running container",
    usage: "<container-id>",
    flags: {
      "image-path": { kind: "value", doc: "directory of the image files" },
      "work-path": { kind: "value", doc: "directory of work files and logs" },
      "parent-path": { kind: "value", doc: "directory of the image files of an earlier pre-dump" },
      "leave-running": { kind: "bool", doc: "don't stop the container" },
      "tcp-established": { kind: "bool", doc: "allow open TCP connections" },
      "tcp-skip-in-flight": { kind: "bool", doc: "skip TCP connections that are being made" },
      "link-remap": { kind: "bool", doc: "allow open files that have been removed" },
      "ext-unix-sk": { kind: "bool", doc: "allow UNIX sockets to the outside" },
      "shell-job": { kind: "bool", doc: "allow a terminal from the outside" },
      "lazy-pages": { kind: "bool", doc: "leave memory to a page server" },
      "status-fd": { kind: "value", doc: "descriptor that is told when the page server is ready" },
      "page-server": { kind: "value", doc: "ADDRESS:PORT of the page server" },
      "file-locks": { kind: "bool", doc: "save file locks" },
      "pre-dump": { kind: "bool", doc: "save memory only, and leave the container running" },
      "manage-cgroups-mode": { kind: "value", doc: "soft, full, strict or ignore" },
      "empty-ns": { kind: "list", doc: "namespace whose properties are not saved" },
      "auto-dedup": { kind: "bool", doc: "remove memory pages that are in the parent image" },
    },
    minArgs: 1,
    maxArgs: 1,
    unsupported: true,
    run: () => unsupportedCommand("checkpoint"),
  });
}
