// SPDX-License-Identifier: Apache-2.0
// Sparse files in layers: as GNU tar writes them, and hostile ones beside good ones made in the same way.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { StreamSource } from "../../src/owner/bundle/byte_source.ts";
import { openImageFiles } from "../../src/owner/bundle/image_files.ts";
import { TarReader } from "../../src/owner/bundle/tar_reader.ts";
import { bundleImage } from "../../src/owner/bundle.ts";
import {
  addImage,
  asRoot,
  finishLayout,
  paxEntry,
  rawEntry,
  sha256,
  temporaryDirectory,
} from "./owner_bundle_fixture.ts";

const END = Buffer.alloc(1024);

/** Unpacks a layer; returns the rootfs. */
async function unpack(t: TestContext, ...blocks: Buffer[]): Promise<string> {
  const base = temporaryDirectory(t);
  mkdirSync(join(base, "outside"));
  finishLayout(join(base, "layout"), [addImage(join(base, "layout"), [Buffer.concat([...blocks, END])])]);
  try {
    await bundleImage({ image: join(base, "layout"), output: join(base, "bundle") });
  } finally {
    assert.deepEqual(readdirSync(join(base, "outside")), []);
  }
  return join(base, "bundle/rootfs");
}

// --- as GNU tar writes them

const gnuTar = spawnSync("tar", ["--version"]).stdout?.includes("GNU tar") ?? false;
const withGnuTar = asRoot.skip ? asRoot : { skip: gnuTar ? false : "needs GNU tar" };
const gnuFormats = [
  ["--format=gnu"],
  ...["0.0", "0.1", "1.0"].map((version) => ["--format=posix", `--sparse-version=${version}`]),
];

/** Makes a file of `size` bytes with data at some offsets, and holes where the file system makes them. */
function makeFile(path: string, size: number, data: readonly (readonly [offset: number, text: string])[]): void {
  const fd = openSync(path, "wx");
  ftruncateSync(fd, size);
  for (const [offset, text] of data) writeSync(fd, text, offset);
  closeSync(fd);
}

const MIB = 1 << 20;
const every = (step: number, count: number) =>
  Array.from({ length: count }, (_, i) => [i * step, `${i}-`.repeat(1 + ((i * 977) % 3000))] as const);

/** All of a name's shapes are in one tar, so that a wrong end of one spoils the next. */
const shapes: [string, number, (readonly [number, string])[]][] = [
  ["hole at the start", MIB + 4, [[MIB, "end!"]]],
  ["hole at the end", MIB, [[0, "start"]]],
  [
    "hole in the middle, odd end",
    3 * MIB + 777,
    [
      [5, "a".repeat(5000)],
      [3 * MIB, "z".repeat(777)],
    ],
  ],
  ["one hole", 123_457, []],
  ["no hole", 5000, [[0, "x".repeat(5000)]]],
  ["empty", 0, []],
  ["five regions", 5 * MIB, every(MIB, 5)], // more than the header block holds, in the old GNU format
  ["twenty-six regions", 4 * MIB, every(131072, 26)], // two extension blocks
  ["hundreds of regions", 40 * MIB, every(131072, 300)], // pax 1.0: a map of several blocks
  [`${"long/".repeat(30)}${"name".repeat(30)}é`, MIB, every(262144, 3)],
  ["last", 10, [[0, "last"]]],
];
for (const format of gnuFormats) {
  test(`bundle unpacks sparse files of tar ${format.join(" ")}`, withGnuTar, async (t) => {
    const directory = temporaryDirectory(t);
    mkdirSync(join(directory, "long/".repeat(30)), { recursive: true });
    for (const [name, size, data] of shapes) makeFile(join(directory, name), size, data);
    const { stdout } = spawnSync("tar", ["-cS", ...format, "-C", directory, "."], { maxBuffer: 1 << 28 });
    // Were it not sparse, this would test nothing.
    assert.ok(stdout.length < 10 * MIB && /GNU\.sparse|GNUSparse|ustar {2}/.test(stdout.toString("latin1")));
    const rootfs = await unpack(t, stdout.subarray(0, -1024));
    for (const [name] of shapes) {
      const [from, to] = [lstatSync(join(directory, name)), lstatSync(join(rootfs, name))];
      assert.deepEqual([to.size, to.blocks], [from.size, from.blocks], name);
      assert.equal(sha256(readFileSync(join(rootfs, name))), sha256(readFileSync(join(directory, name))), name);
      assert.equal(Math.floor(to.mtimeMs / 1000), Math.floor(from.mtimeMs / 1000), name);
    }
    assert.deepEqual(readdirSync(rootfs).sort(), readdirSync(directory).sort());
  });

  test(`bundle unpacks a file of more than 8 GiB of tar ${format.join(" ")}`, withGnuTar, async (t) => {
    const directory = temporaryDirectory(t);
    const size = 9 * 2 ** 30; // not octal any more, in the old GNU format
    makeFile(join(directory, "f"), size, [[size - 5000, "a".repeat(3000)]]);
    const from = lstatSync(join(directory, "f"));
    if (from.blocks > 1000) return t.skip("the file system has no holes");
    const { stdout } = spawnSync("tar", ["-cS", ...format, "-C", directory, "f"]);
    const path = join(await unpack(t, stdout.subarray(0, -1024)), "f");
    const to = lstatSync(path);
    assert.deepEqual([to.size, to.blocks], [from.size, from.blocks]);
    const fd = openSync(path, "r");
    const buffer = Buffer.alloc(5001, "x");
    assert.equal(readSync(fd, buffer, 0, 5001, size - 5001), 5001);
    closeSync(fd);
    assert.equal(buffer.toString(), `\0${"a".repeat(3000)}${"\0".repeat(2000)}`);
  });
}

// --- made by hand, in each format

type Numbers = number | bigint;
interface Sparse {
  name?: string;
  size: Numbers;
  regions: readonly (readonly [offset: Numbers, length: Numbers])[];
  data: string;
}

/** A field of the old GNU format: base-256 where octal has no room (or no sign). */
function field(value: Numbers): string {
  if (value >= 0 && value < 8 ** 11) return `${value.toString(8).padStart(11, "0")}\0`;
  const bytes = Buffer.alloc(12, value < 0 ? 0xff : 0);
  bytes[0] = value < 0 ? 0xff : 0x80;
  bytes.writeBigInt64BE(BigInt(value), 4);
  return bytes.toString("latin1");
}

/** The block is rawEntry's, with the GNU magic; `map` is what stands from offset 386 on. */
function oldGnuHeader(name: string, map: string, size: number): Buffer {
  return rawEntry({ name, typeflag: "S", size, magic: "ustar  \0", prefix: "\0".repeat(41) + map });
}

/** Data in whole blocks. */
function padded(data: string): Buffer {
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

const V1 = { "GNU.sparse.major": "1", "GNU.sparse.minor": "0" };

function pax1({ name = "f", size, regions, data }: Sparse): Buffer {
  const map = padded(`${[regions.length, ...regions.flat()].join("\n")}\n`).toString("latin1");
  return Buffer.concat([
    paxEntry({ ...V1, "GNU.sparse.name": name, "GNU.sparse.realsize": `${size}` }),
    rawEntry({ name: "GNUSparseFile.1/x" }, map + data),
  ]);
}

const makers: [string, (sparse: Sparse) => Buffer][] = [
  ["old GNU", oldGnu],
  ["pax 0.0", (sparse) => pax0("offset", sparse)],
  ["pax 0.1", (sparse) => pax0("map", sparse)],
  ["pax 1.0", pax1],
];

const A = "a".repeat(512);
const good: Sparse = {
  size: 5000,
  regions: [
    [512, 512],
    [2048, 100],
    [5000, 0],
  ],
  data: A + "b".repeat(100),
};
const goodContent = "\0".repeat(512) + A + "\0".repeat(1024) + "b".repeat(100) + "\0".repeat(2852);

/** Good maps, each the twin of some of the hostile ones. */
const taken: [string, Partial<Sparse>, string][] = [
  ["regions apart, with a hole at the end", {}, goodContent],
  ["no empty region at the end", { regions: good.regions.slice(0, 2) }, goodContent],
  [
    "regions that touch",
    {
      size: 1024,
      regions: [
        [0, 512],
        [512, 512],
      ],
      data: A + A,
    },
    A + A,
  ],
  ["a region up to the size", { size: 1000, regions: [[488, 512]], data: A }, "\0".repeat(488) + A],
  [
    "an empty region between others",
    {
      regions: [
        [512, 512],
        [1024, 0],
        [2048, 100],
      ],
    },
    goodContent,
  ],
  ["no region", { size: 3, regions: [], data: "" }, "\0\0\0"],
  ["no region and no size", { size: 0, regions: [[0, 0]], data: "" }, ""],
];

const refusedMaps: [string, Partial<Sparse>, RegExp][] = [
  [
    "regions that overlap",
    {
      regions: [
        [512, 512],
        [1023, 100],
      ],
    },
    /overlaps or precedes/,
  ],
  [
    "a region twice",
    {
      regions: [
        [512, 512],
        [512, 512],
      ],
      data: A + A,
    },
    /overlaps or precedes/,
  ],
  [
    "regions out of order",
    {
      regions: [
        [2048, 512],
        [0, 100],
      ],
    },
    /overlaps or precedes/,
  ],
  [
    "an empty region inside another",
    {
      regions: [
        [512, 512],
        [600, 0],
        [2048, 100],
      ],
    },
    /overlaps or precedes/,
  ],
  ["a region beyond the size", { size: 999, regions: [[488, 512]], data: A }, /is beyond the size 999/],
  ["a region behind the size", { size: 10, regions: [[11, 512]], data: A }, /is beyond the size 10/],
  [
    "an empty region behind the size",
    {
      regions: [
        [512, 512],
        [2048, 100],
        [5001, 0],
      ],
    },
    /is beyond the size 5000/,
  ],
  ["a hole only, but data", { regions: [] }, /regions of 0 bytes, but data of 612/],
  ["more data than regions", { data: `${good.data}c` }, /regions of 612 bytes, but data of 613/],
  ["less data than regions", { data: A }, /regions of 612 bytes, but data of 512/],
  ["a region of 2^53 - 1", { size: 2 ** 53 - 1, regions: [[0, 2 ** 53 - 1]] }, /but data of 612/],
  ["an end of more than 2^53", { size: 2 ** 53 - 1, regions: [[512, 2 ** 53 - 1]] }, /is beyond the size/],
  [
    "part of a block before another region",
    {
      regions: [
        [512, 100],
        [2048, 512],
      ],
    },
    /not whole blocks/,
  ],
  ["a real size of 2^60", { size: 2n ** 60n }, /real size is out of range/],
  ["a real size of 2^63 - 1", { size: 2n ** 63n - 1n }, /real size is out of range/],
  ["a negative real size", { size: -1, regions: [], data: "" }, /negative|not a number/],
  ["an offset of 2^60", { regions: [[2n ** 60n, 612]] }, /sparse offset is out of range/],
  ["a length of 2^60", { regions: [[0, 2n ** 60n]] }, /sparse length is out of range/],
  [
    "a negative offset",
    {
      regions: [
        [-512, 512],
        [2048, 100],
      ],
    },
    /negative|not a number/,
  ],
  [
    "a negative length",
    {
      regions: [
        [512, -512],
        [2048, 100],
      ],
    },
    /negative|not a number/,
  ],
];

for (const [format, make] of makers) {
  test(`bundle unpacks sparse files made by hand: ${format}`, asRoot, async (t) => {
    for (const [what, change, content] of taken) {
      const rootfs = await unpack(t, make({ ...good, ...change }), rawEntry({ name: "after" }, "after"));
      assert.equal(readFileSync(join(rootfs, "f"), "latin1"), content, what);
      assert.equal(readFileSync(join(rootfs, "after"), "latin1"), "after", what);
    }
  });

  test(`bundle refuses hostile sparse maps: ${format}`, asRoot, async (t) => {
    for (const [what, change, message] of refusedMaps) {
      const layer = [make({ ...good, ...change }), rawEntry({ name: "after" }, "after")];
      await assert.rejects(unpack(t, ...layer), { code: "IMAGE_INVALID", message }, what);
      await assert.rejects(unpack(t, ...layer), { message: /tar entry "f": / }, what);
    }
  });

  test(`bundle keeps the name of a sparse file inside the root: ${format}`, asRoot, async (t) => {
    assert.equal(readFileSync(join(await unpack(t, make({ ...good, name: "/d/f" })), "d/f"), "latin1"), goodContent);
    for (const name of ["../../outside/f", "d/../../../outside/f", "/../../outside/f", ".."]) {
      await assert.rejects(unpack(t, make({ ...good, name })), { message: /has the unsafe name/ }, name);
    }
    const link = (linkname: string) => rawEntry({ name: "link", typeflag: "2", linkname });
    const through = await unpack(t, link("../../outside"), make({ ...good, name: "link/f" }));
    assert.equal(readFileSync(join(through, "outside/f"), "latin1"), goodContent);
    const over = await unpack(t, link("../../outside/f"), make({ ...good, name: "link" }));
    assert.equal(readFileSync(join(over, "link"), "latin1"), goodContent);
  });

  test(`bundle fails where the file system can't hold the size: ${format}`, asRoot, async (t) => {
    // The largest that the tar reader takes; some file systems do, too, and then it is all hole.
    const size = 2 ** 53 - 1;
    const result = unpack(t, make({ size, regions: [[size, 0]], data: "" }));
    await result.then(
      (rootfs) => assert.equal(lstatSync(join(rootfs, "f")).size, size),
      ({ code, errno, message }) => {
        assert.deepEqual([code, errno], ["HOST", "EFBIG"]);
        assert.match(message, /tar entry "f": cannot make a file of 9007199254740991 bytes/);
      },
    );
  });
}

// --- what only one format has

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
  ["1.0 with a number across blocks", v1(map1(`61\n0\n512\n${"000600\n".repeat(120)}`, A))],
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
  assert.ok(blocks * numbers.length < 2 * MIB, `${blocks * numbers.length} bytes of numbers`);
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
