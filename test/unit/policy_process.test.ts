// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Process } from "../../src/spec/config.ts";
import { defaultSpec } from "../../src/spec/default.ts";
import { apply, decisionsOn, denials, specWith } from "./policy_fixture.ts";

function withProcess(changes: Partial<Process>) {
  return specWith({ process: { ...defaultSpec().process, ...changes } });
}

test("capabilities: each that is not granted is dropped from all five sets, and listed", () => {
  const names = ["CAP_KILL", "CAP_NET_RAW", "CAP_SYS_ADMIN"];
  const sets = { bounding: names, effective: names, permitted: names, inheritable: names, ambient: names };
  const none = apply(withProcess({ capabilities: sets }));
  const empty = { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] };
  assert.deepEqual(none.spec.process.capabilities, empty);
  const all = "bounding effective permitted inheritable ambient";
  for (const name of names) {
    const expected = [`dropped: ${all} -> - (grants.capabilities)`];
    assert.deepEqual(decisionsOn(none.decisions, `capability ${name}`), expected);
  }
  assert.deepEqual(denials(none.decisions), []);

  const some = apply(withProcess({ capabilities: { bounding: names, ambient: ["CAP_KILL"] } }), {
    capabilities: ["CAP_KILL", "CAP_CHOWN"],
  });
  assert.deepEqual(some.spec.process.capabilities?.bounding, ["CAP_KILL"]);
  assert.deepEqual(some.spec.process.capabilities?.effective, []);
  const expected = ["granted: bounding ambient -> bounding ambient (grants.capabilities)"];
  assert.deepEqual(decisionsOn(some.decisions, "capability CAP_KILL"), expected);
  assert.deepEqual(decisionsOn(some.decisions, "capability CAP_CHOWN"), []);
});

test("noNewPrivileges is always on", () => {
  for (const asked of [false, true]) {
    const { spec, decisions } = apply(withProcess({ noNewPrivileges: asked }));
    assert.equal(spec.process.noNewPrivileges, true);
    const expected = asked ? [] : ["clamped: false -> true (base: no new privileges)"];
    assert.deepEqual(decisionsOn(decisions, "privilege noNewPrivileges"), expected);
  }
});

test("resource limits: the smaller counts; those that are zero are set in any case", () => {
  const infinity = 18446744073709551615n;
  const { spec, decisions } = apply(
    withProcess({
      rlimits: [
        { type: "RLIMIT_NOFILE", soft: 1024n, hard: 1048576n },
        { type: "RLIMIT_NPROC", soft: infinity, hard: infinity },
        { type: "RLIMIT_MEMLOCK", soft: 65536n, hard: 65536n },
        { type: "RLIMIT_CORE", soft: infinity, hard: infinity },
        { type: "RLIMIT_STACK", soft: infinity, hard: infinity },
      ],
    }),
  );
  assert.deepEqual(spec.process.rlimits, [
    { type: "RLIMIT_NOFILE", soft: 1024n, hard: 4096n },
    { type: "RLIMIT_NPROC", soft: 32n, hard: 32n },
    { type: "RLIMIT_MEMLOCK", soft: 65536n, hard: 65536n },
    { type: "RLIMIT_CORE", soft: 0n, hard: 0n },
    { type: "RLIMIT_STACK", soft: infinity, hard: infinity },
    { type: "RLIMIT_NICE", soft: 0n, hard: 0n },
    { type: "RLIMIT_RTPRIO", soft: 0n, hard: 0n },
  ]);
  assert.deepEqual(decisionsOn(decisions, "rlimit RLIMIT_NOFILE"), [
    "clamped: 1024:1048576 -> 1024:4096 (base: resource limits)",
  ]);
  assert.deepEqual(decisionsOn(decisions, "rlimit RLIMIT_NPROC"), [
    "clamped: unlimited:unlimited -> 32:32 (grants.pids.limit)",
  ]);
  assert.deepEqual(decisionsOn(decisions, "rlimit RLIMIT_MEMLOCK"), []);
});

test("no precedence over others: realtime, negative nice, realtime I/O, OOM score", () => {
  const realtime = apply(
    withProcess({
      scheduler: { policy: "SCHED_FIFO", priority: 10 },
      ioPriority: { class: "IOPRIO_CLASS_RT", priority: 0 },
      oomScoreAdj: -998,
    }),
  );
  assert.equal(realtime.spec.process.scheduler, undefined);
  assert.equal(realtime.spec.process.ioPriority, undefined);
  assert.equal(realtime.spec.process.oomScoreAdj, 0);
  assert.equal(
    apply(withProcess({ scheduler: { policy: "SCHED_OTHER", nice: -5 } })).spec.process.scheduler,
    undefined,
  );
  const modest: Partial<Process> = {
    scheduler: { policy: "SCHED_BATCH", nice: 5 },
    ioPriority: { class: "IOPRIO_CLASS_IDLE", priority: 0 },
    oomScoreAdj: 500,
  };
  const { spec, decisions } = apply(withProcess(modest));
  assert.deepEqual(spec.process.scheduler, modest.scheduler);
  assert.deepEqual(spec.process.ioPriority, modest.ioPriority);
  assert.equal(spec.process.oomScoreAdj, 500);
  assert.deepEqual(
    decisions.filter((decision) => decision.subject.startsWith("priority")),
    [],
  );
});
