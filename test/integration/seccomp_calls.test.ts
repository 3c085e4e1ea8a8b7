// SPDX-License-Identifier: Apache-2.0
// Seccomp filters and system calls that no program of the root file system makes: by number, of other modes of the
// processor, with 64-bit arguments.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { defaultConfig, type Seccomp, setScript } from "./support/config.ts";
import { rootfsWith } from "./support/programs.ts";
import { lacking } from "./support/runtime.ts";
import { engineProfile, resolveProfile } from "./support/seccomp.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const rootfs = rootfsWith(ws, "call");
const onX86 = process.arch === "x64" ? {} : { skip: `x32 and i386 are modes of x86-64, not of ${process.arch}` };
const needsProfile = existsSync(engineProfile) ? {} : { skip: `no ${engineProfile}` };
/** No kernel has it, on any architecture. */
const newest = 1000;

function run(seccomp: Seccomp, script: string) {
  return ws.runScript(script, (config) => {
    config.root.path = rootfs;
    config.linux.seccomp = seccomp;
  });
}

// kexec_load, which the engines' profile does not allow to anyone here.
const refused = { native: process.arch === "x64" ? 246 : 104, x32: 528, i386: 283 };

function strictProfile(): Seccomp {
  const architectures = process.arch === "x64" ? ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"] : [];
  const { syscalls = [] } = resolveProfile(engineProfile, []);
  return { defaultAction: "SCMP_ACT_ERRNO", architectures, syscalls };
}

for (const mode of ["native", "x32", "i386"] as const) {
  const options = { ...needsProfile, ...(mode === "native" ? {} : onX86), ...lacking({ crun: "EPERM for all" }) };
  test(`${mode}: a call newer than the profile is unknown (ENOSYS), an older one refused (EPERM)`, options, () => {
    const { stdout } = run(strictProfile(), `call ${mode} ${newest}; call ${mode} ${refused[mode]}`);
    assert.equal(stdout, "errno 38\nerrno 1\n");
  });
}

test("where the profile allows by default, newer calls are the kernel's business", () => {
  const { stdout } = run({ defaultAction: "SCMP_ACT_LOG", syscalls: [] }, `call native ${newest}`);
  assert.equal(stdout, "errno 38\n");
});

test("a call of an architecture that is not listed ends the process", onX86, () => {
  const profile = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["sethostname"], action: "SCMP_ACT_ERRNO" }],
  };
  const [getpid, getpidOfI386] = [39, 20];
  assert.equal(run(profile, `call i386 ${getpidOfI386}; exit $?`).status, 128 + 31);
  assert.equal(run(profile, `call x32 ${getpid}; exit $?`).status, 128 + 31);
  assert.equal(run(profile, `call native ${getpid} >/dev/null; exit $?`).status, 0);
});

const high = 1n << 40n;

/** Which of three offsets of lseek(2) a comparison meets: X for each, - for the others. */
function findRefused(op: string, value: bigint, valueTwo = 0n): string {
  const lseek = process.arch === "x64" ? 8 : 62;
  const config = defaultConfig(ws.newId(), rootfs);
  setScript(config, `for offset in 7 ${high + 7n} ${high}; do call native ${lseek} 99 $offset 0; done`);
  config.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [] };
  // As text: JavaScript has no such numbers.
  const argument = `{"index":1,"op":"${op}","value":${value},"valueTwo":${valueTwo}}`;
  const rule = `{"names":["lseek"],"action":"SCMP_ACT_ERRNO","errnoRet":18,"args":[${argument}]}`;
  const text = JSON.stringify(config).replace('"syscalls":[]', `"syscalls":[${rule}]`);
  const { stdout } = ws.rawBundle(text).run();
  // 99 is no descriptor: what gets through is EBADF (9).
  return stdout.replaceAll("errno 9\n", "-").replaceAll("errno 18\n", "X");
}

const in64Bits = process.arch === "arm" ? { skip: "arguments have 32 bits on arm" } : {};
for (const [op, value, valueTwo, met] of [
  ["SCMP_CMP_EQ", 7n, 0n, "X--"],
  ["SCMP_CMP_EQ", high + 7n, 0n, "-X-"],
  ["SCMP_CMP_NE", high, 0n, "XX-"],
  ["SCMP_CMP_GE", high, 0n, "-XX"],
  ["SCMP_CMP_GT", high, 0n, "-X-"],
  ["SCMP_CMP_LT", high, 0n, "X--"],
  ["SCMP_CMP_LE", high, 0n, "X-X"],
  ["SCMP_CMP_MASKED_EQ", high, high, "-XX"],
  ["SCMP_CMP_MASKED_EQ", 0xffffffffffffffffn, high, "--X"],
] as const) {
  test(`${op} ${value}, ${valueTwo} compares all 64 bits`, in64Bits, () => {
    assert.equal(findRefused(op, value, valueTwo), met);
  });
}
