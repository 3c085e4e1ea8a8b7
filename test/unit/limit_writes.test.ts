// SPDX-License-Identifier: Apache-2.0
// Writing limits, all of them or none: on files that refuse what the kernel refuses, and on a made-up cgroup v2 directory.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { makeHostError } from "../../src/host/error.ts";
import type { Host } from "../../src/host/functions.ts";
import { writeLimits } from "../../src/lifecycle/limit_writes.ts";
import { type LimitWrite, planUpdate } from "../../src/plan/update.ts";
import { v1Facts } from "./plan_fixture.ts";

type Files = { [path: string]: string };

/** Files in memory. `check` answers each write with an errno, or undefined. */
function fakeHost(files: Files, check: (path: string, value: string) => string | undefined = () => undefined): Host {
  const need = (path: string) => {
    const text = files[path];
    if (text === undefined) throw makeHostError(`open "${path}"`, "ENOENT");
    return text;
  };
  return {
    fileInfo: (path: string) => (files[path] === undefined ? null : [0]),
    readFile: (path: string) => need(path),
    readFileIfExists: (path: string) => files[path] ?? null,
    writeFile(path: string, value: string) {
      need(path);
      const errno = check(path, value);
      if (errno !== undefined) throw makeHostError(`write "${path}"`, errno);
      files[path] = value;
    },
  } as unknown as Host;
}

const one = (file: string, value: string): LimitWrite => ({ directory: "/g", file, value });
const fail = () => {
  throw new Error("commit");
};
const neverCalled = (error: unknown) => assert.fail(String(error));

/** As version 1 has it: neither limit may cross the other. */
const limits = (memory: string, swap: string): Files => ({ "/g/memory": memory, "/g/memsw": swap });
function keepInvariant(files: Files) {
  return fakeHost(files, (path, value) => {
    const next = { ...files, [path]: value };
    return Number(next["/g/memory"]) > Number(next["/g/memsw"]) ? "EINVAL" : undefined;
  });
}

test("values that depend on each other are raised and lowered in the order that works", () => {
  for (const [memory, swap] of [
    ["300", "400"],
    ["10", "20"],
    ["150", "160"],
  ] as const) {
    const files = limits("100", "200");
    writeLimits(keepInvariant(files), [one("memory", memory), one("memsw", swap)], () => undefined, neverCalled);
    assert.deepEqual(files, limits(memory, swap));
  }
});

test("when one write fails, the former values are put back, in the order that works", () => {
  for (const [memory, swap] of [
    ["300", "400"],
    ["10", "20"],
  ] as const) {
    const files = { ...limits("100", "200"), "/g/cpus": "0-1" };
    const invariant = keepInvariant(files);
    const host = {
      ...invariant,
      writeFile(path: string, value: string) {
        if (path === "/g/cpus") throw makeHostError("write", "ERANGE");
        invariant.writeFile(path, value);
      },
    } as Host;
    const writes = [one("memory", memory), one("memsw", swap), one("cpus", "9")];
    assert.throws(() => writeLimits(host, writes, () => undefined, neverCalled), /cannot set cpus to "9"/);
    assert.deepEqual(files, { ...limits("100", "200"), "/g/cpus": "0-1" });
  }
});

test("a value that is never taken ends the attempts, and nothing stays changed", () => {
  const files = { "/g/a": "1", "/g/b": "2" };
  const host = fakeHost(files, (path, value) => (path === "/g/a" && value === "9" ? "EINVAL" : undefined));
  assert.throws(() => writeLimits(host, [one("a", "9"), one("b", "9")], () => undefined, neverCalled), /cannot set a/);
  assert.deepEqual(files, { "/g/a": "1", "/g/b": "2" });
});

test("what fails afterwards (the record) puts the values back, too", () => {
  const files = { "/g/a": "1" };
  assert.throws(() => writeLimits(fakeHost(files), [one("a", "9")], fail, neverCalled), /^Error: commit$/);
  assert.deepEqual(files, { "/g/a": "1" });
});

test("a former value that can't be put back is told, and the first failure is thrown", () => {
  const files = { "/g/a": "1" };
  const host = fakeHost(files, (_, value) => (value === "1" ? "EBUSY" : undefined));
  const told: string[] = [];
  assert.throws(() => writeLimits(host, [one("a", "9")], fail, (error) => told.push(String(error))), /^Error: commit$/);
  assert.match(told.join(), /write "\/g\/a"/);
});

test("files that differ between kernels; a file that is missing; memory that is in use", () => {
  const write = { ...one("new", "5"), ifAbsent: "old", valueIfAbsent: "50" };
  const files: Files = { "/g/old": "1" };
  writeLimits(fakeHost(files), [write, { ...one("none", "1"), ifAbsent: "" }], () => undefined, neverCalled);
  assert.deepEqual(files, { "/g/old": "50" });
  const missing = () => writeLimits(fakeHost({}), [one("pids.max", "5")], () => undefined, neverCalled);
  assert.throws(
    missing,
    /cannot set pids\.max to "5": no such file in "\/g" \(is the cgroup controller "pids" enabled/,
  );
  const busy = fakeHost({ "/g/memory": "9", "/g/memory.usage_in_bytes": "77\n" }, () => "EBUSY");
  assert.throws(() => writeLimits(busy, [one("memory", "5")], () => undefined, neverCalled), /\(current usage: 77\)/);
});

test("a made-up cgroup v2 directory", () => {
  const directory = mkdtempSync(join(tmpdir(), "edgerun-limits-"));
  const former: Files = {
    "memory.max": "max\n",
    "memory.swap.max": "max\n",
    "memory.low": "0\n",
    "cpu.max": "max 100000\n",
    "cpu.max.burst": "0\n",
    "cpu.weight": "100\n",
    "cpu.idle": "0\n",
    "cpuset.cpus": "\n",
    "pids.max": "max\n",
    "io.max": "",
    "io.weight": "default 100\n",
    "hugetlb.2MB.max": "max\n",
  };
  const read = () =>
    Object.fromEntries(readdirSync(directory).map((name) => [name, readFileSync(join(directory, name), "utf8")]));
  const host = {
    fileInfo: (path: string) => (readdirSync(directory).includes(path.slice(directory.length + 1)) ? [0] : null),
    readFile: (path: string) => readFileSync(path, "utf8"),
    writeFile: (path: string, text: string) => writeFileSync(path, text),
  } as unknown as Host;
  const { writes } = planUpdate({
    current: {},
    changes: {
      memory: { limit: 64n << 20n, swap: 96n << 20n, reservation: 32n << 20n },
      cpu: { quota: 20_000n, period: 50_000n, burst: 1_000n, shares: 512n, idle: 0, cpus: "0" },
      pids: { limit: 17n },
      blockIO: { weight: 10, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 600n }] },
      hugepageLimits: [{ pageSize: "2MB", limit: 4n << 20n }],
      unified: { "cpu.weight": "70" },
    },
    cgroups: [directory],
    facts: {
      ...v1Facts(),
      cgroupMounts: [{ version: 2, mountPoint: directory, root: "/", controllers: [] }],
    },
  });
  try {
    for (const [name, text] of Object.entries(former)) writeFileSync(join(directory, name), text);
    assert.throws(() => writeLimits(host, writes, fail, neverCalled), /commit/);
    const restored = Object.entries(former).map(([name, text]) => [name, text === "\n" ? text : text.trim()]);
    assert.deepEqual(read(), {
      ...Object.fromEntries(restored),
      "io.max": "8:0 rbps=max wbps=max riops=max wiops=max",
    });
    writeLimits(host, writes, () => undefined, neverCalled);
    assert.deepEqual(read(), {
      "memory.max": String(64 << 20),
      "memory.swap.max": String(32 << 20),
      "memory.low": String(32 << 20),
      "cpu.max": "20000 50000",
      "cpu.max.burst": "1000",
      "cpu.weight": "70",
      "cpu.idle": "0",
      "cpuset.cpus": "0",
      "pids.max": "17",
      "io.max": "8:0 rbps=600",
      "io.weight": "default 1",
      "hugetlb.2MB.max": String(4 << 20),
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
