// SPDX-License-Identifier: Apache-2.0
// A strict, streaming tar reader: ustar, pax, GNU long names, base-256 numbers and sparse files.
// Not the npm package tar-stream, which the tests use to write: it decodes pax values as UTF-8, which destroys binary
// extended attributes (file capabilities) and non-UTF-8 names, and it reads on after the end-of-archive marker.

import { wrap } from "../../errors.ts";
import { type ByteSource, readFully } from "./byte_source.ts";
import { quote } from "./byte_string.ts";
import { imageError, unsupported } from "./failure.ts";
import { checkSparseMap, readOldGnuMap, readPaxMap, SPARSE, type SparseMap } from "./sparse_map.ts";
import {
  BLOCK,
  decodeHeader,
  decodePaxRecords,
  type PaxRecord,
  parseDecimal,
  parseSeconds,
  type TarHeader,
} from "./tar_header.ts";

export type TarEntryType = "file" | "hardlink" | "symlink" | "character-device" | "block-device" | "directory" | "fifo";

/** One member of a tar. All strings are byte strings (byte_string.ts), exactly as in the tar: unchecked. */
export interface TarEntry {
  type: TarEntryType;
  name: string;
  /** What a symlink holds, or the name that a hard link links to. */
  linkname: string;
  /** Permission bits, with set-id and sticky. */
  mode: number;
  uid: number;
  gid: number;
  /** Bytes of data in the tar; 0 for all but files. */
  size: number;
  /** Where in the file the data belongs; undefined when it is the file from beginning to end. */
  sparse: SparseMap | undefined;
  /** Seconds since the epoch, with a fraction. */
  mtime: number;
  major: number;
  minor: number;
  /** Extended attributes by name. */
  xattrs: Map<string, string>;
  /** The entry has an access control list, which is not among `xattrs`. */
  hasAcl: boolean;
}

const TYPES: Record<string, TarEntryType> = {
  "0": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character-device",
  "4": "block-device",
  "5": "directory",
  "6": "fifo",
  "7": "file",
  S: "file",
};
const MAX_META = 1 << 20;
const XATTR = "SCHILY.xattr.";
/** ACLs as text (tar --acls), and as the kernel's extended attributes. */
const ACLS = ["SCHILY.acl.", `${XATTR}system.posix_acl_`];
/** (2^32 - 1 means "no change" to chown(2), so it is no id.) */
const MAX_ID = 0xffff_fffe;

/** What preceded an entry: pax records, GNU long name, GNU long link name. */
interface Extensions {
  pax: PaxRecord[];
  longName?: string;
  longLink?: string;
}

/** Reads one entry after the other: `next()`, then optionally `data()`, then `next()` again. */
export class TarReader {
  readonly #source: ByteSource;
  #dataLeft = 0;
  #padding = 0;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /**
   * The next entry, or undefined at the end of the archive. Data that was not read is stepped over.
   * @throws EdgerunError IMAGE_INVALID for a corrupt tar, UNSUPPORTED for unknown types and formats
   */
  async next(): Promise<TarEntry | undefined> {
    await this.#skip(this.#dataLeft + this.#padding);
    this.#dataLeft = this.#padding = 0;
    const extensions: Extensions = { pax: [] };
    let extended = false;
    for (;;) {
      const block = await readFully(this.#source, BLOCK);
      if (block.length === 0 || isZero(block)) {
        if (extended) throw imageError("corrupt tar: it ends after an extension header");
        if (block.length !== 0) await this.#expectEnd();
        return undefined;
      }
      if (block.length < BLOCK) throw imageError("corrupt tar: it ends inside a header");
      const header = decodeHeader(block);
      if (header.size < 0) throw imageError("corrupt tar: negative size");
      if (!(await this.#readExtension(header, extensions))) return this.#entry(header, block, extensions);
      extended = true;
    }
  }

  /** The current entry's data. */
  async *data(): AsyncGenerator<Buffer> {
    while (this.#dataLeft > 0) {
      const part = await this.#source.readSome(this.#dataLeft);
      if (part.length === 0) throw imageError("corrupt tar: it ends inside a file");
      this.#dataLeft -= part.length;
      yield part;
    }
  }

  /** Takes a header that only describes the entry after it; false for a header that is an entry. */
  async #readExtension(header: TarHeader, extensions: Extensions): Promise<boolean> {
    switch (header.typeflag) {
      case "x":
        extensions.pax = decodePaxRecords(await this.#readMeta(header));
        return true;
      case "g":
        refuseGlobalOverrides(decodePaxRecords(await this.#readMeta(header)));
        return true;
      case "L":
        extensions.longName = untilNul(await this.#readMeta(header));
        return true;
      case "K":
        extensions.longLink = untilNul(await this.#readMeta(header));
        return true;
      default:
        return false;
    }
  }

  async #entry(header: TarHeader, block: Buffer, { pax: records, longName, longLink }: Extensions): Promise<TarEntry> {
    const pax = new Map(records);
    // The path of a sparse file is made up, for programs that would unpack the stored data as they are.
    const name = pax.get(`${SPARSE}name`) ?? (pax.get("path") || (longName ?? header.name));
    let type = TYPES[header.typeflag];
    if (type === undefined) throw unsupported(`tar entry ${quote(name)} is of unknown type ${quote(header.typeflag)}`);
    // Before there was a type for them, directories were files with a slash at the end.
    if (type === "file" && name.endsWith("/")) type = "directory";

    const size = pax.get("size") ? parseDecimal(pax.get("size")!, "size") : header.size;
    // Programs disagree about data after such entries; a tar that they read differently is refused.
    if (size !== 0 && type !== "file") throw imageError(`tar entry ${quote(name)} is a ${type} with data`);
    this.#dataLeft = size;
    this.#padding = (BLOCK - (size % BLOCK)) % BLOCK;

    const sparse = await this.#readSparseMap(header, block, records).catch((error) => {
      throw wrap(`tar entry ${quote(name)}`, error);
    });
    if (sparse !== undefined && type !== "file") throw imageError(`tar entry ${quote(name)} is a sparse ${type}`);

    const xattrs = new Map<string, string>();
    let hasAcl = false;
    for (const [key, value] of pax) {
      if (ACLS.some((prefix) => key.startsWith(prefix))) hasAcl ||= value !== "";
      else if (key.startsWith(XATTR)) xattrs.set(key.slice(XATTR.length), value);
    }
    return {
      type,
      name,
      linkname: pax.get("linkpath") || (longLink ?? header.linkname),
      mode: header.mode & 0o7777,
      uid: checkId(pax.get("uid") ? parseDecimal(pax.get("uid")!, "uid") : header.uid, name),
      gid: checkId(pax.get("gid") ? parseDecimal(pax.get("gid")!, "gid") : header.gid, name),
      size: this.#dataLeft,
      sparse,
      mtime: pax.get("mtime") ? parseSeconds(pax.get("mtime")!) : header.mtime,
      major: header.major,
      minor: header.minor,
      xattrs,
      hasAcl,
    };
  }

  /** The map of a sparse file; undefined for other entries. A map in the data is then no longer part of it. */
  async #readSparseMap(header: TarHeader, block: Buffer, records: PaxRecord[]): Promise<SparseMap | undefined> {
    let map = await readPaxMap(records, () => {
      if (this.#dataLeft < BLOCK) throw imageError("sparse map: longer than the entry's data");
      this.#dataLeft -= BLOCK;
      return this.#readBlock();
    });
    if (header.typeflag === "S") {
      if (map !== undefined) throw imageError("sparse file in two formats at once");
      map = await readOldGnuMap(block, () => this.#readBlock());
    }
    return map === undefined ? undefined : checkSparseMap(map, this.#dataLeft);
  }

  async #readBlock(): Promise<Buffer> {
    const block = await readFully(this.#source, BLOCK);
    if (block.length < BLOCK) throw imageError("corrupt tar: it ends inside a sparse map");
    return block;
  }

  async #readMeta(header: TarHeader): Promise<Buffer> {
    if (header.size > MAX_META) throw imageError("corrupt tar: extension header of more than 1 MiB");
    const data = await readFully(this.#source, header.size);
    if (data.length < header.size) throw imageError("corrupt tar: it ends inside an extension header");
    await this.#skip((BLOCK - (header.size % BLOCK)) % BLOCK);
    return data;
  }

  async #skip(size: number): Promise<void> {
    if (size > 0 && (await this.#source.skip(size)) < size) throw imageError("corrupt tar: it ends inside a file");
  }

  /** The end is two blocks of zeros; after one alone, programs disagree about what follows. */
  async #expectEnd(): Promise<void> {
    const block = await readFully(this.#source, BLOCK);
    if (block.length > 0 && !isZero(block)) throw imageError("corrupt tar: data after a single block of zeros");
  }
}

/**
 * POSIX applies a global header to every later entry; container engines ignore it. One that would make a difference
 * is refused, so that what is unpacked is what others see; comments (as git-archive writes) do no harm.
 */
function refuseGlobalOverrides(records: readonly PaxRecord[]): void {
  for (const [key] of records) {
    if (/^(path|linkpath|size|uid|gid|mtime|SCHILY\..*|GNU\..*|LIBARCHIVE\..*)$/s.test(key)) {
      throw unsupported(`tar with a global pax header that sets ${quote(key)}`);
    }
  }
}

function checkId(id: number, name: string): number {
  if (id < 0 || id > MAX_ID) throw imageError(`tar entry ${quote(name)}: ${id} is not a user or group id`);
  return id;
}

function untilNul(data: Buffer): string {
  const end = data.indexOf(0);
  return data.toString("latin1", 0, end === -1 ? data.length : end);
}

function isZero(block: Buffer): boolean {
  return block.every((byte) => byte === 0);
}
