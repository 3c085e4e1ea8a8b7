// SPDX-License-Identifier: Apache-2.0
// What older kernels can't do, for tests that need it.

import { release } from "node:os";

/** Test options: skipped before that version of Linux, with the reason. */
export function sinceLinux(major: number, minor: number, reason: string): { skip?: string } {
  const [found = 0, second = 0] = release().split(/[.-]/).map(Number);
  const isOlder = found < major || (found === major && second < minor);
  return isOlder ? { skip: `before Linux ${major}.${minor} ${reason}` } : {};
}
