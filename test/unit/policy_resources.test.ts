// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { LinuxResources } from "../../src/spec/config.ts";
import { apply, decisionsOn, denials, MiB, specWith } from "./policy_fixture.ts";

function withResources(resources: LinuxResources) {
  return specWith({}, { resources });
}
const bytes = (count: number): bigint => BigInt(count * MiB);

test("memory: the smaller counts, the grant where the bundle has no limit, and never swap", () => {
  for (const [limit, expected, decision] of [
    [undefined, bytes(64), "clamped: no limit -> 64 MiB"],
    [-1n, bytes(64), "clamped: no limit -> 64 MiB"],
    [0n, bytes(64), "clamped: no limit -> 64 MiB"],
    [bytes(65), bytes(64), "clamped: 65 MiB -> 64 MiB"],
    [bytes(64), bytes(64), "granted: 64 MiB -> 64 MiB"],
    [bytes(32), bytes(32), "granted: 32 MiB -> 32 MiB"],
  ] as const) {
    const memory = { ...(limit === undefined ? {} : { limit }), swap: -1n };
    const { resources, decisions } = apply(withResources({ memory }));
    assert.equal(resources.memory?.limit, expected);
    assert.equal(resources.memory?.swap, expected);
    assert.deepEqual(decisionsOn(decisions, "memory limit"), [`${decision} (grants.memory.limitBytes)`]);
    assert.deepEqual(decisionsOn(decisions, "memory swap"), ["clamped: no limit -> none (base: no swap)"]);
  }
  const { resources, decisions } = apply(
    withResources({ memory: { limit: bytes(32), swap: bytes(48), reservation: bytes(40), disableOOMKiller: true } }),
  );
  assert.deepEqual(resources.memory, { limit: bytes(32), swap: bytes(32), reservation: bytes(32) });
  assert.deepEqual(decisionsOn(decisions, "memory swap"), ["clamped: 16 MiB -> none (base: no swap)"]);
  assert.equal(decisionsOn(decisions, "memory disableOOMKiller").length, 1);
  const exact = apply(withResources({ memory: { limit: bytes(8), swap: bytes(8) } }));
  assert.deepEqual(decisionsOn(exact.decisions, "memory swap"), []);
});

test("pids: the smaller counts", () => {
  for (const [limit, expected] of [
    [undefined, 32n],
    [-1n, 32n],
    [0n, 32n],
    [33n, 32n],
    [8n, 8n],
  ] as const) {
    const pids = limit === undefined ? {} : { limit };
    assert.equal(apply(withResources({ pids })).resources.pids?.limit, expected);
  }
});

test("cpu time: the smaller share counts, whatever the period; without a grant it is one CPU", () => {
  const cases = [
    [{}, 100000n, 100000n, "clamped: no limit -> 100 % (base: one CPU)"],
    [{ quota: -1n }, 100000n, 100000n, "clamped: no limit -> 100 % (base: one CPU)"],
    [{ quota: 200000n, period: 100000n }, 100000n, 100000n, "clamped: 200 % -> 100 % (base: one CPU)"],
    [{ quota: 6250n, period: 50000n }, 6250n, 50000n, "granted: 12.5 % -> 12.5 % (base: one CPU)"],
  ] as const;
  for (const [cpu, quota, period, decision] of cases) {
    const { resources, decisions } = apply(withResources({ cpu }));
    assert.deepEqual([resources.cpu?.quota, resources.cpu?.period], [quota, period]);
    assert.deepEqual(decisionsOn(decisions, "cpu time"), [decision]);
  }
  const granted = { cpu: { quotaPercent: 15 } };
  const over = apply(withResources({ cpu: { quota: 8000n, period: 50000n } }), granted);
  assert.deepEqual([over.resources.cpu?.quota, over.resources.cpu?.period], [15000n, 100000n]);
  const within = apply(withResources({ cpu: { quota: 7500n, period: 50000n } }), granted);
  assert.deepEqual([within.resources.cpu?.quota, within.resources.cpu?.period], [7500n, 50000n]);
  const many = apply(withResources({}), { cpu: { quotaPercent: 250 } });
  assert.equal(many.resources.cpu?.quota, 250000n);
  const least = apply(withResources({ cpu: { period: 1000n } }), { cpu: { quotaPercent: 1 } });
  assert.deepEqual([least.resources.cpu?.quota, least.resources.cpu?.period], [1000n, 100000n]);
});

test("cpus: only those that both name; none in common is denied", () => {
  const grants = { cpu: { quotaPercent: 100, cpus: "0-2" } };
  const ask = (cpus?: string) => apply(withResources({ cpu: cpus === undefined ? {} : { cpus } }), grants);
  assert.equal(ask().resources.cpu?.cpus, "0-2");
  assert.equal(ask("").resources.cpu?.cpus, "0-2");
  assert.equal(ask("1-5").resources.cpu?.cpus, "1-2");
  assert.deepEqual(decisionsOn(ask("1-5").decisions, "cpu cpus"), ["clamped: 1-5 -> 1-2 (grants.cpu.cpus)"]);
  assert.deepEqual(decisionsOn(ask("1").decisions, "cpu cpus"), ["granted: 1 -> 1 (grants.cpu.cpus)"]);
  for (const cpus of ["3", "x"]) {
    assert.deepEqual(decisionsOn(ask(cpus).decisions, "cpu cpus"), [`denied: ${cpus} -> 0-2 (grants.cpu.cpus)`]);
    assert.deepEqual(denials(ask(cpus).decisions), ["cpu cpus"]);
  }
});

test("precedence over other apps and raw cgroup files are dropped", () => {
  const { resources, decisions } = apply(
    withResources({
      cpu: { shares: 262144n, burst: 5000n, realtimeRuntime: 950000n, realtimePeriod: 1000000n },
      unified: { "memory.max": "max", "cpu.weight": "10000" },
    }),
  );
  assert.deepEqual(resources.cpu, { shares: 1024n, quota: 100000n, period: 100000n });
  assert.equal("unified" in resources, false);
  const dropped = decisions.filter((decision) => decision.verdict === "dropped").map((decision) => decision.subject);
  for (const subject of ["cpu burst", "cpu realtimeRuntime", "cgroup memory.max", "cgroup cpu.weight"]) {
    assert.ok(dropped.includes(subject), subject);
  }
  assert.equal(apply(withResources({ cpu: { shares: 2n } })).resources.cpu?.shares, 2n);
});
