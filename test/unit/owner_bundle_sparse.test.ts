// SPDX-License-Identifier: Apache-2.0
// Sparse files in layers: as GNU tar writes them, and hostile ones beside good ones made in the same way.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  closeSync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  type Stats,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { bundleImage } from "../../src/owner/bundle.ts";
import { addImage, asRoot, finishLayout, rawEntry, sha256, temporaryDirectory } from "./owner_bundle_fixture.ts";
import { A, good, goodContent, makers, type Sparse } from "./owner_bundle_sparse_fixture.ts";

const END = Buffer.alloc(1024);

/** What stat(2) says once the file is on disk: before, blocks of extents that don't fit into the inode are missing. */
function statOnDisk(path: string): Stats {
  const fd = openSync(path, "r+");
  fsyncSync(fd);
  const info = fstatSync(fd);
  closeSync(fd);
  return info;
}

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
      const [from, to] = [statOnDisk(join(directory, name)), statOnDisk(join(rootfs, name))];
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
    const from = statOnDisk(join(directory, "f"));
    if (from.blocks > 1000) return t.skip("the file system has no holes");
    const { stdout } = spawnSync("tar", ["-cS", ...format, "-C", directory, "f"]);
    const path = join(await unpack(t, stdout.subarray(0, -1024)), "f");
    const to = statOnDisk(path);
    assert.deepEqual([to.size, to.blocks], [from.size, from.blocks]);
    const fd = openSync(path, "r");
    const buffer = Buffer.alloc(5001, "x");
    assert.equal(readSync(fd, buffer, 0, 5001, size - 5001), 5001);
    closeSync(fd);
    assert.equal(buffer.toString(), `\0${"a".repeat(3000)}${"\0".repeat(2000)}`);
  });
}

// --- made by hand, in each format

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
