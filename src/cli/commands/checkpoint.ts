// SPDX-License-Identifier: Apache-2.0
import type { CheckpointOptions } from "../../lifecycle/options.ts";
import { criuFlags, readCriuFlags } from "../criu_flags.ts";
import { type Command, defineCommand, parseDecimal, usageError } from "../grammar.ts";

/** `checkpoint`: by criu(8). podman takes an exit code of 0 for `checkpoint --help` as support. */
export function checkpointCommand(): Command {
  return defineCommand({
    name: "checkpoint",
    summary: "save the state of a running container",
    usage: "<container-id>",
    description:
      "Saves the container's processes with criu(8), which must be installed, and deletes the container.\nThe images hold the memory of its programs.",
    flags: {
      ...criuFlags(),
      "parent-path": { kind: "value", doc: "directory of an earlier pre-dump, relative to --image-path" },
      "leave-running": { kind: "bool", doc: "don't stop the container" },
      "tcp-skip-in-flight": { kind: "bool", doc: "skip TCP connections that are being made" },
      "link-remap": { kind: "bool", doc: "allow open files that have been removed but for other links" },
      "status-fd": {
        kind: "value",
        default: "-1",
        doc: "descriptor that gets a zero byte when the page server is ready",
      },
      "page-server": { kind: "value", doc: "ADDRESS:PORT of the page server" },
      "pre-dump": { kind: "bool", doc: "save memory only, and leave the container running" },
    },
    minArgs: 1,
    maxArgs: 1,
    run(context, { flags, args }) {
      const parentPath = flags["parent-path"];
      return context.lifecycle.checkpoint(context, {
        ...readCriuFlags(context, flags, args[0]!),
        parentPath: parentPath === "" ? undefined : parentPath,
        leaveRunning: flags["leave-running"] === true,
        tcpSkipInFlight: flags["tcp-skip-in-flight"] === true,
        linkRemap: flags["link-remap"] === true,
        statusFd: readDescriptor(flags["status-fd"]),
        pageServer: readPageServer(flags["page-server"]),
        preDump: flags["pre-dump"] === true,
      });
    },
  });
}

function readDescriptor(text: string | undefined): number {
  if (text === undefined || text === "-1") return -1;
  const fd = parseDecimal(text, 0x7fffffff);
  if (fd === undefined) throw usageError(`invalid value "${text}" for flag -status-fd: parse error`);
  return fd;
}

/** ADDRESS:PORT, where an address of IPv6 is in brackets. */
function readPageServer(text: string | undefined): CheckpointOptions["pageServer"] {
  if (text === undefined || text === "") return undefined;
  const colon = text.lastIndexOf(":");
  let address = text.slice(0, Math.max(colon, 0));
  const isBracketed = address.startsWith("[") && address.endsWith("]");
  if (isBracketed) address = address.slice(1, -1);
  if (address === "" || colon === text.length - 1 || (address.includes(":") && !isBracketed)) {
    throw usageError("Use --page-server ADDRESS:PORT to specify page server");
  }
  const port = parseDecimal(text.slice(colon + 1), 65535);
  if (port === undefined || port === 0) throw usageError("Invalid port number");
  return { address, port };
}
