// SPDX-License-Identifier: Apache-2.0
// scripts/make_snapshot.c: from two dumps of an engine to its snapshot (native/engine/snapshot.h), and what it refuses.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

const directory = mkdtempSync(join(tmpdir(), "edgerun-snapshot-"));
after(() => rmSync(directory, { recursive: true }));

type Addresses = { arena: bigint; program: bigint };
const first: Addresses = { arena: 0x7f00_1000_0000n, program: 0x5555_0000_1000n };
const second: Addresses = { arena: 0x7f11_2340_0000n, program: 0x5566_7000_8000n };
const programSize = 0x1000n;
const engine = 16n;

/** As SNAPSHOT_DUMP writes it. */
function writeDump(name: string, { arena, program }: Addresses, words: bigint[]): string {
  const used = BigInt(8 * words.length);
  const head = [arena, used, 0x20000n, arena + engine, program, program + programSize];
  const path = join(directory, name);
  writeFileSync(path, Buffer.from(new BigUint64Array([...head, ...words]).buffer));
  return path;
}

/** Makes the snapshot of an engine whose words depend on the addresses. */
function make(words: (at: Addresses) => bigint[], a = first, b = second): { stderr: string; snapshot?: Buffer } {
  const output = join(directory, "snapshot");
  const { status, stderr } = spawnSync(
    "build/make_snapshot",
    [output, writeDump("a", a, words(a)), writeDump("b", b, words(b))],
    { encoding: "utf8" },
  );
  return status === 0 ? { stderr, snapshot: readFileSync(output) } : { stderr };
}

test("addresses become offsets, and each is listed; data stays", () => {
  const { snapshot, stderr } = make(({ arena, program }) => [
    42n,
    arena + 24n,
    program + 0x10n,
    arena + 1n, // a tagged pointer
    0x7f00_1000_0008n, // the same in both: data, whatever it looks like
  ]);
  assert.equal(stderr, "");
  assert.ok(snapshot);
  assert.equal(snapshot.toString("latin1", 0, 8), "ERSNAP1\0");
  const [imageSize, populated, engineOffset, programPointers] = [8, 12, 16, 20].map((at) => snapshot.readUInt32LE(at));
  assert.deepEqual([imageSize, populated, engineOffset, programPointers], [64 * 8, 0x20000, 16, 1]);
  const image = Array.from({ length: 6 }, (_, i) => snapshot.readBigUInt64LE(24 + 8 * i));
  assert.deepEqual(image, [42n, 24n, 0x10n, 1n, 0x7f00_1000_0008n, 0n]);
  const bits = snapshot.readBigUInt64LE(24 + imageSize!);
  assert.equal(bits, 0b1010n, "the words that are addresses in the arena");
  assert.equal(snapshot.readUInt32LE(24 + imageSize! + 8), 16, "the word that is an address of the program");
  assert.equal(snapshot.length, 24 + imageSize! + 8 + 4);
});

test("what an int leaves in the upper half of its word is no address", () => {
  const { snapshot } = make(({ arena }) => [((arena >> 32n) << 32n) | 7n]);
  assert.equal(snapshot?.readBigUInt64LE(24), 7n);
  assert.equal(snapshot?.readBigUInt64LE(24 + 64 * 8), 0n);
});

test("hashes of addresses stay as they were in the first dump", () => {
  const { snapshot } = make(({ arena }) => [(arena & 0xffff_ffffn) * 3n, 1n]);
  assert.equal(snapshot?.readBigUInt64LE(24), (first.arena & 0xffff_ffffn) * 3n);
});

test("an address of something else is refused; the engine's two limits of the stack are not", () => {
  const stack = ({ arena }: Addresses): bigint => 0x7ffc_0000_0000n + (arena & 0xffff_ffffn);
  assert.ok(make((at) => [stack(at), stack(at) - 8n]).snapshot);
  assert.match(make((at) => [stack(at), stack(at) - 8n, stack(at) - 16n]).stderr, /3 words look like addresses/);
});

test("different addresses of the program in each dump are refused", () => {
  assert.match(make((at) => [at.program + (at === first ? 8n : 16n)]).stderr, /different address of the program/);
});

test("two dumps with the same addresses show nothing, and are refused", () => {
  assert.match(make(() => [1n], first, { ...second, arena: first.arena }).stderr, /the same addresses/);
  assert.match(make(() => [1n], first, { ...second, program: first.program }).stderr, /the same addresses/);
});

test("dumps of engines that differ in size are refused", () => {
  assert.match(make((at) => (at === first ? [1n] : [1n, 2n])).stderr, /not of the same engine/);
});

test("the device binary, which has its snapshot, writes no dump", () => {
  const path = join(directory, "dump");
  const { status, stderr } = spawnSync("build/edgerun", ["--dump-engine", path, "build/edgerun.bytecode"], {
    encoding: "utf8",
  });
  assert.notEqual(status, 0);
  assert.match(stderr, /flag provided but not defined: -dump-engine/);
  assert.throws(() => readFileSync(path), { code: "ENOENT" });
});
