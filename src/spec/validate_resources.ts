// SPDX-License-Identifier: Apache-2.0
// Rules of `linux.resources` that a schema can't say (runtime-spec 1.3, config-linux.md).
import { childPath, quote } from "../schema/describe.ts";
import { fail, type Report } from "./report.ts";
import type { LinuxResources } from "./resources.ts";

/** Checks decoded resources. `path` is where they stand: "$.linux.resources", or "$" for `update`. */
export function validateResources(report: Report, path: string, resources: LinuxResources): void {
  for (const [index, { access }] of (resources.devices ?? []).entries()) {
    if (access !== undefined && !isDeviceAccess(access)) {
      fail(report, `${path}.devices[${index}].access`, `expected some of the letters rwm, found ${quote(access)}`);
    }
  }
  for (const [index, { pageSize }] of (resources.hugepageLimits ?? []).entries()) {
    if (!isPageSize(pageSize)) {
      fail(
        report,
        `${path}.hugepageLimits[${index}].pageSize`,
        `expected a size such as 2MB, found ${quote(pageSize)}`,
      );
    }
  }
  // The names are names of files that will be written below the container's cgroup.
  for (const name of Object.keys(resources.unified ?? {})) {
    if (name.includes("/") || name.indexOf(".") < 1) {
      fail(report, childPath(`${path}.unified`, name), "expected a name such as memory.high");
    }
  }
}

/** Some of "r", "w" and "m", in any order. */
function isDeviceAccess(access: string): boolean {
  for (const letter of access) if (!"rwm".includes(letter)) return false;
  return access !== "";
}

/** Digits and KB, MB, GB or TB, as in the names of the hugetlb controller's files. */
function isPageSize(size: string): boolean {
  const digits = size.slice(0, -2);
  if (digits === "" || digits.startsWith("0") || !["KB", "MB", "GB", "TB"].includes(size.slice(-2))) return false;
  for (const digit of digits) if (!"0123456789".includes(digit)) return false;
  return true;
}
