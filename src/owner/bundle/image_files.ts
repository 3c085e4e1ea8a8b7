// SPDX-License-Identifier: Apache-2.0
// The files of an image, whichever way it is stored: in a directory, or as the members of a tar.

import { closeSync, constants, createReadStream, fstatSync, openSync, type ReadStream, statSync } from "node:fs";
import { join } from "node:path";
import { FileSource } from "./byte_source.ts";
import { fromText, quote } from "./byte_string.ts";
import { imageError, unsupported } from "./failure.ts";
import { TarReader } from "./tar_reader.ts";

/** Names are relative, with "/", as in the layout: "index.json", "blobs/sha256/...". */
export interface ImageFiles {
  /** The size in bytes of a file; undefined if there is none of that name. */
  size(name: string): number | undefined;
  /** The bytes of a file that `size` found. */
  stream(name: string): AsyncIterable<Buffer>;
}

/** Opens an image: a directory, or an uncompressed tar. @throws EdgerunError when it is neither */
export async function openImageFiles(path: string): Promise<ImageFiles> {
  const stat = statSync(path);
  if (stat.isDirectory()) return new DirectoryFiles(path);
  if (!stat.isFile()) throw unsupported(`image ${JSON.stringify(path)} is neither a directory nor a file`);
  return openArchive(path);
}

/** Reads a whole small file. @throws EdgerunError IMAGE_INVALID when it is missing or larger than `maxBytes` */
export async function readImageFile(files: ImageFiles, name: string, maxBytes: number): Promise<Buffer> {
  const size = files.size(name);
  if (size === undefined) throw imageError(`the image has no file "${name}"`);
  if (size > maxBytes) throw imageError(`the image's file "${name}" is larger than ${maxBytes} bytes`);
  const parts: Buffer[] = [];
  for await (const part of files.stream(name)) parts.push(part);
  return Buffer.concat(parts);
}

class DirectoryFiles implements ImageFiles {
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  size(name: string): number | undefined {
    // manifest.json may say any name; what is outside the directory is not the image's.
    if (name.split("/").includes("..")) return undefined;
    const stat = statSync(join(this.#path, name), { throwIfNoEntry: false });
    return stat?.isFile() ? stat.size : undefined;
  }

  stream(name: string): ReadStream {
    return createReadStream(join(this.#path, name));
  }
}

/** Where a member is: its data, or, for a link, the name of the member that has the data. */
type Member = { offset: number; size: number } | { target: string };

class ArchiveFiles implements ImageFiles {
  readonly #path: string;
  readonly #members: ReadonlyMap<string, Member>;

  constructor(path: string, members: ReadonlyMap<string, Member>) {
    this.#path = path;
    this.#members = members;
  }

  size(name: string): number | undefined {
    return this.#find(name)?.size;
  }

  async *stream(name: string): AsyncGenerator<Buffer> {
    const member = this.#find(name);
    if (member === undefined) throw imageError(`the image has no file ${JSON.stringify(name)}`);
    if (member.size === 0) return;
    yield* createReadStream(this.#path, { start: member.offset, end: member.offset + member.size - 1 });
  }

  /** Links between members (docker save writes them for layers that are used twice) are followed, a few. */
  #find(name: string): { offset: number; size: number } | undefined {
    let member = this.#members.get(fromText(name));
    for (let hops = 0; member !== undefined && "target" in member; hops++) {
      if (hops === 8) throw imageError(`too many links to the archive member ${JSON.stringify(name)}`);
      member = this.#members.get(member.target);
    }
    return member;
  }
}

async function openArchive(path: string): Promise<ImageFiles> {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    const source = new FileSource(fd, fstatSync(fd).size);
    const magic = (await source.readSome(4)).toString("hex");
    if (magic.startsWith("1f8b") || magic === "28b52ffd") {
      throw unsupported(`image archive ${JSON.stringify(path)} is compressed: decompress it first`);
    }
    source.position = 0;
    return new ArchiveFiles(path, await indexMembers(source));
  } finally {
    closeSync(fd);
  }
}

async function indexMembers(source: FileSource): Promise<Map<string, Member>> {
  const members = new Map<string, Member>();
  const reader = new TarReader(source);
  for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
    const name = normalize(entry.name);
    if (entry.type === "directory") continue;
    if (members.has(name)) throw imageError(`the image archive has ${quote(name)} twice`);
    if (entry.sparse !== undefined) {
      throw unsupported(`the image archive has ${quote(name)} as a sparse file: archive it without holes`);
    } else if (entry.type === "file") {
      members.set(name, { offset: source.position, size: entry.size });
    } else if (entry.type === "symlink") {
      members.set(name, { target: normalize(`${name}/../${entry.linkname}`) });
    } else if (entry.type === "hardlink") {
      members.set(name, { target: normalize(entry.linkname) });
    }
  }
  return members;
}

/** Without ".", "..", and leading "/"; purely textual: nothing is ever opened by this name. */
function normalize(name: string): string {
  const components: string[] = [];
  for (const component of name.split("/")) {
    if (component === "..") components.pop();
    else if (component !== "" && component !== ".") components.push(component);
  }
  return components.join("/");
}
