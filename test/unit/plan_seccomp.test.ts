// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { planSeccomp } from "../../src/plan/seccomp.ts";
import { launch, smallSpec } from "./plan_fixture.ts";

function lower(seccomp: object) {
  return planSeccomp(smallSpec({ linux: { seccomp } }).linux!.seccomp!);
}

test("a filter without rules", () => {
  const plan = { words: [5, 0, 0, 0], strings: [], flags: 0, listener: null };
  assert.deepEqual(lower({ defaultAction: "SCMP_ACT_ALLOW", flags: [] }), plan);
});

test("names stand once; ERRNO and TRACE without a number are EPERM", () => {
  const plan = lower({
    defaultAction: "SCMP_ACT_ERRNO",
    architectures: ["SCMP_ARCH_X86_64"],
    syscalls: [
      { names: ["read", "write"], action: "SCMP_ACT_ALLOW" },
      { names: ["read"], action: "SCMP_ACT_TRACE", args: [{ index: 1, value: 7, op: "SCMP_CMP_GE" }] },
    ],
  });
  assert.deepEqual(plan.strings, ["SCMP_ARCH_X86_64", "read", "write"]);
  assert.deepEqual(plan.words, [3, 1, 1, 0, 2, 5, 0, 2, 1, 2, 0, 4, 1, 1, 1, 1, 1, 5, 7, 0, 0, 0]);
});

test("64-bit values are two words, low first", () => {
  const args = [{ index: 2, value: 18446744073709551615n, valueTwo: 4294967298n, op: "SCMP_CMP_MASKED_EQ" }];
  const { words } = lower({
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["ioctl"], action: "SCMP_ACT_KILL", args }],
  });
  assert.deepEqual(words.slice(-6), [2, 7, 0xffffffff, 0xffffffff, 2, 1]);
});

test("conditions on different arguments are one rule, several on the same argument are alternatives", () => {
  const rules = (args: object[]): number =>
    lower({
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["socket"], action: "SCMP_ACT_LOG", args }],
    }).words[3]!;
  const condition = (index: number, value: number) => ({ index, value, op: "SCMP_CMP_EQ" });
  assert.equal(rules([condition(0, 1), condition(1, 2)]), 1);
  assert.equal(rules([condition(0, 1), condition(0, 2), condition(1, 2)]), 3);
});

test("a rule that says what the default says is there: the profile knows that system call", () => {
  const { words } = lower({
    defaultAction: "SCMP_ACT_ERRNO",
    syscalls: [{ names: ["clone3"], action: "SCMP_ACT_ERRNO" }],
  });
  assert.deepEqual(words, [3, 1, 0, 1, 3, 1, 1, 0, 0]);
});

test("flags: TSYNC says nothing to a process with one thread; without a list, SPEC_ALLOW", () => {
  const allow = { defaultAction: "SCMP_ACT_ALLOW" };
  const flags = ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW"];
  assert.equal(lower({ ...allow, flags }).flags, 0x6);
  assert.equal(lower({ ...allow, flags: [] }).flags, 0);
  assert.equal(lower(allow).flags, 0x4);
});

const notify = {
  defaultAction: "SCMP_ACT_ALLOW",
  listenerPath: "/run/agent.sock",
  syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_NOTIFY" }],
};

test("user notification: a new listener, and who gets it", () => {
  const flags = ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"];
  const plan = lower({ ...notify, flags, listenerMetadata: "pod 7" });
  assert.equal(plan.flags, 0x28);
  assert.deepEqual(plan.listener, { path: "/run/agent.sock", metadata: "pod 7" });
  assert.deepEqual(lower(notify).listener, { path: "/run/agent.sock", metadata: "" });
  assert.equal(lower({ defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/run/agent.sock" }).listener, null);
});

for (const [what, seccomp, message] of [
  ["without a socket", { ...notify, listenerPath: "" }, /\$\.linux\.seccomp\.listenerPath: is not set/],
  [
    "of write, which hands the listener over",
    { ...notify, syscalls: [{ names: ["mkdir", "write"], action: "SCMP_ACT_NOTIFY" }] },
    /\$\.linux\.seccomp\.syscalls\[0\]: SCMP_ACT_NOTIFY cannot be used for the write syscall/,
  ],
  [
    "of everything",
    { ...notify, defaultAction: "SCMP_ACT_NOTIFY" },
    /\$\.linux\.seccomp\.defaultAction: SCMP_ACT_NOTIFY cannot be used as default action/,
  ],
  [
    "that nobody asks for, but a flag for it",
    { ...notify, syscalls: [], flags: ["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"] },
    /\$\.linux\.seccomp\.flags: SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV needs a rule with SCMP_ACT_NOTIFY/,
  ],
] as const) {
  test(`user notification is refused ${what}`, () => {
    assert.throws(() => lower(seccomp), { code: "CONFIG_INVALID", message });
  });
}

test("the filter is loaded last with noNewPrivileges, and before capabilities are given up without", () => {
  const order = (noNewPrivileges: boolean, seccomp: object = { defaultAction: "SCMP_ACT_ALLOW" }): string[] => {
    const linux = { seccomp };
    const plan = launch(smallSpec({ linux, process: { noNewPrivileges } }));
    return plan.operations.map(({ op }) => op);
  };
  const late = order(true);
  assert.deepEqual(late.slice(-4), ["ready", "close_descriptors", "load_seccomp", "exec"]);
  assert.ok(late.includes("no_new_privileges"));
  const early = order(false);
  assert.ok(early.indexOf("load_seccomp") < early.indexOf("limit_capability_bounds"));
  // A profile that is older than close_range(2) would forbid it.
  assert.equal(early.indexOf("close_descriptors"), early.indexOf("load_seccomp") - 1);
  assert.equal(early.filter((op) => op === "close_descriptors").length, 1);
  // An agent has the listener when `create` returns.
  assert.deepEqual(order(true, notify).slice(-4), ["close_descriptors", "load_seccomp", "ready", "exec"]);
});
