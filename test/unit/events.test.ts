// SPDX-License-Identifier: Apache-2.0
// `events` on a host whose time and cgroup v2 files are made up.
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeHostError } from "../../src/host/error.ts";
import type { Host } from "../../src/host/functions.ts";
import { events } from "../../src/lifecycle/events.ts";
import type { Context } from "../../src/lifecycle/options.ts";

const memoryFd = 50;
const processFd = 51;

const record = {
  version: 1,
  id: "x",
  ociVersion: "1.3.0",
  bundle: "/b",
  rootfs: "/b/r",
  created: "2026-01-01T00:00:00Z",
  owner: 0,
  bootId: "boot",
  phase: "created",
  pid: 9,
  startTime: 1,
  sharesPidNamespace: false,
  noNewKeyring: false,
  cgroups: ["/sys/fs/cgroup/x"],
  freezer: "",
  poststart: [],
  poststop: [],
  annotations: {},
  manifestDigest: "",
  manifestKeyIds: [],
};

type Step = { after: number; ready?: number; files?: { [file: string]: string } };

/** Each step: how long awaitReadable() takes, which descriptor is then ready, and what has changed. */
function run(steps: Step[], options: { intervalMs?: number; stats?: boolean; hasMemory?: boolean } = {}) {
  let milliseconds = 1_000_000;
  const files: { [path: string]: string } = {
    "/proc/self/cgroup": "0::/\n",
    "/proc/self/mountinfo": "1 1 0:1 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
    "/proc/self/uid_map": "0 0 4294967295\n",
    "/proc/sys/kernel/random/boot_id": "boot\n",
    "/sys/fs/cgroup/x/memory.events": "low 0\noom_kill 2\n",
    "/sys/fs/cgroup/x/pids.current": "3\n",
  };
  const lines: string[] = [];
  const waits: number[] = [];
  const errors: string[] = [];
  const host = {
    readJson: () => ({ ...record }),
    processInfo: () => [1, "S".charCodeAt(0), 1],
    fileInfo: () => null,
    readFile: (path: string) => files[path] ?? "",
    readFileIfExists: (path: string) => files[path] ?? null,
    openProcess: () => processFd,
    watchOutOfMemory() {
      if (options.hasMemory === false) throw makeHostError("watch", "ENOENT");
      return memoryFd;
    },
    drain: (fd: number) => assert.equal(fd, memoryFd),
    clock: () => [Math.floor(milliseconds / 1000), (milliseconds % 1000) * 1e6],
    awaitReadable(fds: readonly number[], timeoutMs: number) {
      waits.push(timeoutMs);
      const { after, ready, files: changed } = steps.shift()!;
      milliseconds += Math.min(after, timeoutMs);
      for (const [file, text] of Object.entries(changed ?? {})) files[`/sys/fs/cgroup/x/${file}`] = text;
      return ready === undefined ? -1 : fds.indexOf(ready);
    },
    writeFd: (_: number, text: string) => lines.push(text),
  } as unknown as Host;
  const log = { error: (message: string) => errors.push(message), warn: assert.fail, debug: assert.fail };
  const context = { host, root: "/run/x", log } as unknown as Context;
  const { intervalMs = 1000, stats = false } = options;
  assert.equal(events(context, { id: "x", intervalMs, stats }), 0);
  assert.deepEqual(steps, [], "every step was taken");
  return { events: lines.map((line) => JSON.parse(line)), lines, waits, errors };
}

const types = (result: { events: { type: string }[] }) => result.events.map(({ type }) => type);

test("--stats prints one line and waits for nothing", () => {
  const { lines, events: printed } = run([], { stats: true });
  assert.equal(lines.length, 1);
  assert.ok(lines[0]!.endsWith("}\n"));
  assert.deepEqual([printed[0].type, printed[0].id, printed[0].data.pids.current], ["stats", "x", 3]);
});

test("statistics come once an interval, whatever else happens in it", () => {
  const result = run([
    { after: 1000 },
    { after: 300, ready: memoryFd },
    { after: 5000 },
    { after: 10, ready: processFd },
  ]);
  assert.deepEqual(result.waits, [1000, 1000, 700, 1000]);
  assert.deepEqual(types(result), ["stats", "stats"]);
});

test("a process that was killed for want of memory is an event of its own, each time", () => {
  const oom = (count: number) => ({ "memory.events": `low 9\noom_kill ${count}\n` });
  const result = run([
    { after: 1, ready: memoryFd, files: oom(2) },
    { after: 1, ready: memoryFd, files: oom(3) },
    { after: 1, ready: memoryFd, files: oom(3) },
    { after: 1, ready: memoryFd, files: oom(5) },
    { after: 1, ready: processFd },
  ]);
  assert.deepEqual(result.lines, ['{"type":"oom","id":"x"}\n', '{"type":"oom","id":"x"}\n']);
});

test("without the memory controller there are still statistics", () => {
  assert.deepEqual(types(run([{ after: 1000 }, { after: 1, ready: processFd }], { hasMemory: false })), ["stats"]);
});

test("statistics that can't be read are an error in the log, and the stream goes on", () => {
  const result = run([
    { after: 1000, files: { "pids.current": "x\n" } },
    { after: 1000, files: { "pids.current": "4\n" } },
    { after: 1, ready: processFd },
  ]);
  assert.match(result.errors.join(), /unexpected text in pids\.current/);
  assert.deepEqual(types(result), ["stats"]);
});

test("an interval may be shorter than a millisecond", () => {
  assert.deepEqual(run([{ after: 1 }, { after: 1, ready: processFd }], { intervalMs: 0.001 }).waits, [1, 1]);
});
