// SPDX-License-Identifier: Apache-2.0
// Sparse files in tars, written as each format has them, whatever the numbers: hostile ones, too.

import { paxEntry, rawEntry } from "./owner_bundle_fixture.ts";

export type Numbers = number | bigint;
export interface Sparse {
  name?: string;
  size: Numbers;
  regions: readonly (readonly [offset: Numbers, length: Numbers])[];
  data: string;
}

/** A field of the old GNU format: base-256 where octal has no room (or no sign). */
export function field(value: Numbers): string {
  if (value >= 0 && value < 8 ** 11) return `${value.toString(8).padStart(11, "0")}\0`;
  const bytes = Buffer.alloc(12, value < 0 ? 0xff : 0);
  bytes[0] = value < 0 ? 0xff : 0x80;
  bytes.writeBigInt64BE(BigInt(value), 4);
  return bytes.toString("latin1");
}

/** The block is rawEntry's, with the GNU magic; `map` is what stands from offset 386 on. */
export function oldGnuHeader(name: string, map: string, size: number): Buffer {
  return rawEntry({ name, typeflag: "S", size, magic: "ustar  \0", prefix: "\0".repeat(41) + map });
}

/** Data in whole blocks. */
export function padded(data: string): Buffer {
  return Buffer.concat([Buffer.from(data, "latin1"), Buffer.alloc((512 - (data.length % 512)) % 512)]);
}

function oldGnu({ name = "f", size, regions, data }: Sparse): Buffer {
  const slots = regions.map(([offset, length]) => field(offset) + field(length));
  const take = (count: number, flagAt: number) =>
    slots.splice(0, count).join("").padEnd(flagAt, "\0") + (slots.length > 0 ? "\x01" : "\0");
  const parts = [oldGnuHeader(name, take(4, 96) + field(size), data.length)];
  while (slots.length > 0) parts.push(padded(take(21, 504)));
  return Buffer.concat([...parts, padded(data)]);
}

/** The pax records of the map, without the size, for 0.0 and 0.1. */
function pax0(key: "offset" | "map", { name, size, regions, data }: Sparse): Buffer {
  const records: [string, string][] = [
    ["GNU.sparse.size", `${size}`],
    ["GNU.sparse.numblocks", `${regions.length}`],
  ];
  if (key === "map") records.push(["GNU.sparse.map", regions.flat().join(",")]);
  else {
    for (const [offset, length] of regions) {
      records.push(["GNU.sparse.offset", `${offset}`], ["GNU.sparse.numbytes", `${length}`]);
    }
  }
  if (name !== undefined) records.push(["GNU.sparse.name", name]);
  return Buffer.concat([paxEntry(records), rawEntry({ name: name === undefined ? "f" : "GNUSparseFile.1/x" }, data)]);
}

export const V1 = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0" };

function pax1({ name = "f", size, regions, data }: Sparse): Buffer {
  const map = padded(`${[regions.length, ...regions.flat()].join("\n")}\n`).toString("latin1");
  return Buffer.concat([
    paxEntry({ ...V1, "GNU.sparse.name": name, "GNU.sparse.realsize": `${size}` }),
    rawEntry({ name: "GNUSparseFile.1/x" }, map + data),
  ]);
}

export const makers: [string, (sparse: Sparse) => Buffer][] = [
  ["old GNU", oldGnu],
  ["pax 0.0", (sparse) => pax0("offset", sparse)],
  ["pax 0.1", (sparse) => pax0("map", sparse)],
  ["pax 1.0", pax1],
];

export const A = "a".repeat(512);
export const good: Sparse = {
  size: 5000,
  regions: [
    [512, 512],
    [2048, 100],
    [5000, 0],
  ],
  data: A + "b".repeat(100),
};
export const goodContent = "\0".repeat(512) + A + "\0".repeat(1024) + "b".repeat(100) + "\0".repeat(2852);
