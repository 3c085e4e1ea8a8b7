// SPDX-License-Identifier: Apache-2.0
// Which image is taken, and what is checked of it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { openImage } from "../../src/owner/bundle/image.ts";
import { openImageFiles } from "../../src/owner/bundle/image_files.ts";
import { readLayer } from "../../src/owner/bundle/layer_stream.ts";
import { hostPlatform, parsePlatform } from "../../src/owner/bundle/platform.ts";
import { bundleImage } from "../../src/owner/bundle.ts";
import {
  addBlob,
  addImage,
  asRoot,
  type Blob,
  type Compression,
  finishLayout,
  makeTar,
  sha256,
  temporaryDirectory,
} from "./owner_bundle_fixture.ts";

const REF = "org.opencontainers.image.ref.name";
const INDEX = "application/vnd.oci.image.index.v1+json";

/** Opens the image and reads its layers, as bundle does, but without writing: the names of the entries. */
async function readImage(path: string, choice = {}): Promise<{ digest: string; names: string[] }> {
  const image = await openImage(path, choice);
  const names: string[] = [];
  for (const layer of image.layers) {
    await readLayer(image.files, layer, async (tar) => {
      for (let entry = await tar.next(); entry; entry = await tar.next()) names.push(entry.name);
    });
  }
  return { digest: image.digest, names };
}

function archive(directory: string, output: string): string {
  assert.equal(spawnSync("tar", ["-C", directory, "-cf", output, ...readdirSync(directory)]).status, 0);
  return output;
}

function image(layout: string, name: string, config = {}, compression: Compression = "gzip"): Promise<Blob> {
  return makeTar([{ name, data: name }]).then((tar) => addImage(layout, [tar], config, compression));
}

for (const compression of ["none", "gzip", "zstd"] as const) {
  test(`openImage() reads a layout and an archive of it, layers: ${compression}`, async (t) => {
    const base = temporaryDirectory(t);
    const layout = join(base, "layout");
    const manifest = await image(layout, "file", {}, compression);
    finishLayout(layout, [manifest]);
    const expected = { digest: manifest.digest, names: ["file"] };
    assert.deepEqual(await readImage(layout), expected);
    assert.deepEqual(await readImage(archive(layout, join(base, "archive"))), expected);
  });

  test(`readLayer() reports corrupt data, layers: ${compression}`, async (t) => {
    const layout = temporaryDirectory(t);
    const tar = await makeTar([{ name: "file", data: "x".repeat(100_000) }]);
    finishLayout(layout, [addImage(layout, [tar], {}, compression)]);
    const { layers } = await openImage(layout, {});
    const path = join(layout, layers[0]!.file);
    const bytes = readFileSync(path);
    bytes[bytes.length >> 1]! ^= 1;
    writeFileSync(path, bytes);
    await assert.rejects(readImage(layout), /has digest|corrupt (tar|gzip data|zstd data)/);
    writeFileSync(path, bytes.subarray(0, bytes.length >> 1));
    await assert.rejects(readImage(layout), /corrupt (tar|gzip data|zstd data)/);
    rmSync(path);
    await assert.rejects(readImage(layout), /is not in the image/);
  });
}

test("readLayer() checks what follows the compressed data, and the diffID", async (t) => {
  const layout = temporaryDirectory(t);
  finishLayout(layout, [await image(layout, "file")]);
  const { layers } = await openImage(layout, {});
  appendFileSync(join(layout, layers[0]!.file), "more");
  await assert.rejects(readImage(layout), /has not the size/);

  const other = temporaryDirectory(t);
  const rootfs = { type: "layers", diff_ids: [sha256("something else")] };
  finishLayout(other, [await image(other, "file", { rootfs })]);
  await assert.rejects(readImage(other), /uncompressed, has digest sha256:.*, not sha256:/);
});

test("readLayer() says what to install when zstd is missing", async (t) => {
  const layout = temporaryDirectory(t);
  finishLayout(layout, [await image(layout, "file", {}, "zstd")]);
  const path = process.env.PATH;
  t.after(() => {
    process.env.PATH = path;
  });
  process.env.PATH = layout;
  await assert.rejects(readImage(layout), /install the program zstd \(Debian: apt install zstd\)/);
});

test("openImage() takes members that docker save stores as links", async (t) => {
  const base = temporaryDirectory(t);
  const tar = await makeTar([{ name: "shared" }]);
  const config = JSON.stringify({
    os: "linux",
    architecture: "amd64",
    rootfs: { type: "layers", diff_ids: [sha256(tar), sha256(tar), sha256(tar)] },
  });
  const name = `${sha256(config).slice(7)}.json`;
  const manifest = [{ Config: name, RepoTags: ["example.com/a:1"], Layers: ["1/layer.tar", "2/layer.tar", "3.tar"] }];
  const archived = await makeTar([
    { name, data: config },
    { name: "manifest.json", data: JSON.stringify(manifest) },
    { name: "2/layer.tar", type: "symlink", linkname: "../1/layer.tar" },
    { name: "3.tar", type: "link", linkname: "2/layer.tar" },
    { name: "1/layer.tar", data: tar.toString("latin1") },
  ]);
  writeFileSync(join(base, "archive"), archived);
  const expected = { digest: sha256(config), names: ["shared", "shared", "shared"] };
  assert.deepEqual(await readImage(join(base, "archive")), expected);
  assert.deepEqual(await readImage(join(base, "archive"), { ref: "example.com/a:1" }), expected);
  await assert.rejects(readImage(join(base, "archive"), { ref: "b" }), /no image "b"; there are: example.com\/a:1/);
});

test("openImage() refuses a config that isn't the one the archive names", async (t) => {
  const base = temporaryDirectory(t);
  const name = `${sha256("other").slice(7)}.json`;
  const members = [
    { name, data: "{}" },
    { name: "manifest.json", data: JSON.stringify([{ Config: name, Layers: [] }]) },
  ];
  writeFileSync(join(base, "archive"), await makeTar(members));
  await assert.rejects(readImage(join(base, "archive")), /image config has digest/);
});

test("openImage() refuses links in a circle, duplicates, compressed archives, other files", async (t) => {
  const base = temporaryDirectory(t);
  const write = async (members: Parameters<typeof makeTar>[0]) =>
    writeFileSync(join(base, "a"), await makeTar(members));
  await write([
    { name: "index.json", type: "symlink", linkname: "b" },
    { name: "b", type: "symlink", linkname: "index.json" },
  ]);
  await assert.rejects(readImage(join(base, "a")), /too many links/);
  await write([{ name: "index.json" }, { name: "./index.json" }]);
  await assert.rejects(readImage(join(base, "a")), /"index.json" twice/);
  await write([{ name: "README" }]);
  await assert.rejects(readImage(join(base, "a")), /is no image/);
  writeFileSync(join(base, "a"), gzipSync(await makeTar([])));
  await assert.rejects(readImage(join(base, "a")), /is compressed: decompress it first/);
});

test("openImageFiles() reads nothing outside a directory", async (t) => {
  const base = temporaryDirectory(t);
  mkdirSync(join(base, "image"));
  writeFileSync(join(base, "secret"), "x");
  writeFileSync(join(base, "image/file"), "x");
  const files = await openImageFiles(join(base, "image"));
  assert.equal(files.size("file"), 1);
  assert.equal(files.size("../secret"), undefined);
});

test("openImage() needs --ref for several images, and names them", async (t) => {
  const layout = temporaryDirectory(t);
  const [a, b, c] = [await image(layout, "a"), await image(layout, "b"), await image(layout, "c")];
  finishLayout(layout, [
    { ...a, annotations: { [REF]: "1" } },
    { ...b, annotations: { [REF]: "2", "io.containerd.image.name": "example.com/b:2" } },
    c,
  ]);
  await assert.rejects(readImage(layout), {
    code: "USAGE",
    message: `several images: choose one with --ref: 1, 2, ${c!.digest}`,
  });
  await assert.rejects(readImage(layout, { ref: "3" }), /no image "3"; there are: 1, 2, sha256:/);
  assert.deepEqual((await readImage(layout, { ref: "1" })).names, ["a"]);
  assert.deepEqual((await readImage(layout, { ref: "example.com/b:2" })).names, ["b"]);
  assert.deepEqual((await readImage(layout, { ref: c!.digest })).names, ["c"]);
});

test("openImage() chooses the platform in nested indexes", async (t) => {
  const layout = temporaryDirectory(t);
  const foreign = { os: "linux", architecture: "s390x" };
  const arm = { os: "linux", architecture: "arm64", variant: "v8" };
  const here = hostPlatform();
  const host = { os: here.os, architecture: here.architecture };
  const children = [
    { ...(await image(layout, "foreign", foreign)), platform: foreign },
    {
      ...addBlob(layout, "application/vnd.oci.image.manifest.v1+json", "{}"),
      platform: { os: "unknown", architecture: "unknown" },
    },
    { ...(await image(layout, "host", host)) }, // its platform is in the config only
    { mediaType: "application/vnd.oci.image.manifest.v1+json", digest: sha256("not copied"), size: 10, platform: arm },
  ];
  const inner = addBlob(layout, INDEX, JSON.stringify({ manifests: children }));
  const outer = addBlob(layout, INDEX, JSON.stringify({ manifests: [inner] }));
  finishLayout(layout, [{ ...outer, annotations: { [REF]: "latest" } }]);

  assert.deepEqual((await readImage(layout)).names, ["host"]);
  assert.deepEqual((await readImage(layout, { platform: parsePlatform("linux/s390x") })).names, ["foreign"]);
  await assert.rejects(readImage(layout, { platform: parsePlatform("linux/arm64") }), {
    code: "USAGE",
    message: `no image for linux/arm64; choose with --platform from: linux/s390x, unknown/unknown, linux/${here.architecture}`,
  });
});

test("openImage() takes a single image for another machine, unless --platform says otherwise", async (t) => {
  const layout = temporaryDirectory(t);
  finishLayout(layout, [await image(layout, "file", { architecture: "riscv64" })]);
  assert.deepEqual((await readImage(layout)).names, ["file"]);
  await assert.rejects(readImage(layout, { platform: parsePlatform("linux/386") }), /no image for linux\/386/);
});

test("openImage() believes the config, not the index, about the platform", async (t) => {
  const layout = temporaryDirectory(t);
  const platform = { os: "linux", architecture: "386" };
  finishLayout(layout, [{ ...(await image(layout, "file", { architecture: "riscv64" })), platform }]);
  await assert.rejects(
    readImage(layout, { platform: parsePlatform("linux/386") }),
    /is for linux\/riscv64, not linux\/386/,
  );
});

test("parsePlatform() leaves out the usual variant", () => {
  assert.deepEqual(parsePlatform("linux/arm/v7"), parsePlatform("linux/arm"));
  assert.notDeepEqual(parsePlatform("linux/arm/v6"), parsePlatform("linux/arm"));
  for (const text of ["linux", "linux/", "/amd64", "a/b/c/d"])
    assert.throws(() => parsePlatform(text), { code: "USAGE" });
});

/** Manifests and configs that must be refused, made by changing one thing of a good image. */
const refused: [string, (layout: string, good: Blob) => object, RegExp][] = [
  ["another size", (_, good) => ({ ...good, size: good.size + 1 }), /has not the size/],
  ["a digest of nothing", (_, good) => ({ ...good, digest: sha256("") }), /has no file/],
  ["a digest that leaves the layout", (_, good) => ({ ...good, digest: "sha256:../../../index.json" }), /not a digest/],
  ["another digest algorithm", (_, good) => ({ ...good, digest: `sha512:${"0".repeat(128)}` }), /is not sha256/],
  ["no media type", (_, good) => ({ ...good, mediaType: undefined }), /"mediaType" is not a string/],
  [
    "a media type that is no image",
    (_, good) => ({ ...good, mediaType: "text/plain" }),
    /is of media type "text\/plain"/,
  ],
  [
    "an artifact",
    (layout) => manifest(layout, { config: addBlob(layout, "application/x", "{}") }),
    /is not a container image/,
  ],
  [
    "an encrypted layer",
    (layout) => manifest(layout, { layers: [addBlob(layout, "x+encrypted", "")] }),
    /media type "x\+enc/,
  ],
  [
    "a layer without a diffID",
    (layout) => manifest(layout, {}, { type: "layers", diff_ids: [] }),
    /1 layers, its config 0/,
  ],
  ["another kind of rootfs", (layout) => manifest(layout, {}, { type: "x" }), /rootfs of type "x"/],
];

function manifest(layout: string, change: object, rootfs: object = { type: "layers", diff_ids: [sha256("")] }): Blob {
  const config = JSON.stringify({ os: "linux", architecture: "amd64", rootfs });
  const type = "application/vnd.oci.image";
  const good = {
    config: addBlob(layout, `${type}.config.v1+json`, config),
    layers: [addBlob(layout, `${type}.layer.v1.tar`, "")],
  };
  return addBlob(layout, `${type}.manifest.v1+json`, JSON.stringify({ ...good, ...change }));
}

test("openImage() takes the image that the next tests change, with an empty layer", async (t) => {
  const layout = temporaryDirectory(t);
  finishLayout(layout, [manifest(layout, {})]);
  assert.deepEqual((await readImage(layout)).names, []);
});
for (const [what, change, message] of refused) {
  test(`openImage() refuses ${what}`, async (t) => {
    const layout = temporaryDirectory(t);
    finishLayout(layout, [change(layout, await image(layout, "file"))]);
    await assert.rejects(readImage(layout), { name: "EdgerunError", message });
  });
}

test("openImage() refuses a manifest that was changed", async (t) => {
  const layout = temporaryDirectory(t);
  const good = await image(layout, "file");
  finishLayout(layout, [good]);
  const path = join(layout, "blobs/sha256", good.digest.slice(7));
  writeFileSync(path, readFileSync(path, "utf8").replace("2", "3"));
  await assert.rejects(readImage(layout), /image manifest sha256:.* has digest/);
});

test("openImage() ends with indexes nested in a long chain", async (t) => {
  const layout = temporaryDirectory(t);
  let index = addBlob(layout, INDEX, JSON.stringify({ manifests: [] }));
  for (let i = 0; i < 10; i++) index = addBlob(layout, INDEX, JSON.stringify({ manifests: [index] }));
  finishLayout(layout, [index]);
  await assert.rejects(readImage(layout), /nested more than 4 deep/);
});

test("bundleImage() leaves what exists alone", asRoot, async (t: TestContext) => {
  const base = temporaryDirectory(t);
  mkdirSync(join(base, "output"));
  await assert.rejects(bundleImage({ image: base, output: join(base, "output") }), {
    code: "USAGE",
    message: /already exists/,
  });
  await assert.rejects(bundleImage({ image: join(base, "absent"), output: join(base, "b") }), {
    code: "HOST",
    errno: "ENOENT",
  });
  await assert.rejects(bundleImage({ image: base, output: join(base, "no/such/b") }), {
    code: "HOST",
    errno: "ENOENT",
  });
  assert.deepEqual(readdirSync(base), ["output"]);
});

test("bundleImage() says that it has to be root", asRoot, async (t: TestContext) => {
  const base = temporaryDirectory(t);
  process.seteuid!(65534);
  try {
    await assert.rejects(bundleImage({ image: base, output: join(base, "b") }), { message: /only root can make it/ });
  } finally {
    process.seteuid!(0);
  }
});
