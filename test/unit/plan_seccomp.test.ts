// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { planSeccomp } from "../../src/plan/seccomp.ts";
import { launch, smallSpec } from "./plan_fixture.ts";

function lower(seccomp: object) {
  return planSeccomp(smallSpec({ linux: { seccomp } }).linux!.seccomp!);
}

test("a filter without rules", () => {
  assert.deepEqual(lower({ defaultAction: "SCMP_ACT_ALLOW" }), { words: [5, 0, 0, 0], strings: [], flags: 0 });
});

test("names stand once; ERRNO without a number is EPERM, TRACE is 0", () => {
  const plan = lower({
    defaultAction: "SCMP_ACT_ERRNO",
    architectures: ["SCMP_ARCH_X86_64"],
    syscalls: [
      { names: ["read", "write"], action: "SCMP_ACT_ALLOW" },
      { names: ["read"], action: "SCMP_ACT_TRACE", args: [{ index: 1, value: 7, op: "SCMP_CMP_GE" }] },
    ],
  });
  assert.deepEqual(plan.strings, ["SCMP_ARCH_X86_64", "read", "write"]);
  assert.deepEqual(plan.words, [3, 1, 1, 0, 2, 5, 0, 2, 1, 2, 0, 4, 0, 1, 1, 1, 1, 5, 7, 0, 0, 0]);
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

test("a rule that says what the default says is left out; another errno is another action", () => {
  const count = (action: string, errnoRet?: number): number =>
    lower({
      defaultAction: "SCMP_ACT_ERRNO",
      syscalls: [{ names: ["clone3"], action, ...(errnoRet === undefined ? {} : { errnoRet }) }],
    }).words[3]!;
  assert.equal(count("SCMP_ACT_ERRNO"), 0);
  assert.equal(count("SCMP_ACT_ERRNO", 1), 0);
  assert.equal(count("SCMP_ACT_ERRNO", 38), 1);
});

test("flags", () => {
  const flags = [
    "SECCOMP_FILTER_FLAG_TSYNC",
    "SECCOMP_FILTER_FLAG_LOG",
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
  ];
  assert.equal(lower({ defaultAction: "SCMP_ACT_ALLOW", flags }).flags, 0x27);
});

test("user notification is refused", () => {
  assert.throws(() => lower({ defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/run/x" }), { code: "UNSUPPORTED" });
  const syscalls = [{ names: ["mkdir"], action: "SCMP_ACT_NOTIFY" }];
  assert.throws(() => lower({ defaultAction: "SCMP_ACT_ALLOW", syscalls }), /syscalls\[0\]\.action/);
});

test("the filter is loaded last with noNewPrivileges, and before capabilities are given up without", () => {
  const order = (noNewPrivileges: boolean): string[] => {
    const linux = { seccomp: { defaultAction: "SCMP_ACT_ALLOW", flags: ["SECCOMP_FILTER_FLAG_LOG"] } };
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
});
