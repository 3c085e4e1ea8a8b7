// SPDX-License-Identifier: Apache-2.0
// A layer blob as the tar inside it: digest checked, decompressed, diffID checked.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { readFully, StreamSource } from "./byte_source.ts";
import { DigestCheck } from "./descriptor.ts";
import { imageError, unsupported } from "./failure.ts";
import type { ImageFiles } from "./image_files.ts";
import { TarReader } from "./tar_reader.ts";

const MEDIA_TYPES = new Set([
  "application/vnd.oci.image.layer.v1.tar",
  "application/vnd.oci.image.layer.v1.tar+gzip",
  "application/vnd.oci.image.layer.v1.tar+zstd",
  "application/vnd.oci.image.layer.nondistributable.v1.tar",
  "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
  "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd",
  "application/vnd.docker.image.rootfs.diff.tar",
  "application/vnd.docker.image.rootfs.diff.tar.gzip",
  "application/vnd.docker.image.rootfs.diff.tar.zstd",
  "application/vnd.docker.image.rootfs.foreign.diff.tar",
  "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
]);

/** A layer of an image, not read yet. */
export interface Layer {
  /** Where it is in the image. */
  file: string;
  mediaType: string;
  /** The digest of the uncompressed tar. */
  diffId: string;
  /** Digest and size of the file, where the image says them (docker-save archives don't). */
  blob: { digest: string; size: number } | undefined;
}

/**
 * Calls `use` with the layer's tar. What `use` does is to be thrown away if this fails: the digests are only known
 * at the end of the data.
 *
 * The compression is told by the data, not by the media type (tools get that wrong, and the diffID decides anyway).
 * @throws EdgerunError IMAGE_INVALID when the blob is missing or a digest is wrong, UNSUPPORTED for other media types
 */
export async function readLayer(
  files: ImageFiles,
  layer: Layer,
  use: (tar: TarReader) => Promise<void>,
): Promise<void> {
  const label = `layer ${layer.blob?.digest ?? layer.diffId}`;
  if (!MEDIA_TYPES.has(layer.mediaType))
    throw unsupported(`${label} is of media type ${JSON.stringify(layer.mediaType)}`);
  if (files.size(layer.file) === undefined) throw imageError(`${label} is not in the image`);
  const blob = new DigestCheck(label, layer.blob?.digest, layer.blob?.size);
  const tar = new DigestCheck(`${label}, uncompressed,`, layer.diffId);

  const chunks = tar.through(decompress(blob.through(files.stream(layer.file))));
  const source = new StreamSource(chunks);
  try {
    await use(new TarReader(source));
    await source.skip(Number.MAX_SAFE_INTEGER); // the digests cover what follows the end-of-archive marker, too
  } finally {
    await chunks.return(undefined);
  }
  blob.finish();
  tar.finish();
}

async function* decompress(chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  const source = new StreamSource(chunks);
  const head = await readFully(source, 4);
  const all = Readable.from(prepend(head, source), { objectMode: false });
  const magic = head.toString("hex");
  if (magic.startsWith("1f8b")) yield* gunzip(all);
  else if (magic === "28b52ffd") yield* unzstd(all);
  else yield* all;
}

async function* prepend(head: Buffer, source: StreamSource): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  for (;;) {
    const part = await source.readSome(1 << 20);
    if (part.length === 0) return;
    yield part;
  }
}

async function* gunzip(compressed: Readable): AsyncGenerator<Buffer> {
  const decoder = createGunzip();
  const done = pipeline(compressed, decoder);
  done.catch(() => {}); // also thrown by the iteration
  try {
    yield* decoder;
    await done;
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code?.startsWith("Z_") ? imageError("corrupt gzip data", error) : error;
  }
}

/** Node 20 has no zstd: the program does it. */
async function* unzstd(compressed: Readable): AsyncGenerator<Buffer> {
  const child = spawn("zstd", ["-dcq"], { stdio: ["pipe", "pipe", "pipe"] });
  try {
    await once(child, "spawn");
  } catch {
    compressed.destroy();
    throw unsupported("the image has zstd layers: install the program zstd (Debian: apt install zstd)");
  }
  const exited = once(child, "close");
  const fed = pipeline(compressed, child.stdin).catch((error: NodeJS.ErrnoException) => error);
  let message = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    message = (message + text).slice(0, 1000);
  });
  try {
    yield* child.stdout;
    const sourceError = await fed;
    if (sourceError !== undefined && sourceError.code !== "EPIPE") throw sourceError;
    const [status] = await exited;
    if (status !== 0) throw imageError(`corrupt zstd data: ${message.trim().replaceAll("\n", "; ")}`);
  } finally {
    child.kill("SIGKILL");
  }
}
