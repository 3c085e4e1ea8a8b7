// SPDX-License-Identifier: Apache-2.0

import assert from "node:assert/strict";
import { test } from "node:test";
import { StreamSource } from "../../src/owner/bundle/byte_source.ts";
import { type TarEntry, TarReader } from "../../src/owner/bundle/tar_reader.ts";
import { makeTar, paxEntry, rawEntry } from "./owner_bundle_fixture.ts";

const END = Buffer.alloc(1024);

/** Reads a tar in chunks of odd sizes; the data of files is put beside their entries. */
async function readTar(tar: Buffer): Promise<(TarEntry & { data: string })[]> {
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let at = 0; at < tar.length; at += 777) yield tar.subarray(at, at + 777);
  }
  const reader = new TarReader(new StreamSource(chunks()));
  const entries: (TarEntry & { data: string })[] = [];
  for (let entry = await reader.next(); entry; entry = await reader.next()) {
    let data = "";
    for await (const part of reader.data()) data += part.toString("latin1");
    entries.push({ ...entry, data });
  }
  return entries;
}

test("TarReader reads what tar-stream writes, of every type", async () => {
  const tar = await makeTar([
    { name: "dir", type: "directory", mode: 0o1777, uid: 3, gid: 4 },
    { name: "dir/file", mode: 0o4755, data: "x".repeat(2000), mtime: new Date(1_700_000_000_000) },
    { name: "link", type: "link", linkname: "dir/file" },
    { name: "symlink", type: "symlink", linkname: "../x" },
    { name: "char", type: "character-device", devmajor: 1, devminor: 3 },
    { name: "block", type: "block-device", devmajor: 7, devminor: 0 },
    { name: "fifo", type: "fifo" },
    { name: `${"long/".repeat(60)}é`, data: "utf8" },
  ]);
  const entries = await readTar(tar);
  assert.deepEqual(
    entries.map(({ type }) => type),
    ["directory", "file", "hardlink", "symlink", "character-device", "block-device", "fifo", "file"],
  );
  assert.deepEqual([entries[0]!.mode, entries[0]!.uid, entries[0]!.gid], [0o1777, 3, 4]);
  assert.deepEqual([entries[1]!.data, entries[1]!.mtime], ["x".repeat(2000), 1_700_000_000]);
  assert.equal(entries[3]!.linkname, "../x");
  assert.deepEqual([entries[4]!.major, entries[4]!.minor], [1, 3]);
  assert.equal(Buffer.from(entries[7]!.name, "latin1").toString(), `${"long/".repeat(60)}é`);
});

test("TarReader steps over data that is not read", async () => {
  const tar = await makeTar([{ name: "a", data: "a".repeat(5000) }, { name: "b" }]);
  const reader = new TarReader(
    new StreamSource(
      (async function* () {
        yield tar;
      })(),
    ),
  );
  await reader.next();
  assert.equal((await reader.next())?.name, "b");
  assert.equal(await reader.next(), undefined);
});

test("TarReader keeps binary pax values and names that are not UTF-8", async () => {
  const value = "\x01\x00\x00\x02\x80\xff\n=\x00";
  const [entry] = await readTar(
    Buffer.concat([paxEntry({ "SCHILY.xattr.security.capability": value, path: "\xff\xfe" }), rawEntry({}), END]),
  );
  assert.equal(entry!.xattrs.get("security.capability"), value);
  assert.equal(entry!.name, "\xff\xfe");
});

test("TarReader applies pax size, ids and times, over the header's", async () => {
  const pax = paxEntry({ size: "3", uid: "4000000000", gid: "7", mtime: "-1.5", linkpath: "l", comment: "" });
  const [entry] = await readTar(Buffer.concat([pax, rawEntry({ size: 0 }, "abc"), END]));
  assert.deepEqual([entry!.size, entry!.uid, entry!.gid, entry!.mtime], [3, 4000000000, 7, -1.5]);
  assert.deepEqual([entry!.data, entry!.linkname], ["abc", "l"]);
});

test("TarReader forgets extension headers after one entry", async () => {
  const tar = [paxEntry({ path: "pax", "SCHILY.xattr.user.a": "1" }), rawEntry({ name: "1" }), rawEntry({ name: "2" })];
  const entries = await readTar(Buffer.concat([...tar, END]));
  assert.deepEqual(
    entries.map(({ name, xattrs }) => [name, xattrs.size]),
    [
      ["pax", 1],
      ["2", 0],
    ],
  );
});

test("TarReader reads GNU long names and base-256 numbers", async () => {
  const long = "n".repeat(300);
  const tar = [
    rawEntry({ typeflag: "L", name: "././@LongLink" }, `${long}\0`),
    rawEntry({ typeflag: "K", name: "././@LongLink" }, `${long}2\0`),
    rawEntry({
      typeflag: "2",
      uid: "\x80\0\0\0\xee\x6b\x28\0",
      magic: "ustar  \0",
      prefix: "123",
      mtime: `${"\xff".repeat(12)}`,
    }),
  ];
  const [entry] = await readTar(Buffer.concat([...tar, END]));
  assert.deepEqual([entry!.name, entry!.linkname, entry!.uid, entry!.mtime], [long, `${long}2`, 4000000000, -1]);
});

test("TarReader joins the ustar prefix, and takes the oldest format", async () => {
  const tar = [rawEntry({ name: "b", prefix: "a" }), rawEntry({ name: "old/", typeflag: "\0", magic: "\0".repeat(8) })];
  const entries = await readTar(Buffer.concat([...tar, END]));
  assert.deepEqual(
    entries.map(({ name, type }) => [name, type]),
    [
      ["a/b", "file"],
      ["old/", "directory"],
    ],
  );
});

test("TarReader ends at two zero blocks, whatever follows", async () => {
  const entries = await readTar(Buffer.concat([rawEntry({ name: "a" }), END, rawEntry({ name: "hidden" }), END]));
  assert.deepEqual(
    entries.map(({ name }) => name),
    ["a"],
  );
});

test("TarReader takes a global header with a comment", async () => {
  const tar = Buffer.concat([paxEntry({ comment: "0123" }, "g"), rawEntry({ name: "a" }), END]);
  assert.equal((await readTar(tar))[0]!.name, "a");
});

const refused: [string, Buffer, RegExp][] = [
  ["a global header with a path", paxEntry({ path: "x" }, "g"), /global pax header that sets "path"/],
  ["a wrong checksum", Buffer.concat([rawEntry({}).fill("9", 0, 1)]), /checksum/],
  ["a number that isn't octal", rawEntry({ uid: "12x\0" }), /uid "12x" is not an octal number/],
  ["a uid of 2^32 - 1", Buffer.concat([paxEntry({ uid: "4294967295" }), rawEntry({})]), /not a user or group id/],
  ["a negative uid", rawEntry({ uid: "\xff".repeat(8) }), /not a user or group id/],
  ["a pax size that isn't a number", Buffer.concat([paxEntry({ size: "1e3" }), rawEntry({})]), /size "1e3"/],
  ["a pax size of 2^53", Buffer.concat([paxEntry({ size: `${2 ** 53}` }), rawEntry({})]), /size is out of range/],
  ["a pax record of a wrong length", rawEntry({ typeflag: "x" }, "99 path=a\n"), /malformed pax record/],
  ["a pax record without an end", rawEntry({ typeflag: "x" }, "9 path=ab"), /malformed pax record/],
  ["a pax header of more than 1 MiB", rawEntry({ typeflag: "x", size: 2 ** 21 }), /more than 1 MiB/],
  ["a link with data", rawEntry({ typeflag: "1", linkname: "a" }, "data"), /hardlink with data/],
  ["a directory with data", rawEntry({ typeflag: "5" }, "data"), /directory with data/],
  ["an unknown type", rawEntry({ typeflag: "V" }), /unknown type "V"/],
  ["a lone zero block", Buffer.concat([Buffer.alloc(512), rawEntry({})]), /single block of zeros/],
  ["an end inside a header", Buffer.alloc(100, 1), /ends inside a header/],
  ["an end inside a file", rawEntry({ size: 5000 }, "abc"), /ends inside a file/],
  ["an end after an extension", paxEntry({ path: "a" }), /ends after an extension header/],
];
for (const [what, blocks, message] of refused) {
  test(`TarReader refuses ${what}`, () => assert.rejects(readTar(blocks), { name: "EdgerunError", message }));
}
