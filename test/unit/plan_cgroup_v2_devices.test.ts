// SPDX-License-Identifier: Apache-2.0
// The device program, run by an interpreter of the few instructions that it has, against the rules read one by one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { planDeviceProgram } from "../../src/plan/device_program.ts";
import type { DeviceRule } from "../../src/spec/config.ts";

type Device = { type: "b" | "c"; major: number; minor: number };

const bits = { m: 1, r: 2, w: 4 } as const;

/** As the kernel runs the program: the answer for an access. */
function run(program: readonly number[], { type, major, minor }: Device, access: number): number {
  const context = [(access << 16) | (type === "b" ? 1 : 2), major, minor];
  const registers: bigint[] = Array(11).fill(0n);
  for (let pc = 0; pc * 2 < program.length; pc++) {
    const [word = 0, immediate = 0] = program.slice(pc * 2, pc * 2 + 2);
    const opcode = word & 0xff;
    const register = (word >>> 8) & 0xf;
    const offset = word >> 16;
    const operand = BigInt(immediate | 0); // 64-bit instructions extend the sign
    const value = registers[register]!;
    if (opcode === 0x95) return Number(registers[0]);
    else if (opcode === 0x61) {
      assert.equal((word >>> 12) & 0xf, 1, "loads are from the context");
      registers[register] = BigInt(context[offset / 4]!);
    } else if (opcode === 0x57) registers[register] = value & BigInt.asUintN(64, operand);
    else if (opcode === 0x77) registers[register] = value >> operand;
    else if (opcode === 0xb7) registers[register] = operand;
    else if (opcode === 0x05) pc += offset;
    else if (opcode === 0x55) pc += value !== operand ? offset : 0;
    else if (opcode === 0x45) pc += (value & operand) !== 0n ? offset : 0;
    else assert.fail(`opcode 0x${opcode.toString(16)}`);
  }
  return assert.fail("the program has no end");
}

const defaults: DeviceRule[] = [
  { allow: true, type: "c", access: "m" },
  { allow: true, type: "b", access: "m" },
  ...[3, 8, 7, 5, 9].map((minor): DeviceRule => ({ allow: true, type: "c", major: 1, minor, access: "rwm" })),
  { allow: true, type: "c", major: 5, minor: 0, access: "rwm" },
  { allow: true, type: "c", major: 5, minor: 2, access: "rwm" },
  { allow: true, type: "c", major: 136, access: "rwm" },
];

/** The specification, read aloud: in the listed order, each rule sets what it names. */
function evaluate(rules: readonly DeviceRule[], device: Device, access: number): boolean {
  let allowed = 0;
  for (const rule of [...rules, ...defaults]) {
    const { type = "a", major = -1, minor = -1 } = rule;
    if (type !== "a" && type !== device.type) continue;
    if ((major !== -1 && major !== device.major) || (minor !== -1 && minor !== device.minor)) continue;
    let named = 0;
    for (const letter of rule.access ?? "") named |= bits[letter as "r" | "w" | "m"];
    allowed = rule.allow ? allowed | named : allowed & ~named;
  }
  return (access & ~allowed) === 0;
}

/** Every type, number and access that some rule could tell from others. */
function* samples(rules: readonly DeviceRule[]): Generator<[Device, number]> {
  const numbers = (name: "major" | "minor") =>
    new Set([
      0,
      1,
      3,
      5,
      11,
      136,
      4095,
      ...rules.map((rule) => rule[name] ?? 2).filter((number) => number >= 0 && number < 1 << 20),
    ]);
  for (const type of ["b", "c"] as const) {
    for (const major of numbers("major")) {
      for (const minor of numbers("minor")) {
        for (let access = 1; access < 8; access++) yield [{ type, major, minor }, access];
      }
    }
  }
}

function check(rules: readonly DeviceRule[]): void {
  const program = planDeviceProgram(rules);
  for (const [device, access] of samples(rules)) {
    const expected = evaluate(rules, device, access) ? 1 : 0;
    const answer = run(program, device, access);
    assert.equal(answer, expected, `${JSON.stringify({ device, access, rules })}`);
  }
}

// name, rules
const table: [string, DeviceRule[]][] = [
  ["none: the defaults are all there is", []],
  ["deny all", [{ allow: false, access: "rwm" }]],
  ["allow all", [{ allow: true, type: "a", access: "rwm" }]],
  [
    "allow all, then exceptions",
    [
      { allow: true, access: "rwm" },
      { allow: false, type: "c", major: 1, minor: 3, access: "rwm" },
      { allow: false, type: "b", major: 8, access: "w" },
    ],
  ],
  [
    "an exception from a wider rule",
    [
      { allow: true, type: "c", major: 10, access: "rwm" },
      { allow: false, type: "c", major: 10, minor: 229, access: "rwm" },
    ],
  ],
  [
    "read is allowed by one rule, write by another",
    [
      { allow: true, type: "b", major: 8, minor: 0, access: "r" },
      { allow: true, type: "b", major: 8, access: "w" },
    ],
  ],
  [
    "write is taken back",
    [
      { allow: true, type: "c", major: 4, minor: 64, access: "rw" },
      { allow: false, type: "c", major: 4, minor: -1, access: "w" },
    ],
  ],
  [
    "everything of some access",
    [
      { allow: true, type: "a", access: "r" },
      { allow: false, type: "a", major: 7, minor: 1, access: "rm" },
    ],
  ],
  ["numbers that no device has", [{ allow: true, type: "c", major: 4294967295, minor: 2147483648, access: "rwm" }]],
  [
    "a rule for everything in the middle",
    [
      { allow: true, type: "b", major: 8, access: "rwm" },
      { allow: false, type: "a", access: "rwm" },
      { allow: true, type: "b", major: 9, access: "rw" },
    ],
  ],
];

for (const [name, rules] of table) test(`device program: ${name}`, () => check(rules));

test("device program: rules at random", () => {
  let seed = 1;
  const below = (limit: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % limit;
  };
  for (let round = 0; round < 300; round++) {
    const rules = Array.from({ length: below(8) }, (): DeviceRule => {
      const access = [..."rwm"].filter(() => below(3) > 0).join("");
      return {
        allow: below(2) === 0,
        type: (["a", "b", "c"] as const)[below(3)]!,
        major: [-1, 1, 8, 136][below(4)]!,
        minor: [-1, 0, 3][below(3)]!,
        access: access === "" ? "rwm" : access,
      };
    });
    check(rules);
  }
});

/** Walks every way through the program, whatever the registers hold. */
function reach(program: readonly number[]): Set<number> {
  const seen = new Set<number>();
  const open = [0];
  while (open.length > 0) {
    const pc = open.pop()!;
    if (seen.has(pc)) continue;
    assert.ok(pc * 2 < program.length, "no jump leads out");
    seen.add(pc);
    const word = program[pc * 2]!;
    const opcode = word & 0xff;
    assert.ok(word >> 16 >= 0, "no jump leads back");
    if (opcode !== 0x95 && opcode !== 0x05) open.push(pc + 1);
    if (opcode === 0x05 || opcode === 0x55 || opcode === 0x45) open.push(pc + 1 + (word >> 16));
  }
  return seen;
}

test("device program: every instruction can be reached, as the kernel demands", () => {
  for (const [name, rules] of table) {
    const program = planDeviceProgram(rules);
    assert.equal(reach(program).size * 2, program.length, name);
    assert.ok(program.every((word) => Number.isInteger(word) && word >= 0 && word <= 0xffffffff));
  }
});

test("device program: a rule without access is refused", () => {
  assert.throws(() => planDeviceProgram([{ allow: true }]), /devices\[0\]\.access/);
});
