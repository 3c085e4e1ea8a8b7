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

/** A snapshot as native/engine/snapshot.h lays it out. */
function read(snapshot: Buffer | undefined): {
  populated: number;
  engine: number;
  words: bigint[];
  addresses: bigint[];
  programs: number[];
} {
  assert.ok(snapshot);
  assert.equal(snapshot.toString("latin1", 0, 8), "ERSNAP2\0");
  const [groups, uppers, programs, populated, engine] = [8, 12, 16, 20, 24].map((at) => snapshot.readUInt32LE(at));
  let at = 32;
  const take = <T>(count: number, size: number, one: (at: number) => T): T[] => {
    const start = at;
    at += count * size;
    return Array.from({ length: count }, (_, i) => one(start + i * size));
  };
  const addresses = take(groups!, 8, (at) => snapshot.readBigUInt64LE(at));
  const wide = take(groups!, 8, (at) => snapshot.readBigUInt64LE(at));
  const words = take(64 * groups!, 4, (at) => BigInt(snapshot.readUInt32LE(at)));
  const upper = take(uppers!, 4, (at) => BigInt(snapshot.readUInt32LE(at)));
  const indexes = take(programs!, 4, (at) => snapshot.readUInt32LE(at));
  assert.equal(at, snapshot.length, "nothing comes behind");
  for (const [i, word] of words.entries()) {
    const isWide = ((wide[i >> 6]! >> BigInt(i & 63)) & 1n) === 1n;
    if (isWide) words[i] = word | (upper.shift()! << 32n);
  }
  return { populated: populated!, engine: engine!, words, addresses, programs: indexes };
}

test("addresses become offsets, and each is listed; data stays", () => {
  const { snapshot, stderr } = make(({ arena, program }) => [
    42n,
    arena + 24n,
    program + 0x10n,
    arena + 1n, // a tagged pointer
    0x7f00_1000_0008n, // the same in both: data, whatever it looks like
    0xffff_ffff_ffff_ffffn,
  ]);
  assert.equal(stderr, "");
  const { populated, engine: offset, words, addresses, programs } = read(snapshot);
  assert.equal(populated, 0x20000);
  assert.equal(offset, Number(engine));
  assert.deepEqual(words.slice(0, 7), [42n, 24n, 0x10n, 1n, 0x7f00_1000_0008n, 0xffff_ffff_ffff_ffffn, 0n]);
  assert.equal(words.length, 64);
  assert.deepEqual(addresses, [0b1010n]);
  assert.deepEqual(programs, [2]);
});

test("words of every group are found again", () => {
  const { words, addresses, programs } = read(
    make(({ arena, program }) =>
      Array.from({ length: 150 }, (_, i) =>
        i % 50 === 7 ? arena + BigInt(i) : i % 50 === 8 ? program : BigInt(i) << 31n,
      ),
    ).snapshot,
  );
  assert.equal(words.length, 192);
  assert.deepEqual(
    words.slice(0, 150),
    Array.from({ length: 150 }, (_, i) => (i % 50 === 7 ? BigInt(i) : i % 50 === 8 ? 0n : BigInt(i) << 31n)),
  );
  assert.deepEqual(addresses, [(1n << 7n) | (1n << 57n), 1n << 43n, 0n]);
  assert.deepEqual(programs, [8, 58, 108]);
});

test("what an int leaves in the upper half of its word is no address", () => {
  const { words, addresses } = read(make(({ arena }) => [((arena >> 32n) << 32n) | 7n]).snapshot);
  assert.equal(words[0], 7n);
  assert.deepEqual(addresses, [0n]);
});

test("hashes of addresses stay as they were in the first dump", () => {
  const { words, addresses } = read(make(({ arena }) => [(arena & 0xffff_ffffn) * 3n, 1n]).snapshot);
  assert.equal(words[0], (first.arena & 0xffff_ffffn) * 3n);
  assert.deepEqual(addresses, [0n]);
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
  assert.match(make(() => [1n], first, { ...second, arena: first.arena + 0x1000n }).stderr, /the same addresses/);
  assert.match(make(() => [1n], first, { ...second, arena: first.arena + (1n << 32n) }).stderr, /the same addresses/);
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
