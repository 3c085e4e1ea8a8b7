// SPDX-License-Identifier: Apache-2.0
// A mount of a new file system, and changes of a mount that is there.
import { MOUNT_ATTR_RDONLY, MS_I_VERSION, MS_POSIXACL, MS_RDONLY, MS_SILENT } from "./constants.ts";
import type { MountOptions } from "./mount_options.ts";
import type { MountPlan, ParsedMount } from "./mounts.ts";
import type { Operation } from "./operations.ts";
import { invalid } from "./refusal.ts";

// File systems that are read-only only by the mount's attribute, not in their super block: what they show is the
// kernel's, or still to be filled.
const kernelFilesystems = ["proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup2", "securityfs", "debugfs", "bpf"];
/** SELinux can't label these (the kernel does). */
const unlabelled = ["proc", "sysfs"];
/** The longest text that fsconfig(2) takes. */
const longestDatum = 255;

/** @throws CONFIG_INVALID for "tmpcopyup" where the type is not tmpfs */
export function planFilesystem(plan: MountPlan, parsed: ParsedMount, type: string, label: string): void {
  const { mount, jsonPath, target, options } = parsed;
  if (options.copyUp && type !== "tmpfs") throw invalid(`${jsonPath}.options`, `"tmpcopyup" is only for tmpfs`);
  const data = [...options.data];
  if (label !== "" && !unlabelled.includes(type)) data.push(`context=${label}`);
  const inSuperBlock = options.readOnly && !kernelFilesystems.includes(type);
  const superFlags = options.superFlags | (inSuperBlock ? MS_RDONLY : 0);
  const source = mount.source === undefined || mount.source === "" ? type : mount.source;
  const byFlags = (superFlags & (MS_SILENT | MS_I_VERSION | MS_POSIXACL)) !== 0 || [source, ...data].some(isLong);
  // A mount that is new has nothing to clear and nothing below it, so both kinds of attributes are the same.
  let attributes = (options.own.set & ~options.tree.clear) | options.tree.set;
  const after: Operation[] = [];
  // Mount points and device nodes may still be made in these, so they turn read-only at the end; and mount(2) has one
  // flag for the mount and the super block.
  const late = type === "tmpfs" || target === "/dev";
  if ((attributes & MOUNT_ATTR_RDONLY) !== 0 && (late || (byFlags && !inSuperBlock))) {
    attributes &= ~MOUNT_ATTR_RDONLY;
    (late ? plan.late : after).push(planChange(target, { attributesSet: MOUNT_ATTR_RDONLY }));
  }
  const fields = { type, source, target, data, attributes, superFlags };
  const fromTarget = {
    // As runc: a tmpfs over a directory looks like it, if it isn't told otherwise.
    inheritMode: type === "tmpfs" && !data.some((datum) => datum.startsWith("mode=")) ? 1 : 0,
    copyUp: options.copyUp ? 1 : 0,
  };
  const [propagation = 0] = options.propagation;
  if (!byFlags) plan.operations.push({ op: "mount_filesystem", ...fields, propagation, ...fromTarget });
  else {
    plan.operations.push({ op: "mount_by_flags", ...fields, ...fromTarget });
    if (propagation !== 0) after.unshift(planChange(target, { propagation }));
  }
  plan.operations.push(...after, ...planFurtherPropagation(target, options));
}

/** In UTF-8 a UTF-16 unit has at most three bytes. */
function isLong(text: string): boolean {
  return text.length * 3 > longestDatum && countBytes(text.slice(text.indexOf("=") + 1)) > longestDatum;
}

function countBytes(text: string): number {
  let bytes = 0;
  for (const character of text) {
    const point = character.codePointAt(0)!;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x1_0000 ? 3 : 4;
  }
  return bytes;
}

type Change = Omit<Extract<Operation, { op: "remount" }>, "op" | "target">;

/** A change of the attributes or the propagation of a mount that is there. */
export function planChange(target: string, change: Partial<Change>): Operation {
  const none = { attributesSet: 0, attributesClear: 0, recursiveSet: 0, recursiveClear: 0, propagation: 0 };
  return { op: "remount", target, ...none, ...change };
}

/** One propagation change is one system call; "slave" and then "shared" is both. */
export function planFurtherPropagation(target: string, { propagation }: MountOptions): Operation[] {
  return propagation.slice(1).map((flags) => planChange(target, { propagation: flags }));
}
