// SPDX-License-Identifier: Apache-2.0
// A mount of type "cgroup": what the container sees at /sys/fs/cgroup.
//
// Version 1: a tmpfs with one directory per hierarchy of the host. With a cgroup namespace each is that hierarchy,
// mounted anew (its root is the container's cgroup); without one it is a bind mount of the container's directory, so
// nothing of other containers shows. Version 2: the same choice, once; type "cgroup2" says the same there.
import { cgroupVersion } from "./cgroups.ts";
import {
  CLONE_NEWCGROUP,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
} from "./constants.ts";
import { planChange } from "./filesystems.ts";
import { attributeFields, filesystemOption } from "./mount_options.ts";
import type { MountContext, ParsedMount } from "./mounts.ts";
import { hasNamespace } from "./namespaces.ts";
import type { Operation } from "./operations.ts";
import { baseName } from "./paths.ts";
import type { HostFacts } from "./plan.ts";
import { invalid } from "./refusal.ts";

const hardened = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;

/** Does a mount of this type show the container's cgroups? On a hybrid host "cgroup2" is a file system like others. */
export function isCgroupMount(type: string, facts: HostFacts): boolean {
  return type === "cgroup" || (type === "cgroup2" && cgroupVersion(facts) === 2);
}

/** The operations of one mount of type "cgroup". @throws CONFIG_INVALID for options that are no attributes */
export function planCgroupMount(parsed: ParsedMount, context: MountContext): Operation[] {
  const { jsonPath, target, options } = parsed;
  const ignored = filesystemOption(options, parsed.mount.options);
  if (ignored !== undefined) throw invalid(`${jsonPath}.options`, `"${ignored}" is no option of a cgroup mount`);
  if (cgroupVersion(context.facts) === 2) return [planHierarchy(parsed, context, 0, target)];

  const propagation = options.propagation[0] ?? 0;
  const operations: Operation[] = [
    {
      op: "mount_filesystem",
      type: "tmpfs",
      source: "tmpfs",
      target,
      data: ["mode=755", ...(context.mountLabel === "" ? [] : [`context=${context.mountLabel}`])],
      attributes: hardened,
      superFlags: 0,
      propagation,
      inheritMode: 0,
      copyUp: 0,
    },
  ];
  for (const [index, { mount }] of context.cgroups.entries()) {
    const name = baseName(mount.mountPoint);
    operations.push(planHierarchy(parsed, context, index, `${target}/${name}`));
    if (mount.controllers.length < 2) continue;
    for (const controller of mount.controllers) {
      if (controller !== name) operations.push({ op: "make_symlink", value: name, target: `${target}/${controller}` });
    }
  }
  if (options.readOnly) {
    operations.push(planChange(target, { attributesSet: hardened | MOUNT_ATTR_RDONLY }));
  }
  return operations;
}

/**
 * In the host's cgroup namespace a new mount would show all of the host's cgroups. There, a mount of version 2 would
 * also set the options of the one file system (nsdelegate ...) to its own; a namespace that is joined may be the host's.
 */
function mountsAnew({ namespaces }: MountContext, version: 1 | 2): boolean {
  if (version === 2) return (namespaces.created & CLONE_NEWCGROUP) !== 0;
  return hasNamespace(namespaces, CLONE_NEWCGROUP);
}

function planHierarchy(parsed: ParsedMount, context: MountContext, index: number, target: string): Operation {
  const { options } = parsed;
  const { mount, path } = context.cgroups[index]!;
  const propagation = options.propagation[0] ?? 0;
  if (!mountsAnew(context, mount.version)) {
    const handed = context.sources.hand({ path, recursive: true }, parsed.jsonPath);
    return { op: "mount_bind", source: path, target, recursive: 1, ...attributeFields(options), propagation, handed };
  }
  return {
    op: "mount_filesystem",
    type: mount.version === 2 ? "cgroup2" : "cgroup",
    source: "cgroup",
    target,
    // "cpu", "cpuacct" are flags; "name=systemd" is the name of a hierarchy without controllers.
    data: mount.controllers,
    attributes: hardened | options.own.set | options.tree.set,
    superFlags: 0,
    propagation,
    inheritMode: 0,
    copyUp: 0,
  };
}
