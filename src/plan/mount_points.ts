// SPDX-License-Identifier: Apache-2.0
// The part of a launch plan that makes mount points in the root file system, for a restore: CRIU mounts what it
// restores, and wants to find the places.
import { CLONE_NEWNS, MS_REC, MS_SLAVE } from "./constants.ts";
import type { Operation, OperationName } from "./operations.ts";

/** Operations that make something in the container's tree, or mount what others are made in. */
const making: readonly OperationName[] = [
  "open_root",
  "mount_filesystem",
  "mount_by_flags",
  "mount_bind",
  "make_directory",
  "make_symlink",
  "make_device",
  "bind_device",
];

/**
 * A plan for a process that makes everything of the container's tree as a start does, in a mount namespace of its own,
 * and ends when it is ready: what is left are the mount points in the root file system itself.
 */
export function planMountPoints(operations: readonly Operation[]): Operation[] {
  return [
    { op: "unshare", flags: CLONE_NEWNS },
    { op: "set_propagation", flags: MS_SLAVE | MS_REC },
    ...operations.filter(({ op }) => making.includes(op)).map(simplify),
    { op: "ready" },
  ];
}

/**
 * Nothing is mounted for good, so the root's propagation does not matter; and the process has the host's rights, so it
 * opens what bind mounts show by itself.
 */
function simplify(operation: Operation): Operation {
  switch (operation.op) {
    case "open_root":
      return { ...operation, propagation: 0 };
    case "mount_bind":
    case "bind_device":
      return { ...operation, handed: 0 };
  }
  return operation;
}
