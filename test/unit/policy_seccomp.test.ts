// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Seccomp } from "../../src/spec/config.ts";
import { apply, decisionsOn, denials, specWith } from "./policy_fixture.ts";

const filter = (action: "SCMP_ACT_NOTIFY" | "SCMP_ACT_ERRNO"): Seccomp => ({
  defaultAction: "SCMP_ACT_ALLOW",
  listenerPath: "/run/agent.sock",
  syscalls: [{ names: ["mkdir"], action }],
});

test("an agent that answers system calls is denied; a filter stays as it is, and its unused agent counts for nothing", () => {
  const asked = apply(specWith({}, { seccomp: filter("SCMP_ACT_NOTIFY") }));
  const subject = "seccomp SCMP_ACT_NOTIFY";
  assert.deepEqual(decisionsOn(asked.decisions, subject), ["denied: /run/agent.sock -> - (base: no seccomp agent)"]);
  const plain = apply(specWith({}, { seccomp: filter("SCMP_ACT_ERRNO") }));
  assert.deepEqual(denials(plain.decisions), []);
  assert.deepEqual(plain.linux.seccomp, filter("SCMP_ACT_ERRNO"));
});
