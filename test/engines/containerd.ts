// SPDX-License-Identifier: Apache-2.0
// A containerd of the test's own, and an image in its store.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Workspace } from "../integration/support/workspace.ts";
import { startDaemon } from "./daemon.ts";

/** Starts containerd below the workspace and returns its address; the CRI plugin is off, it would want a network. */
export async function startContainerd(ws: Workspace): Promise<string> {
  const directory = ws.newDirectory();
  const path = (name: string) => join(directory, name);
  const address = path("containerd.sock");
  writeFileSync(
    path("config.toml"),
    `version = 2
root = "${path("root")}"
state = "${path("state")}"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.aufs"]
[grpc]
address = "${address}"
[ttrpc]
address = "${address}.ttrpc"
`,
  );
  mkdirSync(path("state"));
  await startDaemon(ws, ["containerd", "--config", path("config.toml")], ["ctr", "--address", address, "version"]);
  return address;
}
