// SPDX-License-Identifier: Apache-2.0
// What is enabled at the root of cgroup v2. A runtime enables what a container needs and leaves it so, because others
// may need it meanwhile; on a host with both versions a controller that is enabled there can't be mounted as v1.

import { existsSync, readFileSync, writeFileSync } from "node:fs";

function rootFile(): string | undefined {
  const mounts = readFileSync("/proc/self/mounts", "utf8").split("\n");
  const root = mounts.map((line) => line.split(" ")).find(([, , type]) => type === "cgroup2")?.[1];
  const file = `${root}/cgroup.subtree_control`;
  return root !== undefined && existsSync(file) ? file : undefined;
}

/** The controllers that are enabled below the root of cgroup v2; none where there is no v2. */
export function readEnabledControllers(): Set<string> {
  const file = rootFile();
  return new Set(
    file === undefined
      ? []
      : readFileSync(file, "utf8")
          .split(/\s+/)
          .filter((name) => name !== ""),
  );
}

/** Disables those that were not enabled before. One that somebody else uses by now stays. */
export function disableNewControllers(before: ReadonlySet<string>): void {
  const file = rootFile();
  if (file === undefined) return;
  for (const name of readEnabledControllers()) {
    if (before.has(name)) continue;
    try {
      writeFileSync(file, `-${name}`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EBUSY") throw error;
    }
  }
}
