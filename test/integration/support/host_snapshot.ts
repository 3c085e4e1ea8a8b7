// SPDX-License-Identifier: Apache-2.0
// What a container may leave behind on the host, before and after.

import assert from "node:assert/strict";
import { type Dirent, existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { patience, sleep } from "./process.ts";

/** Everything that outlives a container if a runtime forgets it. Each list is of unique names. */
export type HostSnapshot = {
  mounts: Set<string>;
  cgroups: Set<string>;
  networkNamespaces: Set<string>;
  stateDirectory: Set<string>;
  processes: Set<string>;
};

/** What ids of every run of these tests start with. */
export const idPrefix = "ert-";

/** Names something of another run of these tests on the same host: not ours to judge, still less to remove. */
function isOfAnotherRun(text: string, tag: string): boolean {
  return text.includes(idPrefix) && !text.includes(tag);
}

function readOr<T>(read: () => T, fallback: T): T {
  try {
    return read();
  } catch {
    return fallback; // a process or cgroup that vanished meanwhile
  }
}

function listDirectoriesBelow(directory: string, tag: string, found: Set<string>): void {
  for (const entry of readOr<Dirent[]>(() => readdirSync(directory, { withFileTypes: true }), [])) {
    if (!entry.isDirectory() || isOfAnotherRun(entry.name, tag)) continue;
    const path = join(directory, entry.name);
    found.add(path);
    listDirectoriesBelow(path, tag, found);
  }
}

/** Reads the state of the host; `tag` is what ids of the calling test file start with. */
export function snapshotHost(tag: string, stateRoot: string): HostSnapshot {
  const snapshot: HostSnapshot = {
    mounts: new Set(),
    cgroups: new Set(),
    networkNamespaces: new Set(),
    stateDirectory: new Set(existsSync(stateRoot) ? readdirSync(stateRoot) : []),
    processes: new Set(),
  };
  for (const line of readFileSync("/proc/self/mountinfo", "utf8").trim().split("\n")) {
    if (!isOfAnotherRun(line, tag)) snapshot.mounts.add(line);
  }
  listDirectoriesBelow("/sys/fs/cgroup", tag, snapshot.cgroups);
  for (const name of readOr(() => readdirSync("/run/netns"), [])) snapshot.networkNamespaces.add(`/run/netns/${name}`);
  for (const pid of readdirSync("/proc").filter((name) => Number(name) > 0)) {
    const identity = readOr(
      () => readFileSync(`/proc/${pid}/cmdline`, "utf8") + readFileSync(`/proc/${pid}/cgroup`, "utf8"),
      "",
    );
    if (isOfAnotherRun(identity, tag)) continue;
    const namespace = readOr(() => readlinkSync(`/proc/${pid}/ns/net`), "");
    if (namespace !== "") snapshot.networkNamespaces.add(namespace);
    // A zombie is gone; when it vanishes is up to its parent, which for detached containers is the host's init.
    const isZombie = readOr(() => readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z "), true);
    if (Number(pid) === process.pid || isZombie) continue;
    const command = readOr(() => readFileSync(`/proc/${pid}/comm`, "utf8").trim(), "");
    if (command.startsWith("edgerun") || identity.includes(tag)) snapshot.processes.add(`${pid} ${command}`);
  }
  return snapshot;
}

function listNew(before: HostSnapshot, after: HostSnapshot): string[] {
  const kinds = Object.keys(before) as (keyof HostSnapshot)[];
  return kinds.flatMap((kind) =>
    [...after[kind]].filter((name) => !before[kind].has(name)).map((name) => `${kind}: ${name}`),
  );
}

function listGone(before: HostSnapshot, after: HostSnapshot): string[] {
  return [...before.mounts].filter((name) => !after.mounts.has(name)).map((name) => `mount gone: ${name}`);
}

/**
 * Fails if the host holds anything that was not there before. What the kernel or another program on the machine is
 * still taking down gets `settleMs` to vanish.
 */
export function assertHostUnchanged(before: HostSnapshot, tag: string, stateRoot: string, settleMs = 4_000): void {
  const deadline = Date.now() + settleMs * patience;
  for (;;) {
    const after = snapshotHost(tag, stateRoot);
    const differences = [...listNew(before, after), ...listGone(before, after)];
    if (differences.length === 0) return;
    if (Date.now() > deadline) assert.fail(`left behind on the host:\n${differences.join("\n")}`);
    sleep(20);
  }
}
