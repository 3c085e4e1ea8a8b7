// SPDX-License-Identifier: Apache-2.0
// A host that stays the same, and specs as decodeSpec() gives them.
import type { Json } from "../../src/host/functions.ts";
import { type LaunchOptions, planLaunch } from "../../src/plan/launch.ts";
import type { Operation, OperationName } from "../../src/plan/operations.ts";
import type { HostFacts, LaunchPlan } from "../../src/plan/plan.ts";
import { noService } from "../../src/plan/service.ts";
import type { Spec } from "../../src/spec/config.ts";
import { decodeSpec } from "../../src/spec/decode.ts";

/** As Debian mounts version 1: cpu and cpuacct, net_cls and net_prio share a hierarchy. */
export function v1Facts(): HostFacts {
  const hierarchies = [
    "name=systemd",
    "cpu,cpuacct",
    "cpuset",
    "memory",
    "devices",
    "freezer",
    "blkio",
    "pids",
    "hugetlb",
    "net_cls,net_prio",
    "rdma",
  ];
  return {
    cgroupMounts: [
      ...hierarchies.map((key) => ({
        version: 1 as const,
        mountPoint: `/sys/fs/cgroup/${key.replace("name=", "")}`,
        root: "/",
        controllers: key.split(","),
      })),
      { version: 2, mountPoint: "/sys/fs/cgroup/unified", root: "/", controllers: [] },
    ],
    ownCgroups: [
      ...hierarchies.map((controllers) => ({ controllers, path: controllers === "memory" ? "/user.slice" : "/" })),
      { controllers: "", path: "/user.slice/session.scope" },
    ],
    initialUserNamespace: true,
    securityModules: ["capability", "apparmor"],
  };
}

const options: LaunchOptions = {
  noPivot: false,
  noNewKeyring: false,
  preserveFds: 0,
  cgroupManager: "cgroupfs",
  service: noService,
  privileged: true,
};

export function specOf(json: unknown): Spec {
  return decodeSpec(json as Json).spec;
}

/** A spec with only what is needed, and `extra`. */
export function smallSpec(extra: { linux?: object; process?: object; [name: string]: unknown } = {}): Spec {
  const { process = {}, linux = {}, ...rest } = extra;
  return specOf({
    ociVersion: "1.3.0",
    root: { path: "rootfs" },
    ...rest,
    process: { user: { uid: 0, gid: 0 }, cwd: "/", args: ["sh"], ...process },
    linux: { namespaces: [{ type: "mount" }, { type: "pid" }], ...linux },
  });
}

export function launch(spec: Spec, changes: { facts?: HostFacts; options?: Partial<LaunchOptions> } = {}): LaunchPlan {
  return planLaunch({
    spec,
    id: "meter-7",
    bundle: "/bundle",
    rootfs: "/bundle/rootfs",
    facts: changes.facts ?? v1Facts(),
    options: { ...options, ...changes.options },
  });
}

/** The operations of one kind. */
export function pick<N extends OperationName>({ operations }: LaunchPlan, name: N): Extract<Operation, { op: N }>[] {
  return operations.filter((operation): operation is Extract<Operation, { op: N }> => operation.op === name);
}

/** The writes to the cgroup whose path starts with /sys/fs/cgroup/NAME/, as "file=value". */
export function cgroupWrites(plan: LaunchPlan, hierarchy: string): string[] {
  const cgroup = plan.cgroups.find(({ path }) => path.startsWith(`/sys/fs/cgroup/${hierarchy}/`));
  if (cgroup === undefined) throw new Error(`no cgroup in ${hierarchy}`);
  return cgroup.writes.map(({ file, value }) => `${file}=${value}`);
}
