// SPDX-License-Identifier: Apache-2.0
// Rules of config.json that a schema can't say: the version, names, mounts. Sources: runtime-spec 1.3 (config.md), and
// what runc refuses, so that a bundle has the same fate under both.
import { quote } from "../schema/describe.ts";
import type { Spec } from "./config.ts";
import { findNamespace } from "./linux.ts";
import type { Mount } from "./mounts.ts";
import { fail, type Report, warn } from "./report.ts";
import { isSemanticVersion } from "./semantic_version.ts";
import { validateLinux } from "./validate_linux.ts";
import { validateProcess } from "./validate_process.ts";

/** The kernel's __NEW_UTS_LEN. */
const LONGEST_UTS_NAME = 64;

/**
 * Checks a decoded config.json. In the spec itself it leaves out unknown capabilities and makes relative mount
 * destinations absolute, each with a warning.
 *
 * @throws EdgerunError CONFIG_INVALID, naming the JSON path
 */
export function validateSpec(report: Report, spec: Spec): void {
  validateVersion(report, spec.ociVersion);
  validateProcess(report, "$.process", spec.process);
  validateMounts(report, "$.mounts", spec.mounts ?? []);
  validateUtsName(report, "$.hostname", spec.hostname, spec);
  validateUtsName(report, "$.domainname", spec.domainname, spec);
  if (spec.annotations !== undefined && "" in spec.annotations) {
    fail(report, "$.annotations", "names must not be empty");
  }
  if (spec.linux !== undefined) validateLinux(report, spec.linux);
}

function validateVersion(report: Report, version: string): void {
  if (!isSemanticVersion(version)) {
    fail(report, "$.ociVersion", `expected a semantic version such as 1.3.0, found ${quote(version)}`);
  }
  if (!version.startsWith("1."))
    fail(report, "$.ociVersion", `version ${quote(version)} is not supported, only 1.x is`);
}

/** Checks decoded mounts, and makes relative destinations absolute. `path` is where they stand. */
export function validateMounts(report: Report, path: string, mounts: Mount[]): void {
  for (const [index, mount] of mounts.entries()) {
    if (!mount.destination.startsWith("/")) {
      const absolute = `/${mount.destination}`;
      warn(report, `${path}[${index}].destination`, `not absolute, taken as ${quote(absolute)}`);
      mount.destination = absolute;
    }
    if ((mount.uidMappings === undefined) !== (mount.gidMappings === undefined)) {
      fail(report, `${path}[${index}]`, "uidMappings and gidMappings go together");
    }
  }
}

function validateUtsName(report: Report, path: string, name: string | undefined, spec: Spec): void {
  if (name === undefined || name === "") return;
  if (findNamespace(spec.linux, "uts") === undefined) fail(report, path, "needs a uts namespace");
  // Characters, not bytes: never too strict. The kernel counts again.
  if (name.length > LONGEST_UTS_NAME) fail(report, path, `longer than ${LONGEST_UTS_NAME} bytes`);
}
