// SPDX-License-Identifier: Apache-2.0
// The program in parts. On the device each one is a module of its own, read and evaluated when it is first asked for;
// those of PARTS_AHEAD (Makefile) were so when the binary was built. Each page of these is copied at the start of every
// command. This file and index.ts must import parts as types only.

export type Parts = {
  /** Starting processes. */
  launch: () => typeof import("./launch_part.ts");
  /** The owner's manifest and the policy; needed on enrolled hosts. */
  authority: () => typeof import("./authority.ts");
  /** Commands that are not called for each container, and the help. */
  commands: () => typeof import("../cli/rare_commands.ts");
  /** Mounts of running containers. */
  mounts: () => typeof import("./mount_changes.ts");
  /** Limits and figures of running containers. */
  resources: () => typeof import("./resources_part.ts");
  /** Commands on containers that no start and no end of one needs. */
  rare: () => typeof import("./rare_part.ts");
  /** The link of a container whose manifest grants one. */
  network: () => typeof import("./network.ts");
  /** What few containers ask for: network interfaces, resctrl groups. */
  special: () => typeof import("./special_part.ts");
  /** `manifest`. */
  manifests: () => typeof import("./manifests.ts");
  /** `checkpoint` and `restore`. */
  checkpoint: () => typeof import("../checkpoint/part.ts");
  /** `plan`. */
  report: () => typeof import("./plan.ts");
};

/** The name of a part's module, as the Makefile bundles them. */
export type PartName = keyof Parts;
