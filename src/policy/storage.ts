// SPDX-License-Identifier: Apache-2.0
// Places where an app can write files, each of a limited size. The manifest alone decides: they are there whether the
// bundle asks for them or not, and a mount of the bundle's in such a place gives way.
import type { Grants } from "../manifest/schema.ts";
import type { Mount } from "../spec/config.ts";
import type { Decision } from "./decision.ts";
import { formatBytes } from "./quantities.ts";

const defaultInodes = 1024;

/** The mounts with the granted temporary storage in them. Takes memory, which is granted and bounds it as well. */
export function addTemporaryStorage(mounts: readonly Mount[], grants: Grants, decisions: Decision[]): Mount[] {
  const granted = grants.storage?.temporary ?? [];
  const kept = mounts.filter(({ destination }) => !granted.some(({ path }) => path === destination));
  const added = granted.map(({ path, limitBytes, limitInodes = defaultInodes, executable = false }, index): Mount => {
    const asked = mounts.find(({ destination }) => destination === path);
    const type = executable ? "tmpfs" : "tmpfs noexec";
    decisions.push({
      subject: `mount ${path}`,
      asked: asked === undefined ? "-" : (asked.type ?? "no type"),
      granted: `${type} ${formatBytes(BigInt(limitBytes))}, ${limitInodes} files`,
      verdict: "granted",
      rule: `grants.storage.temporary[${index}]`,
    });
    const options = ["nosuid", "nodev", ...(executable ? [] : ["noexec"])];
    return {
      destination: path,
      type: "tmpfs",
      source: "tmpfs",
      options: [...options, "mode=1777", `size=${limitBytes}`, `nr_inodes=${limitInodes}`],
    };
  });
  return [...kept, ...added];
}
