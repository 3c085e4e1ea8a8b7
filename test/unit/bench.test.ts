// SPDX-License-Identifier: Apache-2.0
// The parts of the benchmark that decide something.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseTotalCalls } from "../../bench/footprint.ts";
import { parseOptions } from "../../bench/options.ts";
import { quote } from "../../bench/program.ts";
import { formatFailures, formatTable } from "../../bench/report.ts";
import { median, type Row, ratio, summarize } from "../../bench/results.ts";
import { type EngineProfile, resolveProfile } from "../../bench/seccomp.ts";
import { judge } from "../../bench/thresholds.ts";
import { dividePerContainer, takeRounds } from "../../bench/timing.ts";

function row(name: string, unit: Row["unit"], values: Record<string, number>): Row {
  const figures = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, summarize([value])]));
  return { name, title: name, unit, figures };
}

test("median", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 2, 3]), 2.5);
  assert.ok(Number.isNaN(median([])));
});

test("ratio is undefined where a figure is missing", () => {
  const found = row("run", "ms", { edgerun: 4, crun: 8 });
  assert.equal(ratio(found, "edgerun", "crun"), 0.5);
  assert.equal(ratio(found, "edgerun", "runc"), undefined);
  assert.equal(ratio({ ...found, figures: { ...found.figures, crun: { error: "x" } } }, "edgerun", "crun"), undefined);
});

test("takeRounds shifts the turns, and leaves out who failed", async () => {
  const calls: string[] = [];
  const sample = (name: string, failsAt?: number) => {
    let round = 0;
    return async () => {
      calls.push(name);
      if (round++ === failsAt) throw new Error("no more");
      return round;
    };
  };
  const samples = new Map([
    ["a", sample("a")],
    ["b", sample("b", 1)],
  ]);
  const figures = await takeRounds(samples, 3, new AbortController().signal);
  assert.deepEqual(calls, ["a", "b", "b", "a", "a"]);
  assert.deepEqual(figures.a, summarize([1, 2, 3]));
  assert.deepEqual(figures.b, { error: "no more" });
});

test("takeRounds ends when interrupted", async () => {
  const controller = new AbortController();
  const sample = async () => {
    controller.abort(new Error("interrupted"));
    throw new Error("killed");
  };
  await assert.rejects(takeRounds(new Map([["a", sample]]), 3, controller.signal), /interrupted/);
});

test("dividePerContainer", () => {
  assert.deepEqual(dividePerContainer(row("parallel", "ms", { a: 64 })).figures.a, summarize([2]));
});

test("quote: words that a shell reads back", () => {
  assert.equal(quote(["runc", "--root", "/run/x", "it's a b", ""]), `runc --root /run/x 'it'\\''s a b' ''`);
});

test("parseTotalCalls, with and without errors", () => {
  const head = "% time     seconds  usecs/call     calls    errors syscall\n 50.00    0.1    1    12   mount\n";
  assert.equal(parseTotalCalls(`${head}100.00    0.024000          23      1012        81 total\n`), 1012);
  assert.equal(parseTotalCalls(`${head}100.00    0.024000          23      1012           total\n`), 1012);
  assert.throws(() => parseTotalCalls(head));
});

test("resolveProfile takes the rules that hold for the architecture and the capabilities", () => {
  const rule = { action: "SCMP_ACT_ALLOW", args: [] };
  const profile: EngineProfile = {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 38,
    archMap: [{ architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] }],
    syscalls: [
      { ...rule, names: ["read"] },
      { ...rule, names: ["arm_only"], includes: { arches: ["arm"] } },
      { ...rule, names: ["native"], includes: { arches: ["amd64", "x32"] } },
      { ...rule, names: ["not_native"], excludes: { arches: ["amd64"] } },
      { ...rule, names: ["granted"], includes: { caps: ["CAP_KILL"] } },
      { ...rule, names: ["not_granted"], includes: { caps: ["CAP_KILL", "CAP_SYS_ADMIN"] } },
      { ...rule, names: ["without"], excludes: { caps: ["CAP_SYS_ADMIN"] }, errnoRet: 1 },
      { ...rule, names: ["with"], excludes: { caps: ["CAP_KILL"] } },
    ],
  };
  const resolved = resolveProfile(profile, "x64", ["CAP_KILL"]);
  assert.deepEqual(resolved.architectures, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"]);
  assert.deepEqual(
    resolved.syscalls.flatMap(({ names }) => names),
    ["read", "native", "granted", "without"],
  );
  assert.deepEqual(resolved.syscalls.at(-1), { names: ["without"], action: "SCMP_ACT_ALLOW", errnoRet: 1 });
  assert.throws(() => resolveProfile(profile, "mips", []));
});

test("judge: kept, broken, and not measured counts as broken", () => {
  const rows = [
    row("run", "ms", { edgerun: 4, crun: 8, runc: 10 }),
    row("memory_run", "KiB", { edgerun: 4000 }),
    row("memory_exec", "KiB", { edgerun: 9000 }),
    row("size", "bytes", { edgerun: 2_000_000 }),
  ];
  const verdicts = judge(rows, (name) => ["run", "memory", "size", "kill"].includes(name));
  assert.deepEqual(
    verdicts.map(({ value, isKept }) => [value, isKept]),
    [
      [0.5, true],
      [0.4, false],
      [undefined, false],
      [9000, false],
      [2_000_000, true],
    ],
  );
});

test("the table and the failures", () => {
  const failed: Row = { ...row("kill", "ms", { a: 2 }), figures: { a: summarize([2]), b: { error: "it broke" } } };
  const lines = formatTable([row("run", "ms", { a: 4, b: 8, floor: 3 }), failed], ["a", "b"]).split("\n");
  assert.match(lines[1]!, /^time, ms +a +b +floor +a\/b$/);
  assert.match(lines[2]!, /^ {2}run +4\.00 +8\.00 +3\.00 +0\.50$/);
  assert.match(lines[3]!, /^ {2}kill +2\.00 +failed$/);
  assert.deepEqual(formatFailures([failed, { ...failed, name: "kill_any" }]), ["kill: b: it broke"]);
});

test("parseOptions", () => {
  const options = parseOptions(["--runtimes", "mine=/bin/sh,/bin/sh", "--only", "run", "--quick"], ["run"]);
  assert.deepEqual(options.runtimes, [
    { name: "mine", path: "/bin/sh" },
    { name: "sh", path: "/bin/sh" },
  ]);
  assert.deepEqual([options.only, options.rounds, options.check], [["run"], 3, false]);
  assert.throws(() => parseOptions(["--runtimes", "a=/nonexistent"], []), /no program at "\/nonexistent"/);
  assert.throws(() => parseOptions(["--only", "walk"], ["run"]), /unknown measure "walk"/);
  assert.throws(() => parseOptions(["--rounds", "0"], []), /--rounds "0"/);
});
