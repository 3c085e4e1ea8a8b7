// SPDX-License-Identifier: Apache-2.0
// `edgerun owner bundle`: from a container image to an OCI bundle, a directory with config.json and rootfs.
// The image is not trusted: it is checked against its digests, and whatever it holds, nothing is written outside.

import { lstatSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { geteuid } from "node:process";
import { EdgerunError } from "../errors.ts";
import { applyLayer } from "./bundle/apply_layer.ts";
import { createConfig, printConfig } from "./bundle/create_config.ts";
import { fromSystem, unsupported } from "./bundle/failure.ts";
import { type Choice, openImage } from "./bundle/image.ts";
import { readLayer } from "./bundle/layer_stream.ts";
import { Rootfs } from "./bundle/rootfs.ts";

export { parsePlatform } from "./bundle/platform.ts";

export interface BundleOptions extends Choice {
  /** An OCI layout directory, an OCI archive, or a docker-save archive. */
  image: string;
  /** The bundle's directory; it must not exist, its parent must. */
  output: string;
  /** The program and its arguments; empty: those of the image. */
  args?: readonly string[];
  /** Ends the work with the signal's reason; like any failure, that leaves nothing behind. */
  signal?: AbortSignal;
}

export interface BundleResult {
  /** The digest in the annotation dev.edgerun.image.digest. */
  digest: string;
  /** What of the image is not in the bundle, one line each. */
  warnings: string[];
}

/**
 * Makes a bundle of an image. The directory is readable for root only: programs in it may be set-user-ID.
 * @throws EdgerunError USAGE when the choice among several images is not clear, IMAGE_INVALID for a malformed,
 *   corrupt or hostile image, UNSUPPORTED when not root or a program is missing, HOST when a system call failed
 */
export async function bundleImage(options: BundleOptions): Promise<BundleResult> {
  if (geteuid?.() !== 0) throw unsupported("a bundle has files of many owners: only root can make it");
  const output = resolve(options.output);
  try {
    if (lstatSync(output, { throwIfNoEntry: false }) !== undefined) {
      throw new EdgerunError("USAGE", `output ${JSON.stringify(output)} already exists`);
    }
    // Beside the output, so that the last step is one rename; 0700, so that nobody meddles meanwhile.
    const temporary = mkdtempSync(join(dirname(output), ".edgerun-bundle-"));
    try {
      const result = await fillBundle(temporary, options);
      renameSync(temporary, output);
      return result;
    } catch (error) {
      rmSync(temporary, { recursive: true, force: true });
      throw error;
    }
  } catch (error) {
    throw fromSystem(`cannot make a bundle of ${JSON.stringify(options.image)}`, error);
  }
}

async function fillBundle(directory: string, options: BundleOptions): Promise<BundleResult> {
  const image = await openImage(options.image, options);
  const rootfs = new Rootfs(join(directory, "rootfs"), join(directory, "scratch"));
  for (const layer of image.layers) {
    await readLayer(image.files, layer, (tar) => applyLayer(rootfs, tar, options.signal));
  }
  const { spec, warnings } = createConfig(image, rootfs, options.args ?? []);
  rootfs.finish();
  writeFileSync(join(directory, "config.json"), printConfig(spec), { flag: "wx", mode: 0o644 });
  return { digest: image.digest, warnings };
}
