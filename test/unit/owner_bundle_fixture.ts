// SPDX-License-Identifier: Apache-2.0
// Images and tars for the tests of `edgerun owner bundle`, hostile ones included.

import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { geteuid } from "node:process";
import type { TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { type Header, pack } from "tar-stream";

/** The option for tests that need to be root. */
export const asRoot = { skip: geteuid?.() === 0 ? false : "needs root" };

/** A temporary directory that goes when the test ends. */
export function temporaryDirectory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "edgerun-owner-bundle-"));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A tar entry for tar-stream; a Buffer is taken as blocks that are ready. */
export type Member = (Partial<Header> & { name: string; data?: string }) | Buffer;

/** A tar of the members. Times are 0 unless said. */
export async function makeTar(members: readonly Member[]): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (const member of members) {
    if (Buffer.isBuffer(member)) {
      parts.push(member);
      continue;
    }
    const { data, ...header } = member;
    const stream = pack();
    const name = header.type === "directory" && !header.name.endsWith("/") ? `${header.name}/` : header.name;
    stream.entry({ mtime: new Date(0), ...header, name }, data ?? "");
    stream.finalize();
    const blocks: Buffer[] = [];
    for await (const block of stream) blocks.push(block as Buffer);
    parts.push(Buffer.concat(blocks).subarray(0, -1024)); // the marker at the end comes once
  }
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

/** Fields of a header that tar-stream wouldn't write; strings are written as they are, one byte per character. */
export interface RawHeader {
  name?: string;
  typeflag?: string;
  size?: number;
  uid?: string;
  mtime?: string;
  linkname?: string;
  magic?: string;
  prefix?: string;
}

/** One header block, with its data padded to blocks. */
export function rawEntry(header: RawHeader, data: string | Buffer = ""): Buffer {
  const bytes = Buffer.isBuffer(data) ? data : Buffer.from(data, "latin1");
  const block = Buffer.alloc(512);
  block.write(header.name ?? "entry", 0, "latin1");
  block.write("0000644\0", 100);
  block.write(header.uid ?? "0000000\0", 108, "latin1");
  block.write("0000000\0", 116);
  block.write(`${(header.size ?? bytes.length).toString(8).padStart(11, "0")}\0`, 124);
  block.write(header.mtime ?? "00000000000\0", 136, "latin1");
  block.write("        ", 148);
  block.write(header.typeflag ?? "0", 156, "latin1");
  block.write(header.linkname ?? "", 157, "latin1");
  block.write(header.magic ?? "ustar\x0000", 257, "latin1");
  block.write(header.prefix ?? "", 345, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return Buffer.concat([block, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512)]);
}

/** Pax records; as a list, keys may be repeated. */
export type PaxRecords = Record<string, string> | [key: string, value: string][];

/** A pax header (typeflag "x", or "g" for a global one); values are one byte per character. */
export function paxEntry(records: PaxRecords, typeflag = "x"): Buffer {
  const lines = (Array.isArray(records) ? records : Object.entries(records)).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    let length = rest.length + 1;
    while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
    return `${length}${rest}`;
  });
  return rawEntry({ typeflag, name: "pax" }, lines.join(""));
}

export function sha256(data: Buffer | string): string {
  return `sha256:${createHash("sha256").update(data).digest("hex")}`;
}

export interface Blob {
  mediaType: string;
  digest: string;
  size: number;
}

/** Puts a blob into the layout. */
export function addBlob(layout: string, mediaType: string, data: Buffer | string): Blob {
  const digest = sha256(data);
  mkdirSync(join(layout, "blobs/sha256"), { recursive: true });
  writeFileSync(join(layout, "blobs/sha256", digest.slice(7)), data);
  return { mediaType, digest, size: Buffer.byteLength(data) };
}

export type Compression = "none" | "gzip" | "zstd";

const LAYER = "application/vnd.oci.image.layer.v1.tar";

/** Puts an image into the layout: its manifest's descriptor. `config` replaces parts of a working image config. */
export function addImage(
  layout: string,
  tars: readonly Buffer[],
  config: Record<string, unknown> = {},
  compression: Compression = "gzip",
): Blob {
  const layers = tars.map((tar) => {
    if (compression === "none") return addBlob(layout, LAYER, tar);
    if (compression === "gzip") return addBlob(layout, `${LAYER}+gzip`, gzipSync(tar));
    return addBlob(layout, `${LAYER}+zstd`, spawnSync("zstd", ["-cq"], { input: tar, maxBuffer: 1 << 26 }).stdout);
  });
  const rootfs = { type: "layers", diff_ids: tars.map(sha256) };
  const text = JSON.stringify({ os: "linux", architecture: "amd64", config: { Cmd: ["/init"] }, rootfs, ...config });
  const manifest = {
    schemaVersion: 2,
    config: addBlob(layout, "application/vnd.oci.image.config.v1+json", text),
    layers,
  };
  return addBlob(layout, "application/vnd.oci.image.manifest.v1+json", JSON.stringify(manifest));
}

/** Writes the layout's index.json and oci-layout. */
export function finishLayout(layout: string, manifests: readonly object[]): void {
  writeFileSync(join(layout, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  writeFileSync(join(layout, "index.json"), JSON.stringify({ schemaVersion: 2, manifests }));
}

/** One line per file below the directory: type, mode, owner, device or size, links, content, extended attributes. */
export function listTree(root: string): string[] {
  const lines: string[] = [];
  const walk = (path: string) => {
    const full = join(root, path);
    const stat = lstatSync(full);
    const fields = [path || ".", (stat.mode & 0o177777).toString(8), `${stat.uid}:${stat.gid}`];
    if (stat.isFile()) fields.push(`${stat.size}`, `links=${stat.nlink}`, sha256(readFileSync(full)));
    if (stat.isSymbolicLink()) fields.push(`-> ${readlinkSync(full)}`);
    if (stat.isCharacterDevice() || stat.isBlockDevice()) fields.push(`rdev=${stat.rdev}`);
    fields.push(`mtime=${Math.floor(stat.mtimeMs / 1000)}`);
    lines.push(fields.join(" "));
    if (stat.isDirectory()) for (const name of readdirSync(full).sort()) walk(path === "" ? name : `${path}/${name}`);
  };
  walk("");
  return [...lines, ...listAttributes(root)];
}

/** The extended attributes below the directory, as getfattr writes them. */
export function listAttributes(root: string): string[] {
  const { stdout } = spawnSync("getfattr", ["-Rhd", "-m-", "-ehex", "."], { cwd: root, encoding: "latin1" });
  return (stdout ?? "").split("\n").sort();
}
