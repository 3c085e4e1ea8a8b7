// SPDX-License-Identifier: Apache-2.0
// The programs that edgerun does not pass, and why: each is the program's own error, or asks for what the kernel or this
// machine does not have. docs/conformance.md says more.

export type Known = {
  reason: string;
  /** Its outcome is a race, for every runtime. */
  racy?: true;
};

export const knownOutcomes: { readonly [program: string]: Known } = {
  delete: { reason: "wants `delete` of a created container refused, which engines rely on" },
  delete_resources: { reason: "compares the addresses of two numbers for the numbers" },
  linux_cgroups_blkio: { reason: "sets blkio.leaf_weight, which Linux 5.0 removed" },
  linux_cgroups_memory: { reason: "sets memory.kmem.limit_in_bytes, which Linux 5.16 removed" },
  linux_cgroups_pids: { reason: "compares the addresses of two numbers for the numbers" },
  linux_cgroups_relative_blkio: { reason: "sets blkio.leaf_weight, which Linux 5.0 removed" },
  linux_cgroups_relative_memory: { reason: "sets memory.kmem.limit_in_bytes, which Linux 5.16 removed" },
  linux_cgroups_relative_pids: { reason: "compares the addresses of two numbers for the numbers" },
  linux_mount_label: { reason: "wants a label started without SELinux, where the specification has an error" },
  linux_process_apparmor_profile: {
    reason: "wants a profile started without AppArmor, where the specification has an error",
  },
  misc_props: { reason: "starts a program that it did not put into the bundle" },
  pidfile: { reason: "kills `true`, which has ended long before", racy: true },
  process_capabilities: { reason: "wants every capability that the kernel knows, also those that its caller lacks" },
  process_capabilities_fail: { reason: "wants an unknown capability refused, where the specification has a warning" },
  process_rlimits: { reason: "its own Go runtime raises the soft RLIMIT_NOFILE before it is read" },
};

/** On a host without cgroup v1 these test nothing but that: they look for its files. */
export function needsCgroupV1(program: string): boolean {
  return program.startsWith("linux_cgroups_") || program === "delete_resources";
}
