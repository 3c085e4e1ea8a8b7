// SPDX-License-Identifier: Apache-2.0
// The flags that `checkpoint` and `restore` share; names and texts of errors are runc's, --network-lock is crun's.
import type { Context, CriuFlags } from "../lifecycle/options.ts";
import { quote } from "../schema/describe.ts";
import { type FlagTable, type FlagValues, usageError } from "./grammar.ts";
import { checkId } from "./id.ts";
import { absolutePath, optionalPath } from "./paths.ts";

const cgroupModes = ["soft", "full", "strict", "ignore"] as const;
const networkLocks = ["iptables", "nftables", "skip"] as const;

/** A new table each time. */
export function criuFlags() {
  return {
    "image-path": { kind: "value", default: '"./checkpoint"', doc: "directory of the image files" },
    "work-path": { kind: "value", doc: "directory of work files and logs (default: that of the images)" },
    "tcp-established": { kind: "bool", doc: "allow open TCP connections" },
    "ext-unix-sk": { kind: "bool", doc: "allow UNIX sockets to the outside" },
    "shell-job": { kind: "bool", doc: "allow a terminal from the outside" },
    "file-locks": { kind: "bool", doc: "allow file locks" },
    "manage-cgroups-mode": { kind: "value", default: '"soft"', doc: "soft, full, strict or ignore" },
    "empty-ns": { kind: "list", doc: "namespace whose properties are left out; `network` always is" },
    "auto-dedup": { kind: "bool", doc: "remove memory pages that are in the parent image" },
    "lazy-pages": { kind: "bool", doc: "memory pages by a page server, when they are used" },
    "network-lock": { kind: "value", doc: "how connections are kept still meanwhile: iptables, nftables or skip" },
  } as const satisfies FlagTable;
}

/** @throws EdgerunError USAGE */
export function readCriuFlags(
  context: Context,
  flags: FlagValues<ReturnType<typeof criuFlags>>,
  id: string,
): CriuFlags {
  const { cwd } = context.request;
  for (const namespace of flags["empty-ns"]) {
    if (namespace !== "network") throw usageError(`namespace ${quote(namespace)} is not supported`);
  }
  return {
    id: checkId(id),
    imagePath: absolutePath(cwd, flags["image-path"] || "checkpoint"),
    workPath: optionalPath(cwd, flags["work-path"]),
    tcpEstablished: flags["tcp-established"] === true,
    extUnixSk: flags["ext-unix-sk"] === true,
    shellJob: flags["shell-job"] === true,
    fileLocks: flags["file-locks"] === true,
    manageCgroupsMode: readWord(flags["manage-cgroups-mode"], cgroupModes, "manage-cgroups-mode") ?? "default",
    autoDedup: flags["auto-dedup"] === true,
    lazyPages: flags["lazy-pages"] === true,
    networkLock: readWord(flags["network-lock"], networkLocks, "network-lock"),
  };
}

function readWord<W extends string>(text: string | undefined, words: readonly W[], flag: string): W | undefined {
  if (text === undefined || text === "") return undefined;
  const word = words.find((known) => known === text);
  if (word === undefined) throw usageError(`Invalid ${flag} value`);
  return word;
}
