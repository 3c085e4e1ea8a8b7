// SPDX-License-Identifier: Apache-2.0
// Sparse files in tars: which parts of a file the archive holds (GNU tar manual, "Storing Sparse Files": the old GNU
// format and the pax formats 0.0, 0.1 and 1.0). The readers here bound how much is read; `checkSparseMap` checks what
// was read. Messages don't name the entry: the caller puts that before them.

import { quote } from "./byte_string.ts";
import { imageError, unsupported } from "./failure.ts";
import { BLOCK, decodeNumber, type PaxRecord, parseDecimal } from "./tar_header.ts";

/** A part of a file that the archive holds, in bytes. */
export interface SparseRegion {
  offset: number;
  length: number;
}

/** A sparse file: what no region covers is a hole, and reads as zeros. */
export interface SparseMap {
  /** Bytes of the file, holes included. */
  size: number;
  /** Their data is in the archive in this order, one right after the other. */
  regions: SparseRegion[];
}

/** Reads the next block of the archive. @throws EdgerunError when there is none */
export type ReadBlock = () => Promise<Buffer>;

/** The prefix of the pax records that make an entry sparse. */
export const SPARSE = "GNU.sparse.";
/** What a file with as many holes takes is a few MiB; a map in the data could be as long as the layer. */
const MAX_REGIONS = 1 << 16;
const MAX_DIGITS = 16;
const SLOT = 24;

/**
 * The unchecked map of a header block of type "S", and of the extension blocks after it, which `readBlock` reads.
 * @throws EdgerunError IMAGE_INVALID when it is malformed, UNSUPPORTED for too many regions and other formats
 */
export async function readOldGnuMap(header: Buffer, readBlock: ReadBlock): Promise<SparseMap> {
  // The type "S" of star is something else.
  if (header.toString("latin1", 257, 265) !== "ustar  \0")
    throw unsupported("sparse file in a format that is not GNU's");
  const regions: SparseRegion[] = [];
  let complete = readSlots(header, 386, 4, regions);
  for (let extended = header[482] !== 0; extended; ) {
    // Some programs stop at the end of the map, some go on as long as there are extension blocks.
    if (complete) throw imageError("sparse map: extension block after the end of the map");
    const block = await readBlock();
    complete = readSlots(block, 0, 21, regions);
    checkCount(regions.length);
    extended = block[504] !== 0;
  }
  return { size: decodeNumber(header, 483, 12, "real size"), regions };
}

/**
 * The unchecked map that pax records tell of; undefined for an entry that is not sparse. In format 1.0 the map is the
 * first part of the entry's data, which `readBlock` reads.
 * @throws EdgerunError IMAGE_INVALID when it is malformed, UNSUPPORTED for too many regions and other formats
 */
export async function readPaxMap(records: readonly PaxRecord[], readBlock: ReadBlock): Promise<SparseMap | undefined> {
  const sparse = records
    .filter(([key]) => key.startsWith(SPARSE))
    .map(([key, value]) => [key.slice(SPARSE.length), value] as const);
  if (sparse.length === 0) return undefined;
  const fields = new Map(sparse);
  const version = `${fields.get("major") ?? ""}.${fields.get("minor") ?? ""}`;
  if (version === "1.0") {
    checkKeys(fields, []);
    return { size: realSize(fields), regions: await readDataMap(readBlock) };
  }
  // The formats 0.0 and 0.1 may come without a version.
  if (version !== "." && version !== "0.0" && version !== "0.1") {
    throw unsupported(`sparse file in the unknown format ${quote(version)}`);
  }
  const map = fields.get("map");
  checkKeys(fields, map === undefined ? ["numblocks", "offset", "numbytes"] : ["numblocks", "map"]);
  const numbers = map === undefined ? repeatedNumbers(sparse) : map === "" ? [] : map.split(",");
  const count = parseDecimal(fields.get("numblocks") ?? "", `${SPARSE}numblocks`);
  checkCount(count);
  if (numbers.length !== 2 * count) {
    throw imageError(`sparse map: ${numbers.length} numbers, but ${SPARSE}numblocks says ${count} regions`);
  }
  const regions: SparseRegion[] = [];
  for (let i = 0; i < count; i++) regions.push(parseRegion(numbers[2 * i]!, numbers[2 * i + 1]!));
  return { size: realSize(fields), regions };
}

/**
 * The map without its empty regions (GNU tar ends each map with one).
 * @param stored bytes of data that the entry has
 * @throws EdgerunError IMAGE_INVALID unless the regions are in order, apart, inside the file, and of `stored` bytes
 */
export function checkSparseMap(map: SparseMap, stored: number): SparseMap {
  const regions = map.regions.filter(({ length }) => length !== 0);
  if (map.size < 0) throw imageError(`sparse map: the size ${map.size} is negative`);
  let end = 0;
  let total = 0;
  for (const { offset, length } of map.regions) {
    const region = `sparse map: region of ${length} bytes at ${offset}`;
    if (offset < 0 || length < 0) throw imageError(`${region} is negative`);
    if (offset < end) throw imageError(`${region} overlaps or precedes the one before it`);
    // Not `offset + length`, which may be inexact.
    if (offset > map.size || length > map.size - offset) throw imageError(`${region} is beyond the size ${map.size}`);
    end = offset + length;
    total += length;
  }
  if (total !== stored) throw imageError(`sparse map: regions of ${total} bytes, but data of ${stored}`);
  // GNU tar pads the data of each region to whole blocks, others don't. It makes such a region at the end only.
  const odd = regions.slice(0, -1).find(({ length }) => length % BLOCK !== 0);
  if (odd !== undefined) throw imageError(`sparse map: region of ${odd.length} bytes before another, not whole blocks`);
  return { size: map.size, regions };
}

/** Reads slots of the old GNU format up to the first that is empty; true when there is one: the map is complete. */
function readSlots(block: Buffer, start: number, count: number, regions: SparseRegion[]): boolean {
  for (let at = start; at < start + count * SLOT; at += SLOT) {
    const empty = block[at] === 0;
    // Some programs look at the offset to find the end, some at the length.
    if (empty !== (block[at + 12] === 0)) throw imageError("sparse map: region without offset or length");
    if (empty) return true;
    regions.push({
      offset: decodeNumber(block, at, 12, "sparse offset"),
      length: decodeNumber(block, at + 12, 12, "sparse length"),
    });
  }
  return false;
}

/** The map of format 1.0: the number of regions, then offset and length of each, a line each; whole blocks. */
async function readDataMap(readBlock: ReadBlock): Promise<SparseRegion[]> {
  let text = "";
  const readLine = async (): Promise<string> => {
    let end = text.indexOf("\n");
    while (end === -1) {
      if (text.length > MAX_DIGITS) throw imageError("sparse map: line without an end");
      text += (await readBlock()).toString("latin1");
      end = text.indexOf("\n");
    }
    const line = text.slice(0, end);
    text = text.slice(end + 1);
    return line;
  };
  const count = parseDecimal(await readLine(), "number of sparse regions");
  checkCount(count);
  const regions: SparseRegion[] = [];
  for (let i = 0; i < count; i++) regions.push(parseRegion(await readLine(), await readLine()));
  return regions;
}

/** The numbers of format 0.0, whose two keys take turns. */
function repeatedNumbers(sparse: readonly PaxRecord[]): string[] {
  const listed = sparse.filter(([key]) => key === "offset" || key === "numbytes");
  if (listed.some(([key], i) => key !== (i % 2 === 0 ? "offset" : "numbytes"))) {
    throw imageError(`sparse map: ${SPARSE}offset and ${SPARSE}numbytes don't take turns`);
  }
  return listed.map(([, value]) => value);
}

function parseRegion(offset: string, length: string): SparseRegion {
  return { offset: parseDecimal(offset, "sparse offset"), length: parseDecimal(length, "sparse length") };
}

/** Formats mixed, or a key that only some programs know, would be read differently by others. */
function checkKeys(fields: ReadonlyMap<string, string>, own: readonly string[]): void {
  for (const key of fields.keys()) {
    if (!["major", "minor", "name", "size", "realsize", ...own].includes(key)) {
      throw imageError(`sparse map: unexpected pax record ${quote(SPARSE + key)}`);
    }
  }
}

function realSize(fields: ReadonlyMap<string, string>): number {
  const size = fields.get("size");
  const real = fields.get("realsize") ?? size;
  if (real === undefined || (size !== undefined && size !== real)) {
    throw imageError(`sparse map: no real size, or two: ${SPARSE}size and ${SPARSE}realsize`);
  }
  return parseDecimal(real, "real size");
}

function checkCount(count: number): void {
  if (count > MAX_REGIONS) throw unsupported(`sparse map: more than ${MAX_REGIONS} regions`);
}
