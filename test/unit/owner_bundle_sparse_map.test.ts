// SPDX-License-Identifier: Apache-2.0
// What may be wrong with the sparse maps of one format, and how much of a map is read.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { StreamSource } from "../../src/owner/bundle/byte_source.ts";
import { openImageFiles } from "../../src/owner/bundle/image_files.ts";
import { TarReader } from "../../src/owner/bundle/tar_reader.ts";
import { paxEntry, rawEntry, temporaryDirectory } from "./owner_bundle_fixture.ts";
import { A, field, good, makers, oldGnuHeader, padded, V1 } from "./owner_bundle_sparse_fixture.ts";

const END = Buffer.alloc(1024);

/** Reads a tar to its end, without writing anything. */
async function readTar(chunks: Iterable<Buffer>): Promise<void> {
  const reader = new TarReader(
    new StreamSource(
      (async function* () {
        yield* chunks;
      })(),
    ),
  );
  while ((await reader.next()) !== undefined);
}

const file = (data: string, typeflag = "0") => rawEntry({ name: "f", typeflag, linkname: "l" }, data);
const v0 = (records: [string, string][] | Record<string, string>, data = A) => {
  const list = Array.isArray(records) ? records : Object.entries(records);
  return [paxEntry(list.map(([key, value]) => [`GNU.sparse.${key}`, value])), file(data)];
};
const v1 = (map: string, realsize = "5000") => [paxEntry({ ...V1, "GNU.sparse.realsize": realsize }), file(map)];
const map1 = (map: string, data: string) => padded(map).toString("latin1") + data;
const slot = (offset: string, length: string) => offset.padEnd(12, "\0") + length.padEnd(12, "\0");
const old = (slots: string, flag = "\0", data = A) => [
  oldGnuHeader("f", `${slots.padEnd(96, "\0")}${flag}${field(5000)}`, data.length),
];
const whole = { size: "512", numblocks: "1", map: "0,512" };

const takenTars: [string, Buffer[]][] = [
  ["0.1", v0(whole)],
  ["0.1 with its version", v0({ ...whole, major: "0", minor: "1" })],
  ["0.1 with an empty map", v0({ size: "9", numblocks: "0", map: "" }, "")],
  ["0.0", v0({ size: "512", numblocks: "1", offset: "0", numbytes: "512" })],
  ["1.0", v1(map1("1\n0\n512\n", A))],
  ["1.0 in a contiguous file", [v1("")[0]!, file(map1("1\n0\n512\n", A), "7")]],
  ["1.0 with a number across blocks", v1(map1(`61\n0\n0512\n${"000600\n000000\n".repeat(60)}`, A))],
  ["old GNU", [...old(slot("0", "1000")), padded(A)]],
];
for (const [what, blocks] of takenTars) {
  test(`TarReader takes a sparse file: ${what}`, () => readTar([...blocks, END]));
}

const refusedTars: [string, Buffer[], RegExp][] = [
  ["0.1, too few numbers", v0({ ...whole, numblocks: "2" }), /2 numbers, but GNU\.sparse\.numblocks says 2/],
  ["0.1, odd numbers", v0({ ...whole, map: "0,512,1" }), /3 numbers, but GNU\.sparse\.numblocks says 1/],
  ["0.1, no number of regions", v0({ size: "512", map: "0,512" }), /numblocks "" is not a number/],
  ["0.1, a huge number of regions", v0({ ...whole, numblocks: "9007199254740991" }), /more than 65536 regions/],
  ["0.1, an endless number of regions", v0({ ...whole, numblocks: "9".repeat(400) }), /numblocks is out of range/],
  [
    "0.1, more regions than are taken",
    v0({ ...whole, numblocks: "70000", map: "0,0,".repeat(70000).slice(0, -1) }),
    /more than 65536/,
  ],
  ["0.1, a number that is none", v0({ ...whole, map: "0x0,512" }), /sparse offset "0x0" is not a number/],
  ["0.1, an empty number", v0({ ...whole, map: ",512" }), /sparse offset "" is not a number/],
  ["0.1, no size", v0({ numblocks: "1", map: "0,512" }), /no real size/],
  ["0.1, two sizes", v0({ ...whole, realsize: "513" }), /or two/],
  [
    "0.0 and 0.1 at once",
    v0({ ...whole, offset: "0", numbytes: "512" }),
    /unexpected pax record "GNU\.sparse\.offset"/,
  ],
  ["0.0, out of turn", v0({ size: "512", numblocks: "1", numbytes: "512", offset: "0" }), /don't take turns/],
  [
    "0.0, offset twice",
    v0([
      ["size", "9"],
      ["numblocks", "1"],
      ["offset", "0"],
      ["offset", "1"],
    ]),
    /take turns/,
  ],
  ["0.0, no length", v0({ size: "512", numblocks: "1", offset: "0" }), /1 numbers/],
  ["a name only", v0({ name: "x" }), /numblocks "" is not a number/],
  ["an unknown key", v0({ ...whole, realname: "x" }), /unexpected pax record "GNU\.sparse\.realname"/],
  ["an unknown version", v0({ ...whole, major: "2", minor: "0" }), /unknown format "2\.0"/],
  ["half a version", v0({ ...whole, major: "1" }), /unknown format "1\."/],
  ["1.0 with a map in the header", v0({ ...whole, major: "1", minor: "0" }), /unexpected pax record/],
  ["1.0, a huge number of regions", v1(map1("9007199254740991\n", A)), /more than 65536 regions/],
  ["1.0, an endless number of regions", v1(map1(`${"9".repeat(400)}\n`, A)), /sparse regions is out of range/],
  ["1.0, a line without end", v1("1".repeat(5000)), /line without an end/],
  ["1.0, a map longer than the data", v1(map1("100\n0\n0\n", A)), /not a number|without an end|longer than/],
  ["1.0, data of less than a block", v1("1\n0\n0\n"), /longer than the entry's data/],
  ["1.0, no data", v1(""), /longer than the entry's data/],
  ["1.0, an empty line", v1(map1("1\n\n512\n", A)), /sparse offset "" is not a number/],
  ["1.0, a sign", v1(map1("1\n+0\n512\n", A)), /sparse offset "\+0" is not a number/],
  ["1.0, an empty size", v1(map1("1\n0\n512\n", A), ""), /real size "" is not a number/],
  ["1.0 in a link", [v1("")[0]!, file("", "2")], /longer than the entry's data/],
  ["0.1 in a link", [v0({ size: "9", numblocks: "0", map: "" })[0]!, file("", "2")], /is a sparse symlink/],
  ["0.1 in a directory", [v0({ size: "9", numblocks: "0", map: "" })[0]!, file("", "5")], /is a sparse directory/],
  ["0.1 with a directory's name", v0({ size: "9", numblocks: "0", map: "", name: "d/" }, ""), /is a sparse directory/],
  ["pax and old GNU at once", [v0(whole)[0]!, ...old(slot("0", "1000"))], /in two formats at once/],
  ["the type of star", [rawEntry({ name: "f", typeflag: "S" })], /format that is not GNU's/],
  ["old GNU, a slot without a length", old(slot("0", "")), /without offset or length/],
  ["old GNU, a slot without an offset", old(slot("", "1000")), /without offset or length/],
  ["old GNU, a number that is not octal", old(slot("9", "1000")), /sparse offset "9" is not an octal number/],
  [
    "old GNU, an extension after the end",
    [...old(slot("0", "1000"), "\x01"), Buffer.alloc(512)],
    /after the end of the map/,
  ],
  ["old GNU, no extension block", old(slot("0", "0").repeat(4), "\x01"), /ends inside a sparse map/],
];
for (const [what, blocks, message] of refusedTars) {
  test(`TarReader refuses a sparse file: ${what}`, () =>
    assert.rejects(readTar([...blocks, ...(what.includes("no extension") ? [] : [END])]), {
      name: "EdgerunError",
      message,
    }));
}

test("TarReader reads no more than a bounded map of an endless tar", async () => {
  let blocks = 0;
  function* endless(head: Buffer, block: Buffer): Generator<Buffer> {
    yield head;
    for (blocks = 0; ; blocks++) yield block;
  }
  const extension = padded(`${slot("0", "0").repeat(21)}\x01`);
  await assert.rejects(
    readTar(endless(old(slot("0", "0").repeat(4), "\x01")[0]!, extension)),
    /more than 65536 regions/,
  );
  assert.ok(blocks < 3200, `${blocks} extension blocks`);

  const head = Buffer.concat([v1("")[0]!, rawEntry({ name: "f", size: 8 ** 11 - 1 }), padded("65536\n")]);
  const numbers = Buffer.from("0000000000000\n".repeat(512), "latin1"); // 14 bytes, in all phases of a block
  await assert.rejects(readTar(endless(head.subarray(0, -506), numbers)), /regions of 0 bytes, but data of/);
  assert.ok(blocks * numbers.length < 2 ** 21, `${blocks * numbers.length} bytes of numbers`);
});

test("openImageFiles() refuses sparse members of an image archive, whose data are not in one piece", async (t) => {
  const path = join(temporaryDirectory(t), "archive");
  for (const [, make] of makers) {
    writeFileSync(path, Buffer.concat([make({ ...good, name: "index.json" }), END]));
    await assert.rejects(openImageFiles(path), {
      code: "UNSUPPORTED",
      message: /has "(index\.json|f)" as a sparse file/,
    });
  }
  writeFileSync(path, Buffer.concat([rawEntry({ name: "index.json" }, "{}"), END]));
  assert.equal((await openImageFiles(path)).size("index.json"), 2);
});
