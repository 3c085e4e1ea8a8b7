// SPDX-License-Identifier: Apache-2.0
// mounts of config.json to operations. New file systems are made detached and with their final attributes; there is
// no moment at which a read-only mount is writable in the container's tree.
import type { Mount, Spec } from "../spec/config.ts";
import { isCgroupMount, planCgroupMount } from "./cgroup_mounts.ts";
import type { CgroupDirectory } from "./cgroups.ts";
import { CLONE_NEWNS, MOUNT_ATTR_RDONLY, MS_RDONLY } from "./constants.ts";
import { attributeFields, filesystemOption, type MountOptions, parseMountOptions } from "./mount_options.ts";
import { hasNamespace, type Namespaces } from "./namespaces.ts";
import type { Operation } from "./operations.ts";
import { cleanPath, isWithin } from "./paths.ts";
import type { HostFacts } from "./plan.ts";
import { invalid, unsupported } from "./refusal.ts";

export type MountContext = {
  bundle: string;
  namespaces: Namespaces;
  facts: HostFacts;
  cgroups: readonly CgroupDirectory[];
  mountLabel: string;
};

/**
 * What mounts become. `early` needs no cgroups: it is made while the host side still makes them. `late` comes after everything that is still made in the tree: read-only that has to wait.
 */
export type MountPlan = { early: Operation[]; operations: Operation[]; late: Operation[] };

/** One entry of `mounts`, read: what its file says of it, and where in it. */
export type ParsedMount = { mount: Mount; jsonPath: string; target: string; options: MountOptions };

/**
 * All mounts, in the order of config.json.
 * @throws CONFIG_INVALID or UNSUPPORTED with the JSON path of the mount
 */
export function planMounts(mounts: readonly Mount[], context: MountContext): MountPlan {
  if (mounts.length > 0 && !hasNamespace(context.namespaces, CLONE_NEWNS)) {
    throw unsupported("mounts", "without a mount namespace of its own, a container's mounts would stay on the host");
  }
  const plan: MountPlan = { early: [], operations: [], late: [] };
  let seesCgroups = false;
  for (const [index, mount] of mounts.entries()) {
    const jsonPath = `mounts[${index}]`;
    const parsed = {
      mount,
      jsonPath,
      target: cleanPath(mount.destination),
      options: parseMountOptions(mount.options ?? []),
    };
    checkMount(parsed);
    seesCgroups ||= mount.type === "cgroup" || mount.type === "cgroup2";
    if (seesCgroups) planMount(plan, parsed, context);
    else planMount({ early: [], operations: plan.early, late: plan.late }, parsed, context);
  }
  return plan;
}

/** Is /dev a bind mount? Then its nodes are its owner's business: none are made. */
export function bindsDev(spec: Spec): boolean {
  return (spec.mounts ?? []).some(
    (mount) => cleanPath(mount.destination) === "/dev" && isBind(mount, parseMountOptions(mount.options ?? [])),
  );
}

/** The option says so, or the type does; the option's mount may carry any type ("none", or none at all). */
function isBind(mount: Mount, options: MountOptions): boolean {
  return options.bind || mount.type === "bind";
}

function checkMount({ mount, jsonPath, target, options }: ParsedMount): void {
  const refused = options.refused[0];
  if (refused !== undefined) throw unsupported(`${jsonPath}.options`, `"${refused}" is not in this version`);
  if (options.copyUp) throw unsupported(`${jsonPath}.options`, `"tmpcopyup" is not in this version`);
  if (mount.uidMappings !== undefined || mount.gidMappings !== undefined) {
    throw unsupported(
      `${jsonPath}.${mount.uidMappings !== undefined ? "uidMappings" : "gidMappings"}`,
      "mapped mounts are not in this version",
    );
  }
  if (target === "/") throw invalid(`${jsonPath}.destination`, "a mount can't replace the root; use root.path");
  checkProcTarget(mount, jsonPath, target);
}

// What may lie over a procfs file: what lxcfs and the like emulate. Anything else below /proc could stand in for the
// files that labels and sysctls are written to (CVE-2019-16884, CVE-2019-19921).
const procFiles = [
  "/proc/cpuinfo",
  "/proc/diskstats",
  "/proc/loadavg",
  "/proc/meminfo",
  "/proc/net/dev",
  "/proc/slabinfo",
  "/proc/stat",
  "/proc/swaps",
  "/proc/sys/kernel/ns_last_pid",
  "/proc/uptime",
];

function checkProcTarget(mount: Mount, jsonPath: string, target: string): void {
  if (!isWithin("/proc", target) || procFiles.includes(target)) return;
  // A bind mount of the host's procfs, for containers in the host's pid namespace; the hands check that it is one.
  if (target === "/proc" && (mount.type === "proc" || cleanPath(mount.source ?? "") === "/proc")) return;
  throw invalid(`${jsonPath}.destination`, `"${target}" cannot be mounted because it is inside /proc`);
}

function planMount(plan: MountPlan, parsed: ParsedMount, context: MountContext): void {
  const { mount, jsonPath, options } = parsed;
  const type = mount.type ?? "";
  if (options.remount) {
    planRemount(plan, parsed);
  } else if (isBind(mount, options)) {
    planBind(plan, parsed, context.bundle);
  } else if (isCgroupMount(type, context.facts)) {
    plan.operations.push(...planCgroupMount(parsed, context));
  } else if (type === "" || type === "none") {
    throw invalid(`${jsonPath}.type`, "a mount that is no bind mount needs the type of its file system");
  } else {
    planFilesystem(plan, parsed, type, context.mountLabel);
  }
}

function planBind(plan: MountPlan, { mount, jsonPath, target, options }: ParsedMount, bundle: string): void {
  const source = mount.source ?? "";
  if (source === "") throw invalid(`${jsonPath}.source`, "a bind mount needs a source");
  // The kernel would ignore both without a word.
  const ignored = filesystemOption(options, mount.options);
  if (ignored !== undefined) {
    throw invalid(`${jsonPath}.options`, `"${ignored}" is an option of a file system; a bind mount can't set it`);
  }
  plan.operations.push({
    op: "mount_bind",
    source: source.startsWith("/") ? source : `${bundle}/${source}`,
    target,
    recursive: options.recursive ? 1 : 0,
    ...attributeFields(options),
    propagation: options.propagation[0] ?? 0,
  });
  planFurtherPropagation(plan, target, options);
}

// File systems that are read-only only by the mount's attribute, not in their super block: what they show is the kernel's, or still to be filled.
const kernelFilesystems = ["proc", "sysfs", "tmpfs", "devpts", "mqueue", "cgroup2", "securityfs", "debugfs", "bpf"];
/** SELinux can't label these (the kernel does). */
const unlabelled = ["proc", "sysfs"];

function planFilesystem(plan: MountPlan, { mount, target, options }: ParsedMount, type: string, label: string): void {
  const data = [...options.data];
  const inSuperBlock = options.readOnly && !kernelFilesystems.includes(type);
  if (label !== "" && !unlabelled.includes(type)) data.push(`context=${label}`);
  // A mount that is new has nothing to clear and nothing below it, so both kinds of attributes are the same.
  let attributes = (options.own.set & ~options.tree.clear) | options.tree.set;
  // Mount points and device nodes may still be made in these, so they turn read-only at the end.
  const late = (attributes & MOUNT_ATTR_RDONLY) !== 0 && (type === "tmpfs" || target === "/dev");
  if (late) {
    attributes &= ~MOUNT_ATTR_RDONLY;
    plan.late.push({
      op: "remount",
      target,
      attributesSet: MOUNT_ATTR_RDONLY,
      attributesClear: 0,
      propagation: 0,
    });
  }
  const source = mount.source ?? "";
  plan.operations.push({
    op: "mount_filesystem",
    type,
    source: source === "" ? type : source,
    target,
    data,
    attributes,
    superFlags: options.superFlags | (inSuperBlock ? MS_RDONLY : 0),
    propagation: options.propagation[0] ?? 0,
  });
  planFurtherPropagation(plan, target, options);
}

function planRemount(plan: MountPlan, { mount, jsonPath, target, options }: ParsedMount): void {
  const ignored = filesystemOption(options, mount.options);
  if (ignored !== undefined || options.tree.set !== 0 || options.tree.clear !== 0) {
    throw unsupported(`${jsonPath}.options`, "remount changes only the attributes of the mount itself in this version");
  }
  plan.operations.push({
    op: "remount",
    target,
    attributesSet: options.own.set,
    attributesClear: options.own.clear,
    propagation: options.propagation[0] ?? 0,
  });
  planFurtherPropagation(plan, target, options);
}

/** One propagation change is one system call; "slave" and then "shared" is both. */
function planFurtherPropagation(plan: MountPlan, target: string, { propagation }: MountOptions): void {
  for (const flags of propagation.slice(1)) {
    plan.operations.push({ op: "remount", target, attributesSet: 0, attributesClear: 0, propagation: flags });
  }
}
