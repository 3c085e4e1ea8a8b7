// SPDX-License-Identifier: Apache-2.0
// mounts of config.json to operations. New file systems are made detached and with their final attributes; there is
// no moment at which a read-only mount is writable in the container's tree.
import type { Linux, Mount, Spec } from "../spec/config.ts";
import { isCgroupMount, planCgroupMount } from "./cgroup_mounts.ts";
import type { CgroupDirectory } from "./cgroups.ts";
import { MS_I_VERSION } from "./constants.ts";
import { planChange, planFilesystem, planFurtherPropagation } from "./filesystems.ts";
import { isMapped, planMountMap } from "./id_maps.ts";
import {
  attributeFields,
  filesystemOption,
  type MountOptions,
  parseMountOptions,
  superFlagWords,
} from "./mount_options.ts";
import type { Namespaces } from "./namespaces.ts";
import type { Operation } from "./operations.ts";
import { cleanPath, isWithin } from "./paths.ts";
import type { HostFacts } from "./plan.ts";
import { invalid, unsupported, warning } from "./refusal.ts";
import type { Sources } from "./sources.ts";

export type MountContext = {
  bundle: string;
  namespaces: Namespaces;
  facts: HostFacts;
  cgroups: readonly CgroupDirectory[];
  mountLabel: string;
  linux: Linux;
  sources: Sources;
  /** LaunchPlan.warnings, to add to. */
  warnings: string[];
};

/**
 * What mounts become. `early` needs no cgroups: it is made while the host side still makes them, and where no device
 * rules hold yet, which are for the container and not for file systems on devices. `late` comes after everything that
 * is still made in the tree: read-only that has to wait.
 */
export type MountPlan = { early: Operation[]; operations: Operation[]; late: Operation[] };

/** One entry of `mounts`, read: what its file says of it, and where in it. */
export type ParsedMount = { mount: Mount; jsonPath: string; target: string; options: MountOptions };

/**
 * All mounts, in the order of config.json.
 * @throws CONFIG_INVALID or UNSUPPORTED with the JSON path of the mount
 */
export function planMounts(mounts: readonly Mount[], context: MountContext): MountPlan {
  const plan: MountPlan = { early: [], operations: [], late: [] };
  const waiting: string[] = [];
  for (const [index, mount] of mounts.entries()) {
    const jsonPath = `mounts[${index}]`;
    const parsed = {
      mount,
      jsonPath,
      target: cleanPath(mount.destination),
      options: parseMountOptions(mount.options ?? []),
    };
    checkMount(parsed);
    const { target } = parsed;
    if (
      mount.type === "cgroup" ||
      mount.type === "cgroup2" ||
      isMapped(parsed) ||
      // The order of the list counts for mounts on top of each other.
      waiting.some((other) => isWithin(other, target) || isWithin(target, other))
    ) {
      waiting.push(target);
      planMount(plan, parsed, context);
    } else planMount({ early: [], operations: plan.early, late: plan.late }, parsed, context);
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

function checkMount(parsed: ParsedMount): void {
  const { mount, jsonPath, target, options } = parsed;
  if (isMapped(parsed) && (!isBind(mount, options) || options.remount)) {
    throw invalid(
      `${jsonPath}.${options.idMap === undefined ? "uidMappings" : "options"}`,
      "only bind mounts are mapped",
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
    planBind(plan, parsed, context);
  } else if (isCgroupMount(type, context.facts)) {
    plan.operations.push(...planCgroupMount(parsed, context));
  } else if (type === "" || type === "none") {
    throw invalid(`${jsonPath}.type`, "a mount that is no bind mount needs the type of its file system");
  } else {
    planFilesystem(plan, parsed, type, context.mountLabel);
  }
}

function planBind(plan: MountPlan, parsed: ParsedMount, context: MountContext): void {
  const { mount, jsonPath, target, options } = parsed;
  const given = mount.source ?? "";
  if (given === "") throw invalid(`${jsonPath}.source`, "a bind mount needs a source");
  const ignored = filesystemOption(options, mount.options);
  if (options.copyUp) refuseFilesystemOption(jsonPath, "tmpcopyup");
  if (ignored !== undefined) {
    // As with mount(2), which ignores it without a word.
    const text = `"${ignored}" is an option of a file system; a bind mount can't set it`;
    context.warnings.push(warning(`${jsonPath}.options`, text));
  }
  const source = given.startsWith("/") ? given : `${context.bundle}/${given}`;
  const map = isMapped(parsed) ? planMountMap(parsed, context.linux) : undefined;
  plan.operations.push({
    op: "mount_bind",
    source,
    target,
    recursive: options.recursive ? 1 : 0,
    ...attributeFields(options),
    propagation: options.propagation[0] ?? 0,
    handed: context.sources.hand({ path: source, recursive: options.recursive, ...map }, `${jsonPath}.options`),
  });
  plan.operations.push(...planFurtherPropagation(target, options));
}

/** An existing mount, and where it is not one of a bind mount, the options of its file system. */
function planRemount(plan: MountPlan, { mount, jsonPath, target, options }: ParsedMount): void {
  const ignored = filesystemOption(options, mount.options);
  if (isBind(mount, options) && ignored !== undefined) refuseFilesystemOption(jsonPath, ignored);
  plan.operations.push(
    planChange(target, { ...attributeFields(options), propagation: options.propagation[0] ?? 0 }),
    ...planFurtherPropagation(target, options),
  );
  if (((options.superFlags | options.superCleared) & MS_I_VERSION) !== 0) {
    throw unsupported(`${jsonPath}.options`, "a remount can't change iversion");
  }
  const data = [...superFlagWords(options), ...options.data];
  if (data.length > 0) plan.operations.push({ op: "reconfigure_filesystem", target, data });
}

// The kernel would ignore it without a word.
function refuseFilesystemOption(jsonPath: string, option: string): never {
  throw invalid(`${jsonPath}.options`, `"${option}" is an option of a file system; a bind mount can't set it`);
}
