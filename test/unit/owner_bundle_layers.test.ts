// SPDX-License-Identifier: Apache-2.0
// What layers may hold, and what they may try. Each hostile case has a positive twin beside it.

import assert from "node:assert/strict";
import { lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { bundleImage } from "../../src/owner/bundle.ts";
import {
  addImage,
  asRoot,
  finishLayout,
  listAttributes,
  listTree,
  type Member,
  makeTar,
  paxEntry,
  rawEntry,
  temporaryDirectory,
} from "./owner_bundle_fixture.ts";

/** Unpacks layers into a directory of the test's; returns the rootfs. */
function unpack(t: TestContext, ...layers: Member[][]): Promise<string> {
  return unpackIn(temporaryDirectory(t), ...layers);
}

/** Unpacks layers beside BASE/outside, ../../outside from the rootfs, which nothing may change. */
async function unpackIn(base: string, ...layers: Member[][]): Promise<string> {
  const layout = join(base, "layout");
  mkdirSync(join(base, "outside/directory"), { recursive: true });
  writeFileSync(join(base, "outside/file"), "secret");
  finishLayout(layout, [addImage(layout, await Promise.all(layers.map(makeTar)))]);
  const before = listTree(join(base, "outside"));
  const output = join(base, "bundle");
  try {
    await bundleImage({ image: layout, output });
    assert.deepEqual(readdirSync(base).sort(), ["bundle", "layout", "outside"]);
    assert.deepEqual(readdirSync(output).sort(), ["config.json", "rootfs"]);
    return join(output, "rootfs");
  } catch (error) {
    assert.deepEqual(readdirSync(base).sort(), ["layout", "outside"], "a failure leaves nothing");
    throw error;
  } finally {
    assert.deepEqual(listTree(join(base, "outside")), before, "nothing changed outside");
  }
}

/** The paths below a directory, sorted; links are not followed. */
function paths(root: string, prefix = ""): string[] {
  return readdirSync(join(root, prefix), { withFileTypes: true })
    .flatMap((item) => {
      const path = prefix + item.name;
      return item.isDirectory() ? [path, ...paths(root, `${path}/`)] : [path];
    })
    .sort();
}

const read = (...parts: string[]) => readFileSync(join(...parts), "utf8");
const directory = (name: string): Member => ({ name, type: "directory" });
const file = (name: string, data = name): Member => ({ name, data });
const symlink = (name: string, linkname: string): Member => ({ name, type: "symlink", linkname });
const hardLink = (name: string, linkname: string): Member => ({ name, type: "link", linkname });

test("bundle unpacks every type with owner, mode and time", asRoot, async (t) => {
  const time = new Date(1_600_000_000_000);
  const rootfs = await unpack(t, [
    { name: "./", type: "directory", mode: 0o711, uid: 5, gid: 6, mtime: time },
    { name: "d", type: "directory", mode: 0o1777, uid: 70000, gid: 200_000, mtime: time },
    { name: "d/setuid", mode: 0o4755, uid: 1, gid: 2, mtime: time, data: "suid" },
    { name: "d/symlink", type: "symlink", linkname: "/etc/passwd", uid: 8, gid: 9, mtime: time },
    { name: "d/null", type: "character-device", devmajor: 1, devminor: 3, mode: 0o666, mtime: time },
    { name: "d/loop", type: "block-device", devmajor: 7, devminor: 300, mode: 0o660, gid: 6, mtime: time },
    { name: "d/fifo", type: "fifo", mode: 0o600, mtime: time },
    paxEntry({ uid: "4294967294" }),
    rawEntry({ name: "d/large-uid" }),
  ]);
  const stat = (name: string) => {
    const { mode, uid, gid, mtimeMs } = lstatSync(join(rootfs, name));
    return [mode.toString(8), uid, gid, mtimeMs / 1000];
  };
  assert.deepEqual(stat(""), ["40711", 5, 6, 1_600_000_000]);
  assert.deepEqual(stat("d"), ["41777", 70000, 200_000, 1_600_000_000]);
  assert.deepEqual(stat("d/setuid"), ["104755", 1, 2, 1_600_000_000]);
  assert.deepEqual(stat("d/symlink"), ["120777", 8, 9, 1_600_000_000]);
  assert.equal(readlinkSync(join(rootfs, "d/symlink")), "/etc/passwd");
  assert.deepEqual(stat("d/null"), ["20666", 0, 0, 1_600_000_000]);
  assert.equal(lstatSync(join(rootfs, "d/null")).rdev, 0x103);
  assert.deepEqual(stat("d/loop"), ["60660", 0, 6, 1_600_000_000]);
  assert.equal(lstatSync(join(rootfs, "d/loop")).rdev, (7 << 8) | (300 & 0xff) | ((300 & ~0xff) << 12));
  assert.deepEqual(stat("d/fifo"), ["10600", 0, 0, 1_600_000_000]);
  assert.deepEqual(stat("d/large-uid"), ["100644", 4294967294, 0, 0]);
});

test("bundle makes missing parents, 0755 whatever the umask", asRoot, async (t) => {
  const umask = process.umask(0o77);
  t.after(() => process.umask(umask));
  const rootfs = await unpack(t, [file("a/b/c")]);
  assert.deepEqual(paths(rootfs), ["a", "a/b", "a/b/c"]);
  assert.equal(lstatSync(join(rootfs, "a/b")).mode & 0o7777, 0o755);
  assert.equal(lstatSync(join(rootfs, "a/b")).mtimeMs, 0);
});

test("bundle sets extended attributes, binary ones too, on names of any bytes", asRoot, async (t) => {
  const capability = "\x01\x00\x00\x02\x80\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00";
  const rootfs = await unpack(t, [
    paxEntry({ "SCHILY.xattr.security.capability": capability, "SCHILY.xattr.user.empty": "", path: "pi\xff ng\n" }),
    rawEntry({}, "ping"),
    paxEntry({ "SCHILY.xattr.user.d\\": "=1" }),
    rawEntry({ typeflag: "5", name: "d" }),
  ]);
  const attributes = listAttributes(rootfs).join("\n");
  assert.match(attributes, /# file: pi\xff ng\\012\n/);
  assert.match(attributes, /security\.capability=0x0100000280040000000000000000000000000000/);
  assert.match(attributes, /user\.empty/);
  assert.match(attributes, /user\.d\\134=0x3d31/);
});

test("bundle gives a directory the attributes of its last entry only", asRoot, async (t) => {
  const rootfs = await unpack(
    t,
    [paxEntry({ "SCHILY.xattr.user.old": "1" }), rawEntry({ typeflag: "5", name: "d" }), file("d/lower")],
    [paxEntry({ "SCHILY.xattr.user.new": "1" }), rawEntry({ typeflag: "5", name: "d" }), file("d/upper")],
  );
  assert.deepEqual(paths(rootfs), ["d", "d/lower", "d/upper"]);
  const attributes = listAttributes(rootfs).join("\n");
  assert.match(attributes, /user\.new/);
  assert.doesNotMatch(attributes, /user\.old/);
});

test("bundle refuses attributes that are the host's business", asRoot, async (t) => {
  for (const name of ["trusted.overlay.redirect", "system.nfs4_acl", "user.\n"]) {
    const layer = [paxEntry({ [`SCHILY.xattr.${name}`]: "1" }), rawEntry({ typeflag: "5", name: "d" })];
    await assert.rejects(unpack(t, layer), /may not set the extended attribute/);
  }
});

test("bundle says which package to install when setfattr is missing", asRoot, async (t) => {
  const path = process.env.PATH;
  t.after(() => (process.env.PATH = path));
  process.env.PATH = temporaryDirectory(t);
  await unpack(t, [file("plain")]);
  const layer = [paxEntry({ "SCHILY.xattr.user.a": "1" }), rawEntry({})];
  await assert.rejects(unpack(t, layer), /needs the program setfattr: install it \(Debian: apt install attr\)/);
});

test("bundle links to files of the same and of lower layers", asRoot, async (t) => {
  const rootfs = await unpack(
    t,
    [file("d/a"), hardLink("b", "d/a"), symlink("s", "nowhere"), hardLink("s2", "/s")],
    [hardLink("c", "./d/a"), hardLink("b", "d/a")],
  );
  assert.equal(lstatSync(join(rootfs, "d/a")).nlink, 3);
  assert.equal(read(rootfs, "c"), "d/a");
  assert.equal(readlinkSync(join(rootfs, "s2")), "nowhere");
});

test("bundle replaces a file without touching its other names", asRoot, async (t) => {
  const rootfs = await unpack(t, [file("a", "old"), hardLink("b", "a")], [file("a", "new")]);
  assert.deepEqual([read(rootfs, "a"), read(rootfs, "b")], ["new", "old"]);
});

test("bundle replaces files, links and directories by each other", asRoot, async (t) => {
  const rootfs = await unpack(
    t,
    [file("f"), file("d/x"), symlink("s", "d"), file("l")],
    [directory("f"), file("f/y"), file("d", "file")],
    [directory("s"), file("s/z"), symlink("l", "f")],
  );
  assert.deepEqual(paths(rootfs), ["d", "f", "f/y", "l", "s", "s/z"]);
  assert.equal(read(rootfs, "d"), "file");
});

test("bundle keeps what is in a directory that a later layer lists again", asRoot, async (t) => {
  const rootfs = await unpack(t, [file("d/x")], [{ name: "d", type: "directory", mode: 0o700 }, file("d/y")]);
  assert.deepEqual(paths(rootfs), ["d", "d/x", "d/y"]);
  assert.equal(lstatSync(join(rootfs, "d")).mode & 0o777, 0o700);
});

test("bundle follows a link to a directory inside the root, absolute or not", asRoot, async (t) => {
  const rootfs = await unpack(
    t,
    [directory("usr/lib"), symlink("lib", "usr/lib"), symlink("abs", "/usr/lib"), symlink("up", "../../usr/lib")],
    [file("lib/a"), file("abs/b"), file("up/c"), symlink("usr/self", "/usr/./self2/.."), directory("usr/self2")],
    [file("usr/self/d")],
  );
  assert.deepEqual(readdirSync(join(rootfs, "usr/lib")).sort(), ["a", "b", "c"]);
  assert.equal(read(rootfs, "usr/d"), "usr/self/d");
});

// --- whiteouts

test("bundle applies whiteouts to files, directories and links, not through links", asRoot, async (t) => {
  const rootfs = await unpack(
    t,
    [file("a"), file("d/x"), file("d/y"), file("e/z"), symlink("s", "e"), file("keep")],
    [file(".wh.a"), file("d/.wh.x"), file(".wh.s"), file(".wh.absent"), file("no/such/.wh.directory")],
    [file(".wh.e")],
  );
  assert.deepEqual(paths(rootfs), ["d", "d/y", "keep"]);
});

test("bundle applies a whiteout to lower layers only, in any order", asRoot, async (t) => {
  const lower = [file("a", "old"), file("d/old"), file("d/sub/old")];
  for (const upper of [
    [file(".wh.a"), file("a", "new"), file(".wh.d"), file("d/new")],
    [file("a", "new"), file(".wh.a"), file("d/new"), file(".wh.d")],
  ]) {
    const rootfs = await unpack(t, lower, upper);
    assert.deepEqual(paths(rootfs), ["a", "d", "d/new"]);
    assert.equal(read(rootfs, "a"), "new");
  }
});

test("bundle empties an opaque directory of what lower layers put there, in any order", asRoot, async (t) => {
  const lower = [file("d/old"), file("d/sub/old"), file("d/gone/old"), file("keep")];
  const opaque = file("d/.wh..wh..opq", "");
  for (const upper of [
    [directory("d"), opaque, file("d/new"), directory("d/sub"), file("d/sub/new")],
    [directory("d"), file("d/new"), directory("d/sub"), file("d/sub/new"), opaque],
    [file("d/new"), opaque, file("d/sub/new")],
  ]) {
    const rootfs = await unpack(t, lower, upper);
    assert.deepEqual(paths(rootfs), ["d", "d/new", "d/sub", "d/sub/new", "keep"]);
  }
  const rootfs = await unpack(t, lower, [file(".wh..wh..opq", ""), file("only")]);
  assert.deepEqual(paths(rootfs), ["only"]);
});

test("bundle leaves out the bookkeeping of AUFS", asRoot, async (t) => {
  const rootfs = await unpack(t, [
    file(".wh..wh.aufs"),
    directory(".wh..wh.plnk"),
    file(".wh..wh.plnk/1.2"),
    file("a"),
  ]);
  assert.deepEqual(paths(rootfs), ["a"]);
});

const oddWhiteouts = [".wh.", "d/.wh.", ".wh..", ".wh...", "d/.wh...", ".wh.d/x"];
for (const name of oddWhiteouts) {
  test(`bundle refuses the whiteout ${name}`, asRoot, async (t) => {
    await assert.rejects(unpack(t, [file("d/x")], [file(name)]), /is a whiteout of no file|is below a whiteout/);
  });
}

// --- hostile names

test("bundle takes absolute names as relative to the root", asRoot, async (t) => {
  const rootfs = await unpack(t, [file("/etc/passwd", "a"), file("//x"), file("./y"), hardLink("/z", "/x")]);
  assert.deepEqual(paths(rootfs), ["etc", "etc/passwd", "x", "y", "z"]);
});

for (const name of ["../../outside/file", "a/../../../outside/file", "/../../outside/x", "a/..", ".."]) {
  test(`bundle refuses the name ${name}`, asRoot, async (t) => {
    await assert.rejects(unpack(t, [directory("a"), rawEntry({ name }, "x")]), /has the unsafe name/);
    await assert.rejects(unpack(t, [directory("a"), rawEntry({ name, typeflag: "5" })]), /has the unsafe name/);
    await assert.rejects(unpack(t, [rawEntry({ name: "l", typeflag: "1", linkname: name })]), /has the unsafe name/);
  });
}

test("bundle refuses names with NUL, and empty ones", asRoot, async (t) => {
  await assert.rejects(unpack(t, [paxEntry({ path: "a\0b" }), rawEntry({})]), /has the unsafe name/);
  await assert.rejects(
    unpack(t, [paxEntry({ linkpath: "a\0b" }), rawEntry({ typeflag: "2" })]),
    /is a symbolic link to/,
  );
  await assert.rejects(unpack(t, [paxEntry({ linkpath: "a\0" }), rawEntry({ typeflag: "1" })]), /has the unsafe name/);
  await assert.rejects(unpack(t, [rawEntry({ name: "\0" }, "x")]), /has the unsafe name/);
  await assert.rejects(unpack(t, [rawEntry({ name: "s", typeflag: "2" })]), /is a symbolic link to ""/);
});

test("bundle doesn't let anything but a directory be the root", asRoot, async (t) => {
  for (const typeflag of ["0", "1", "2"]) {
    await assert.rejects(
      unpack(t, [rawEntry({ name: ".", typeflag, linkname: "x" })]),
      /would replace the root directory/,
    );
  }
});

// --- planted links, which point out of the root by every way of writing it

const targets: [string, (base: string) => string][] = [
  ["../../outside", () => "../../outside"],
  ["x/../../../outside", () => "x/../../../outside"],
  ["an absolute path", (base) => join(base, "outside")],
  ["an absolute path by way of ..", (base) => `/../..${join(base, "outside")}`],
  ["/proc/self/root", (base) => `/proc/self/root${join(base, "outside")}`],
];
for (const [what, target] of targets) {
  test(`bundle writes nothing through a link to ${what}`, asRoot, async (t) => {
    const first = temporaryDirectory(t);
    const plant = (base: string) => [directory("x"), symlink("link", target(base))];
    const rootfs = await unpackIn(first, [...plant(first), file("link/file", "evil")]);
    // The twin: it is inside now.
    const inside = target(first).startsWith("/") ? target(first).replace("/../..", "") : "outside";
    assert.equal(read(rootfs, inside, "file"), "evil");

    for (const attack of [
      [file("link/file", "evil"), directory("link/directory")],
      [symlink("link/file", "evil"), { name: "link/fifo", type: "fifo" } as Member],
      [{ name: "link/device", type: "character-device", devmajor: 1, devminor: 3 } as Member],
      [{ name: "link/", type: "directory", mode: 0o777, uid: 1 } as Member],
      [file("link/.wh.file"), file("link/.wh..wh..opq")],
      [symlink("second", "link"), file("second/file", "evil")],
      [file("own"), hardLink("link/own", "own")],
    ]) {
      const base = temporaryDirectory(t);
      await unpackIn(base, plant(base), attack); // and compares what is outside
    }
  });

  test(`bundle makes no hard link through a link to ${what}`, asRoot, async (t) => {
    const base = temporaryDirectory(t);
    const layer = [directory("x"), symlink("link", target(base)), hardLink("stolen", "link/file")];
    await assert.rejects(unpackIn(base, layer), /no file "link\/file" to link to/);
  });
}

test("bundle doesn't write through a link at the end of a name", asRoot, async (t) => {
  const rootfs = await unpack(
    t,
    [symlink("f", "../../outside/file"), symlink("d", "../../outside/directory")],
    [file("f", "inside"), { name: "d", type: "directory", mode: 0o700, uid: 1 }],
  );
  assert.equal(read(rootfs, "f"), "inside");
  assert.ok(lstatSync(join(rootfs, "d")).isDirectory());
});

test("bundle changes no file outside by metadata of a link or of a hard link to a link", asRoot, async (t) => {
  const rootfs = await unpack(t, [
    { name: "s", type: "symlink", linkname: "../../outside/file", uid: 9, mode: 0o777 },
    { name: "h", type: "link", linkname: "s", uid: 10, mode: 0o4777 },
    file("h", "replaced"),
  ]);
  assert.equal(lstatSync(join(rootfs, "s")).uid, 9);
  assert.equal(read(rootfs, "h"), "replaced");
});

test("bundle refuses hard links to directories, to nothing, to themselves, to what they replace", asRoot, async (t) => {
  for (const [name, linkname] of [
    ["l", "d"],
    ["l", "absent"],
    ["l", "/"],
    ["d/f", "d/f"],
    ["d", "d/f"],
  ] as const) {
    await assert.rejects(unpack(t, [file("d/f"), hardLink(name, linkname)]), /to link to|below itself/);
  }
});

test("bundle refuses loops of links, and paths through files", asRoot, async (t) => {
  await assert.rejects(unpack(t, [symlink("a", "b"), symlink("b", "a"), file("a/x")]), /too many symbolic links/);
  await assert.rejects(unpack(t, [symlink("a", "a/a"), file("a/x")]), /too many symbolic links/);
  await assert.rejects(unpack(t, [file("a"), file("a/x")]), /"a" is not a directory/);
});

test("bundle refuses device numbers that are none", asRoot, async (t) => {
  const device = { name: "n", type: "character-device" as const, devmajor: 0o10000, devminor: 0 };
  await assert.rejects(unpack(t, [device]), /no such device number 4096:0/);
});

test("bundle stops when it is interrupted, and leaves nothing", asRoot, async (t) => {
  const base = temporaryDirectory(t);
  finishLayout(join(base, "layout"), [addImage(join(base, "layout"), [await makeTar([file("a")])])]);
  const signal = AbortSignal.abort(new Error("interrupted"));
  await assert.rejects(bundleImage({ image: join(base, "layout"), output: join(base, "b"), signal }), /interrupted/);
  assert.deepEqual(readdirSync(base), ["layout"]);
});
