// SPDX-License-Identifier: Apache-2.0
// Finds the one image that is meant in an OCI layout or a docker-save archive.

import { EdgerunError } from "../../errors.ts";
import {
  asArray,
  asObject,
  asString,
  asStrings,
  blobFile,
  parseDescriptor,
  parseDigest,
  readDocument,
  readJsonFile,
} from "./descriptor.ts";
import { imageError, unsupported } from "./failure.ts";
import { type ImageFiles, openImageFiles } from "./image_files.ts";
import type { Layer } from "./layer_stream.ts";
import { findManifest } from "./oci_index.ts";
import { equalPlatforms, formatPlatform, normalizePlatform, type Platform } from "./platform.ts";

/** An image, its config read and checked, its layers not read yet. */
export interface Image {
  files: ImageFiles;
  /** The digest of the image manifest; of the config (the image ID) where the archive has no OCI manifest. */
  digest: string;
  /** The image config (image-spec config.md), as parsed JSON. */
  config: Record<string, unknown>;
  /** From the lowest up. */
  layers: Layer[];
}

/** Which image is meant, where there are several. */
export interface Choice {
  ref?: string | undefined;
  platform?: Platform | undefined;
}

const CONFIG_TYPES = ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/**
 * Opens the image at `path`: an OCI layout directory, or a tar of one, or a docker-save archive. An archive that has
 * both forms, as docker save writes since version 25, is taken as a layout.
 * @throws EdgerunError IMAGE_INVALID for a malformed image, USAGE when `choice` leaves none or several
 */
export async function openImage(path: string, choice: Choice): Promise<Image> {
  const files = await openImageFiles(path);
  const image = await readImage(files, path, choice);
  checkPlatform(image.config, choice.platform);
  return image;
}

async function readImage(files: ImageFiles, path: string, choice: Choice): Promise<Image> {
  if (files.size("index.json") !== undefined) return openLayout(files, choice);
  if (files.size("manifest.json") !== undefined) return openDockerArchive(files, choice);
  throw imageError(`${JSON.stringify(path)} is no image: it has neither "index.json" nor "manifest.json"`);
}

async function openLayout(files: ImageFiles, choice: Choice): Promise<Image> {
  const { imageLayoutVersion } = asObject(await readJsonFile(files, "oci-layout"), "oci-layout");
  if (imageLayoutVersion !== "1.0.0") throw unsupported(`image layout version ${JSON.stringify(imageLayoutVersion)}`);

  const { digest, manifest } = await findManifest(files, choice);
  const descriptor = parseDescriptor(manifest.config, "config");
  if (!CONFIG_TYPES.includes(descriptor.mediaType)) {
    throw unsupported(`${digest} is not a container image: its config is ${JSON.stringify(descriptor.mediaType)}`);
  }
  const config = await readDocument(files, { ...descriptor, file: blobFile(descriptor.digest) }, "image config");
  const blobs = asArray(manifest.layers, "layers").map((layer, i) => parseDescriptor(layer, `layers[${i}]`));
  const diffIds = readDiffIds(config, blobs.length);
  const layers = blobs.map((blob, i) => {
    return { file: blobFile(blob.digest), mediaType: blob.mediaType, diffId: diffIds[i]!, blob };
  });
  return { files, digest, config, layers };
}

/** The older form of docker save, also podman's and skopeo's docker-archive: manifest.json names config and layers. */
async function openDockerArchive(files: ImageFiles, { ref }: Choice): Promise<Image> {
  const images = asArray(await readJsonFile(files, "manifest.json"), "manifest.json").map((item) => {
    const { RepoTags, Config, Layers } = asObject(item, "an item of manifest.json");
    const file = asString(Config, "Config");
    const digest = `sha256:${file.replace(/^.*\//s, "").replace(/\.json$/, "")}`; // the image ID, in both layouts
    return { tags: asStrings(RepoTags, "RepoTags"), file, digest, layers: asStrings(Layers, "Layers") };
  });
  const found = images.filter(({ tags, digest }) => ref === undefined || ref === digest || tags.includes(ref));
  const image = found[0];
  if (image === undefined || found.length > 1) {
    const choices = images.map(({ tags, digest }) => tags[0] ?? digest).join(", ");
    const problem = image === undefined ? `no image ${JSON.stringify(ref)}` : "several images: choose one with --ref";
    throw new EdgerunError("USAGE", `${problem}; there are: ${choices}`);
  }
  const digest = parseDigest(image.digest, "manifest.json: Config");
  const config = await readDocument(files, { file: image.file, digest }, "image config");
  const diffIds = readDiffIds(config, image.layers.length);
  const layers = image.layers.map((file, i) => {
    const mediaType = "application/vnd.docker.image.rootfs.diff.tar";
    return { file, mediaType, diffId: diffIds[i]!, blob: undefined };
  });
  return { files, digest, config, layers };
}

function readDiffIds(config: Record<string, unknown>, count: number): string[] {
  const { type, diff_ids } = asObject(config.rootfs, "image config: rootfs");
  if (type !== "layers") throw unsupported(`image config: rootfs of type ${JSON.stringify(type)}`);
  const diffIds = asArray(diff_ids, "diff_ids").map((id, i) => parseDigest(id, `image config: diff_ids[${i}]`));
  if (diffIds.length !== count)
    throw imageError(`the image has ${count} layers, its config ${diffIds.length} diff_ids`);
  return diffIds;
}

/** An index may say anything about a platform: what counts is the config. */
function checkPlatform(config: Record<string, unknown>, wanted: Platform | undefined): void {
  const os = asString(config.os, "image config: os");
  const architecture = asString(config.architecture, "image config: architecture");
  const platform = normalizePlatform(os, architecture, asString(config.variant, "image config: variant"));
  if (os !== "linux") throw unsupported(`the image is for ${JSON.stringify(os)}, not for linux`);
  // Many configs leave the variant out.
  const expected = wanted && platform.variant === "" ? { ...wanted, variant: "" } : wanted;
  if (expected !== undefined && !equalPlatforms(platform, expected)) {
    throw new EdgerunError("USAGE", `the image is for ${formatPlatform(platform)}, not ${formatPlatform(wanted!)}`);
  }
}
