// SPDX-License-Identifier: Apache-2.0
// From a layout's index.json to one image manifest (image-spec image-index.md): first the name, then the platform.

import { EdgerunError } from "../../errors.ts";
import {
  asArray,
  asObject,
  asString,
  blobFile,
  type Descriptor,
  parseDescriptor,
  readDocument,
  readJsonFile,
} from "./descriptor.ts";
import { imageError, unsupported } from "./failure.ts";
import type { Choice } from "./image.ts";
import type { ImageFiles } from "./image_files.ts";
import { equalPlatforms, formatPlatform, hostPlatform, normalizePlatform, type Platform } from "./platform.ts";

const INDEX_TYPES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
];
const MANIFEST_TYPES = [
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v2+json",
];
const MAX_DEPTH = 4;

/** An entry of an index: what it points to, the names it has, the platform it says it is for. */
interface IndexEntry {
  descriptor: Descriptor;
  names: string[];
  platform: Platform | undefined;
}

export interface FoundManifest {
  digest: string;
  manifest: Record<string, unknown>;
}

/** The manifest that `choice` means. @throws EdgerunError USAGE naming the choices when it means none, or several */
export async function findManifest(files: ImageFiles, choice: Choice): Promise<FoundManifest> {
  const named = chooseByName(parseIndex(await readJsonFile(files, "index.json"), "index.json"), choice.ref);
  const candidates: IndexEntry[] = [];
  for (const entry of named) candidates.push(...(await flatten(files, entry, 0)));

  // A single image is taken whatever this machine is: bundles are made on a desk for a device.
  const single = candidates.length === 1 && named[0]!.descriptor === candidates[0]!.descriptor;
  const chosen =
    single && choice.platform === undefined ? candidates[0]! : await chooseByPlatform(files, candidates, choice);
  return { digest: chosen.descriptor.digest, manifest: await readManifest(files, chosen.descriptor) };
}

/** The entries of that name. Without a name: all, if they are one image (for several platforms perhaps). */
function chooseByName(entries: IndexEntry[], ref: string | undefined): IndexEntry[] {
  if (entries.length === 0) throw imageError("the image layout is empty");
  const choices = [...new Set(entries.map(displayName))];
  if (ref !== undefined) {
    const found = entries.filter((entry) => entry.names.includes(ref) || entry.descriptor.digest === ref);
    if (found.length === 0) {
      throw new EdgerunError("USAGE", `no image ${JSON.stringify(ref)}; there are: ${choices.join(", ")}`);
    }
    return found;
  }
  const onePerPlatform = entries.every((entry) => entry.names.length === 0 && entry.platform !== undefined);
  if (choices.length > 1 && !onePerPlatform) {
    throw new EdgerunError("USAGE", `several images: choose one with --ref: ${choices.join(", ")}`);
  }
  return entries;
}

function displayName({ names, descriptor }: IndexEntry): string {
  return names[0] ?? descriptor.digest;
}

async function chooseByPlatform(files: ImageFiles, candidates: IndexEntry[], choice: Choice): Promise<IndexEntry> {
  const wanted = choice.platform ?? hostPlatform();
  const found = new Map<string, IndexEntry>();
  const offered = new Set<string>();
  for (const entry of candidates) {
    const platform = entry.platform ?? (await readPlatform(files, entry.descriptor));
    offered.add(formatPlatform(platform));
    if (equalPlatforms(platform, wanted)) found.set(entry.descriptor.digest, entry);
  }
  const [first, ...more] = found.values();
  if (first === undefined) {
    const list = [...offered].join(", ");
    throw new EdgerunError("USAGE", `no image for ${formatPlatform(wanted)}; choose with --platform from: ${list}`);
  }
  if (more.length > 0) {
    const list = [...found.keys()].join(", ");
    throw new EdgerunError("USAGE", `several images for ${formatPlatform(wanted)}: choose one with --ref: ${list}`);
  }
  return first;
}

/** The image manifests that an entry stands for: itself, or those of the index it points to. */
async function flatten(files: ImageFiles, entry: IndexEntry, depth: number): Promise<IndexEntry[]> {
  const { mediaType, digest } = entry.descriptor;
  if (MANIFEST_TYPES.includes(mediaType)) return [entry];
  if (!INDEX_TYPES.includes(mediaType)) throw unsupported(`${digest} is of media type ${JSON.stringify(mediaType)}`);
  if (depth === MAX_DEPTH) throw imageError(`image indexes nested more than ${MAX_DEPTH} deep`);
  const label = `image index ${digest}`;
  const index = await readDocument(files, { ...entry.descriptor, file: blobFile(digest) }, label);
  const manifests: IndexEntry[] = [];
  for (const child of parseIndex(index, label)) {
    // A copy of some platforms only leaves the index as it was.
    if (files.size(blobFile(child.descriptor.digest)) === undefined) continue;
    manifests.push(...(await flatten(files, child, depth + 1)));
  }
  return manifests;
}

function parseIndex(value: unknown, label: string): IndexEntry[] {
  return asArray(asObject(value, label).manifests, `${label}: manifests`).map((item, i) => {
    const where = `${label}: manifests[${i}]`;
    const { annotations = {}, platform } = asObject(item, where);
    const labels = asObject(annotations ?? {}, `${where}: annotations`);
    const names = ["org.opencontainers.image.ref.name", "io.containerd.image.name"]
      .map((key) => asString(labels[key], `${where}: annotations: ${key}`))
      .filter((name) => name !== "");
    return {
      descriptor: parseDescriptor(item, where),
      names,
      platform: platform === undefined || platform === null ? undefined : toPlatform(platform, `${where}: platform`),
    };
  });
}

async function readPlatform(files: ImageFiles, descriptor: Descriptor): Promise<Platform> {
  const config = parseDescriptor((await readManifest(files, descriptor)).config, "config");
  return toPlatform(
    await readDocument(files, { ...config, file: blobFile(config.digest) }, "image config"),
    "image config",
  );
}

function toPlatform(value: unknown, label: string): Platform {
  const { os, architecture, variant } = asObject(value, label);
  return normalizePlatform(asString(os, "os"), asString(architecture, "architecture"), asString(variant, "variant"));
}

function readManifest(files: ImageFiles, descriptor: Descriptor): Promise<Record<string, unknown>> {
  const { digest } = descriptor;
  return readDocument(files, { ...descriptor, file: blobFile(digest) }, `image manifest ${digest}`);
}
