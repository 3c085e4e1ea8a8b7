// SPDX-License-Identifier: Apache-2.0
// The OCI features document (runtime-spec 1.3, features.md and features-linux.md): what edgerun does in this version,
// whatever the host's kernel can do, but for seccomp's supportedFlags. Names come from where config.json is read.
import { listMountOptions } from "../plan/mount_options.ts";
import { kernelFlags } from "../plan/seccomp.ts";
import { capabilityNames } from "../spec/capabilities.ts";
import { memoryPolicySchema, namespaceSchema } from "../spec/linux.ts";
import { seccompArgSchema, seccompSchema } from "../spec/seccomp.ts";
import { type BuildInfo, ociVersionMax } from "./version.ts";

/** What only the host can tell. */
export type HostFeatures = {
  /** Has this host an owner, so that a container needs a manifest? */
  enrolled: boolean;
  /** Does the kernel know these SECCOMP_FILTER_FLAG_*? */
  supportsSeccompFlags: (flags: number) => boolean;
};

export function describeFeatures(build: BuildInfo, { enrolled, supportsSeccompFlags }: HostFeatures) {
  const seccompFlags = sorted(seccompSchema.optional.flags.list.oneOf);
  return {
    ociVersionMin: "1.0.0",
    ociVersionMax,
    hooks: ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"],
    mountOptions: listMountOptions(),
    linux: {
      namespaces: sorted(namespaceSchema.required.type.oneOf),
      capabilities: capabilityNames,
      cgroup: { v1: true, v2: true, systemd: false, systemdUser: false, rdma: true },
      seccomp: {
        enabled: true,
        actions: sorted(seccompSchema.required.defaultAction.oneOf),
        operators: sorted(seccompArgSchema.required.op.oneOf),
        archs: sorted(seccompSchema.optional.architectures.list.oneOf),
        knownFlags: seccompFlags,
        supportedFlags: seccompFlags.filter((flag) => supportsSeccompFlags(kernelFlags(flag))),
      },
      apparmor: { enabled: true },
      selinux: { enabled: true },
      intelRdt: { enabled: true, schemata: true, monitoring: true },
      memoryPolicy: {
        modes: sorted(memoryPolicySchema.required.mode.oneOf),
        flags: sorted(memoryPolicySchema.optional.flags.list.oneOf),
      },
      mountExtensions: { idmap: { enabled: true } },
      netDevices: { enabled: true },
    },
    annotations: annotations(build, enrolled),
    // Names a file that criu takes orders from.
    potentiallyUnsafeConfigAnnotations: ["org.criu.config"],
  };
}

function annotations(build: BuildInfo, enrolled: boolean): { [name: string]: string } {
  const values: { [name: string]: string } = {
    "dev.edgerun.version": build.version,
    "dev.edgerun.enrolled": String(enrolled),
    // What callers of runc look for. Whether criu is installed shows when it is needed.
    "org.opencontainers.runc.checkpoint.enabled": "true",
  };
  if (build.commit !== undefined) values["dev.edgerun.commit"] = build.commit;
  if (build.libseccomp !== undefined) values["io.github.seccomp.libseccomp.version"] = build.libseccomp;
  return values;
}

function sorted<T extends string>(names: readonly T[]): T[] {
  return [...names].sort();
}
