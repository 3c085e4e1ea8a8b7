// SPDX-License-Identifier: Apache-2.0
// linux.resources.devices as a BPF program (BPF_PROG_TYPE_CGROUP_DEVICE), which is what controls devices on cgroup v2.
//
// The kernel runs the program for each open(2) and mknod(2) of a device; it answers 1 (allow) or 0 (deny). Of the rules
// in order, the last one that names the device and the access decides; so the program has them last to first, and keeps
// in a register what of the asked access is not yet allowed. Any list of rules can be said this way: an exception from
// a wider rule, too, which version 1 can't express.
//
// Instructions are those that every kernel with this program type has (Linux >= 4.15): no 32-bit jumps, no backward
// ones, nothing that can't be reached.
// Source: Documentation/bpf/standardization/instruction-set.rst, struct bpf_cgroup_dev_ctx of include/uapi/linux/bpf.h.
import type { DeviceRule } from "../spec/config.ts";
import { type Access, defaultDeviceRules, parseAccess } from "./device_rules.ts";

// Opcodes: class, source (K: the immediate operand) and operation.
const LOAD_WORD = 0x61; // BPF_LDX | BPF_MEM | BPF_W
const AND = 0x57; // BPF_ALU64 | BPF_AND | BPF_K
const SHIFT_RIGHT = 0x77; // BPF_ALU64 | BPF_RSH | BPF_K
const MOVE = 0xb7; // BPF_ALU64 | BPF_MOV | BPF_K
const JUMP = 0x05; // BPF_JMP | BPF_JA
const JUMP_IF_NOT_EQUAL = 0x55; // BPF_JMP | BPF_JNE | BPF_K
const JUMP_IF_ANY_BIT = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const EXIT = 0x95; // BPF_JMP | BPF_EXIT

// Registers. The kernel has defined the first two.
const VERDICT = 0;
const CONTEXT = 1;
const TYPE = 2;
/** What of the asked access no rule has allowed yet. */
const ACCESS = 3;
const MAJOR = 4;
const MINOR = 5;

// struct bpf_cgroup_dev_ctx: { u32 access_type; u32 major; u32 minor; }, access_type is access << 16 | type.
const ACCESS_TYPE_OFFSET = 0;
const MAJOR_OFFSET = 4;
const MINOR_OFFSET = 8;
const TYPE_BLOCK = 1;
const TYPE_CHARACTER = 2;
const ACCESS_MKNOD = 1;
const ACCESS_READ = 2;
const ACCESS_WRITE = 4;
const ACCESS_ALL = ACCESS_MKNOD | ACCESS_READ | ACCESS_WRITE;

/** An instruction as two words; see planDeviceProgram(). */
type Instruction = readonly [first: number, immediate: number];

/**
 * The program that carries out a bundle's rules: everything is denied, then the rules in order, then the devices that
 * every container has.
 * @returns two words for each instruction: opcode | register << 8 | source register << 12 | jump or offset << 16, and
 * the immediate operand in two's complement
 * @throws CONFIG_INVALID for a rule without access
 */
export function planDeviceProgram(rules: readonly DeviceRule[]): number[] {
  const program: Instruction[] = [
    instruction(LOAD_WORD, TYPE, ACCESS_TYPE_OFFSET, 0, CONTEXT),
    instruction(AND, TYPE, 0, 0xffff),
    instruction(LOAD_WORD, ACCESS, ACCESS_TYPE_OFFSET, 0, CONTEXT),
    instruction(SHIFT_RIGHT, ACCESS, 0, 16),
    instruction(LOAD_WORD, MAJOR, MAJOR_OFFSET, 0, CONTEXT),
    instruction(LOAD_WORD, MINOR, MINOR_OFFSET, 0, CONTEXT),
  ];
  const compiled = [
    ...rules.map((rule, index) => compileRule(rule, `linux.resources.devices[${index}]`)),
    ...defaultDeviceRules.map((rule) => compileRule(rule, "linux.resources.devices")),
  ];
  // What comes before a rule for everything can't count, and the kernel refuses code that can't be reached.
  const first = compiled.findLastIndex(({ decidesAll }) => decidesAll);
  for (const { code } of compiled.slice(Math.max(first, 0)).reverse()) program.push(...code);
  if (first < 0) program.push(...verdict(false));
  return program.flat();
}

type CompiledRule = { code: Instruction[]; decidesAll: boolean };

/** The rule's decision, behind jumps past it for devices that it does not name. */
function compileRule(rule: DeviceRule, jsonPath: string): CompiledRule {
  const access = accessBits(parseAccess(rule.access ?? "", jsonPath));
  const decision = rule.allow ? allow(access) : deny(access);
  const conditions = conditionsOf(rule);
  const total = conditions.length + decision.length;
  const jumps = conditions.map(([register, value], index) =>
    instruction(JUMP_IF_NOT_EQUAL, register, total - index - 1, value),
  );
  return { code: [...jumps, ...decision], decidesAll: conditions.length === 0 && access === ACCESS_ALL };
}

/** What must be equal for a rule to name a device. A number beyond the kernel's 12 and 20 bits names none. */
function conditionsOf({ type = "a", major = -1, minor = -1 }: DeviceRule): [register: number, value: number][] {
  const conditions: [number, number][] = [];
  if (type !== "a") conditions.push([TYPE, type === "b" ? TYPE_BLOCK : TYPE_CHARACTER]);
  if (major !== -1) conditions.push([MAJOR, major]);
  if (minor !== -1) conditions.push([MINOR, minor]);
  return conditions;
}

function accessBits({ r, w, m }: Access): number {
  return (r ? ACCESS_READ : 0) | (w ? ACCESS_WRITE : 0) | (m ? ACCESS_MKNOD : 0);
}

/** Takes the access off what is still to be allowed; nothing left is the answer. */
function allow(access: number): Instruction[] {
  if (access === ACCESS_ALL) return verdict(true);
  return [
    instruction(AND, ACCESS, 0, ACCESS_ALL & ~access),
    instruction(JUMP_IF_NOT_EQUAL, ACCESS, 2, 0),
    ...verdict(true),
  ];
}

function deny(access: number): Instruction[] {
  if (access === ACCESS_ALL) return verdict(false);
  return [instruction(JUMP_IF_ANY_BIT, ACCESS, 1, access), instruction(JUMP, 0, 2, 0), ...verdict(false)];
}

function verdict(allowed: boolean): Instruction[] {
  return [instruction(MOVE, VERDICT, 0, allowed ? 1 : 0), instruction(EXIT, 0, 0, 0)];
}

/** `offset`: how many instructions a jump leaves out, or where in memory a load begins. */
function instruction(opcode: number, register: number, offset: number, immediate: number, source = 0): Instruction {
  return [(opcode | (register << 8) | (source << 12) | (offset << 16)) >>> 0, immediate >>> 0];
}
