// SPDX-License-Identifier: Apache-2.0
// A look at the mounts that CRIU restored, before the container's processes go on: each must be where it was, with the
// attributes that it had, and show what config.json says. Whatever is in the image or the root file system can't make
// a container that sees more, or may write more, than the one that was checkpointed.
import { EdgerunError } from "../errors.ts";
import type { DescribedMount } from "./description.ts";
import { isSamePlace, type MountEntry } from "./mount_table.ts";
import type { Source } from "./outside.ts";

/** @throws EdgerunError CRIU naming the first mount that differs */
export function verifyMounts(
  restored: readonly MountEntry[],
  expected: readonly DescribedMount[],
  sources: readonly Source[],
): void {
  const left = [...restored];
  for (const mount of expected) {
    const index = left.findIndex((candidate) => isExpected(candidate, mount, sources));
    if (index >= 0) left.splice(index, 1);
    else throw differs(mount.point, describe(left.find(({ point }) => point === mount.point)));
  }
  if (left[0] !== undefined) throw differs(left[0].point, "is one that was not there");
}

function isExpected(mount: MountEntry, expected: DescribedMount, sources: readonly Source[]): boolean {
  if (mount.point !== expected.point || mount.options !== expected.options) return false;
  const { origin } = expected;
  // Another file system may hold what config.json names by now, so the place counts and not the type.
  if (origin === undefined) return mount.type === expected.type && mount.superOptions === expected.superOptions;
  return sources.some(
    (source) =>
      source.origin.target === origin.target &&
      source.origin.below === origin.below &&
      isSamePlace(source.place, mount.place),
  );
}

function describe(mount: MountEntry | undefined): string {
  if (mount === undefined) return "is missing";
  return `is now ${mount.type} ${mount.place.device} ${JSON.stringify(mount.place.path)} (${mount.options})`;
}

function differs(point: string, how: string): EdgerunError {
  return new EdgerunError(
    "CRIU",
    `criu did not restore the container's mounts as they were: ${JSON.stringify(point)} ${how}`,
  );
}
