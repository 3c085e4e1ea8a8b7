// SPDX-License-Identifier: Apache-2.0
// One-layer images of the busybox root file system: there is no registry in the tests.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execute } from "../integration/support/process.ts";
import type { Workspace } from "../integration/support/workspace.ts";

function tar(file: string, directory: string, names: readonly string[]): string {
  const result = execute("tar", ["-C", directory, "--numeric-owner", "-cf", file, ...names]);
  assert.equal(result.status, 0, result.stderr);
  return file;
}

/** The root file system as a tar file: what `docker import` and `podman import` take. */
export function makeRootfsTar(ws: Workspace): string {
  return tar(ws.newFile(), ws.newRootfs(), ["."]);
}

/** A `docker save` archive with that one layer: what `ctr image import` takes. */
export function makeImageArchive(ws: Workspace, name: string): string {
  const directory = ws.newDirectory();
  const layer = readFileSync(makeRootfsTar(ws));
  const digest = createHash("sha256").update(layer).digest("hex");
  const config = {
    architecture: { x64: "amd64", arm64: "arm64", arm: "arm" }[process.arch as string] ?? process.arch,
    os: "linux",
    config: { Cmd: ["/bin/sh"], Env: ["PATH=/bin"] },
    rootfs: { type: "layers", diff_ids: [`sha256:${digest}`] },
  };
  writeFileSync(join(directory, "layer.tar"), layer);
  writeFileSync(join(directory, "config.json"), JSON.stringify(config));
  writeFileSync(
    join(directory, "manifest.json"),
    JSON.stringify([{ Config: "config.json", RepoTags: [name], Layers: ["layer.tar"] }]),
  );
  return tar(ws.newFile(), directory, ["manifest.json", "config.json", "layer.tar"]);
}
