// SPDX-License-Identifier: Apache-2.0
// On an enrolled host a restore is authorised as a start is, by the manifest and config.json. But the processes come
// out of the image, with the credentials, filters and mounts that they were checkpointed with: these must be what the
// owner grants now. So the spec that the container ran under is compared with the one that a start would run under.
import { EdgerunError } from "../errors.ts";
import { childPath } from "../schema/describe.ts";
import type { Spec } from "../spec/config.ts";
import type { Description } from "./description.ts";

/**
 * @throws EdgerunError DENIED naming the first difference, by its JSON path in config.json
 */
export function requireStillGranted(description: Description | null, granted: Spec): void {
  if (description === null) {
    throw new EdgerunError(
      "DENIED",
      "the images have no edgerun.json: what the processes in them hold can't be compared with the manifest",
    );
  }
  const path = findDifference(imageState(description.spec), imageState(granted), "$");
  if (path === undefined) return;
  throw new EdgerunError(
    "DENIED",
    `the checkpoint was made under another ${path} of config.json than the manifest grants now: start the container anew`,
  );
}

/** The part of a spec that is in the image; the rest a restore applies anew, from what is granted now. */
function imageState({ process, root, mounts = [], hostname, domainname, linux = {} }: Spec): unknown {
  const { resources: _, cgroupsPath: _path, namespaces = [], ...restOfLinux } = linux;
  const { terminal: _terminal, consoleSize: _size, ...restOfProcess } = process;
  return {
    process: restOfProcess,
    root: { readonly: root.readonly === true },
    mounts: mounts.map(({ source: _source, ...rest }) => rest),
    hostname,
    domainname,
    linux: {
      ...restOfLinux,
      // CRIU puts what it restores into a time namespace, so that clocks go on.
      namespaces: namespaces
        .map(({ type }) => type)
        .filter((type) => type !== "time")
        .sort(),
    },
  };
}

/** The path of the first value that is not the same in both; absent and undefined are the same. */
function findDifference(was: unknown, is: unknown, path: string): string | undefined {
  if (typeof was !== "object" || typeof is !== "object" || was === null || is === null) {
    return was === is ? undefined : path;
  }
  if (Array.isArray(was) !== Array.isArray(is)) return path;
  const before = was as { [name: string]: unknown };
  const now = is as { [name: string]: unknown };
  for (const name of new Set([...Object.keys(before), ...Object.keys(now)])) {
    const child = childPath(path, Array.isArray(was) ? Number(name) : name);
    const difference = findDifference(before[name], now[name], child);
    if (difference !== undefined) return difference;
  }
  return undefined;
}
