// SPDX-License-Identifier: Apache-2.0
// The owner's host functions, and those that write what a device remembers.
import { closeSync, mkdirSync, openSync, renameSync, writeFileSync } from "node:fs";
import type { Host } from "../../src/host/functions.ts";
import { makeNodeHost } from "../../src/owner/node_host.ts";

/** A host whose clock stands at `now` (seconds); functions that are not here throw when called. */
export function nodeHost(now: number, changes: Partial<Host> = {}): Host {
  const writing: Partial<Host> = {
    makeDirectories: (path, mode) => {
      mkdirSync(path, { recursive: true, mode });
      return undefined;
    },
    openDirectory: (path) => openSync(path, "r"),
    closeFd: (fd) => closeSync(fd) as undefined,
    lock: () => 1, // one process, and nothing in it waits
    replaceFile: (path, text, mode) => {
      writeFileSync(`${path}.tmp`, text, { mode });
      return renameSync(`${path}.tmp`, path) as undefined;
    },
  };
  return { ...makeNodeHost(now), ...writing, ...changes };
}
