// SPDX-License-Identifier: Apache-2.0
// What must hold of everything that the policy lets through, whatever the bundle asked for. Written from
// docs/manifest.md, not from src/policy.
import assert from "node:assert/strict";
import type { Grants } from "../../src/manifest/schema.ts";
import type { Operation, OperationName } from "../../src/plan/operations.ts";
import type { LaunchPlan } from "../../src/plan/plan.ts";
import { isEngineFile } from "../../src/policy/engine_files.ts";
import type { HostView } from "../../src/policy/host_view.ts";
import { capabilityNames } from "../../src/spec/capabilities.ts";
import type { DeviceRule, Linux, Mount, Process, Spec } from "../../src/spec/config.ts";

/** The default devices: type, major, minor ("*": all). */
const baseDevices = ["c 1:3", "c 1:5", "c 1:7", "c 1:8", "c 1:9", "c 5:0", "c 5:2", "c 136:*"];
/** File systems that need no grant, where they belong. */
const baseMounts: { readonly [destination: string]: readonly string[] } = {
  "/proc": ["proc"],
  "/sys": ["sysfs"],
  "/sys/fs/cgroup": ["cgroup", "cgroup2"],
  "/dev": ["tmpfs"],
  "/dev/pts": ["devpts"],
  "/dev/mqueue": ["mqueue"],
};

/** Fails if an effective spec that was not denied goes beyond the grants. */
export function assertSpecGranted(spec: Spec, grants: Grants, view: HostView): void {
  const linux = spec.linux ?? {};
  checkProcess(spec.process, grants);
  checkResources(linux, grants);
  checkNamespaces(linux, grants);
  for (const rule of linux.resources?.devices ?? []) checkDeviceRule(rule, grants, view);
  for (const mount of spec.mounts ?? []) checkMount(mount, grants);
  for (const { type, major = 0, minor = 0 } of linux.devices ?? []) {
    if (type === "p") continue;
    const rule: DeviceRule = { allow: true, type: type === "b" ? "b" : "c", major, minor, access: "" };
    checkDeviceRule(rule, grants, view);
  }
  assert.equal(linux.netDevices, undefined);
  assert.ok(linux.rootfsPropagation !== "shared" && linux.rootfsPropagation !== "rshared");
}

function checkProcess(process: Process, grants: Grants): void {
  assert.equal(process.noNewPrivileges, true);
  for (const set of ["bounding", "effective", "permitted", "inheritable", "ambient"] as const) {
    for (const name of process.capabilities?.[set] ?? [])
      assert.ok(grants.capabilities?.includes(name), `${set} ${name}`);
  }
  for (const { type, soft, hard } of process.rlimits ?? []) {
    if (["RLIMIT_CORE", "RLIMIT_NICE", "RLIMIT_RTPRIO"].includes(type)) assert.deepEqual([soft, hard], [0n, 0n], type);
    if (type === "RLIMIT_NPROC") assert.ok(hard <= BigInt(grants.pids.limit));
  }
  assert.ok((process.oomScoreAdj ?? 0) >= 0);
  assert.ok(!["SCHED_FIFO", "SCHED_RR", "SCHED_DEADLINE"].includes(process.scheduler?.policy ?? ""));
  assert.ok((process.scheduler?.nice ?? 0) >= 0);
}

function checkResources({ resources = {} }: Linux, grants: Grants): void {
  const { memory = {}, pids, cpu = {} } = resources;
  const limit = memory.limit ?? -1n;
  assert.ok(limit > 0n && limit <= BigInt(grants.memory.limitBytes), `memory ${limit}`);
  assert.equal(memory.swap, limit);
  assert.ok(memory.disableOOMKiller !== true);
  const most = pids?.limit ?? -1n;
  assert.ok(most > 0n && most <= BigInt(grants.pids.limit), `pids ${most}`);
  const quota = cpu.quota ?? -1n;
  assert.ok(
    quota > 0n && quota * 100n <= BigInt(grants.cpu?.quotaPercent ?? 100) * (cpu.period ?? 100_000n),
    `quota ${quota}`,
  );
  assert.equal(cpu.realtimeRuntime, undefined);
  assert.equal(resources.unified, undefined);
}

function checkNamespaces({ namespaces = [] }: Linux, grants: Grants): void {
  for (const type of ["pid", "mount", "ipc", "uts", "cgroup"] as const) {
    const entries = namespaces.filter((one) => one.type === type);
    assert.ok(entries.length > 0 && entries.every(({ path }) => path === undefined), `namespace ${type}`);
  }
  const { mode, path } = grants.network ?? { mode: "none" };
  const networks = namespaces.filter(({ type }) => type === "network");
  if (networks.length === 0) assert.equal(mode, "host");
  for (const network of networks) {
    if (network.path === undefined) continue;
    assert.equal(mode, "namespace");
    assert.ok(path === undefined || path === network.path);
  }
}

function checkDeviceRule(
  { allow, type, major, minor, access = "rwm" }: DeviceRule,
  grants: Grants,
  view: HostView,
): void {
  if (!allow || baseDevices.includes(`${type} ${major}:${minor}`) || baseDevices.includes(`${type} ${major}:*`)) return;
  const device = view.devices.find((one) => one.type === type && one.major === major && one.minor === minor);
  const grant = grants.devices?.find(({ path }) => path === device?.path);
  assert.ok(grant !== undefined, `device ${type} ${major}:${minor}`);
  for (const letter of access) assert.ok(grant.access.includes(letter), `access ${access}`);
}

function checkMount({ destination, type = "", source, options = [] }: Mount, grants: Grants): void {
  assert.ok(!options.includes("shared") && !options.includes("rshared"));
  if (type === "bind" || options.includes("bind") || options.includes("rbind")) {
    const grant = grants.mounts?.find((one) => one.source === source && one.destination === destination);
    assert.ok(grant !== undefined || isEngineFile(source ?? "", destination), `mount ${source} on ${destination}`);
    for (const option of ["nosuid", "nodev", ...(grant?.access === "ro" ? ["ro", "rro"] : [])]) {
      assert.ok(options.includes(option), `${option} on ${destination}`);
    }
    for (const option of ["suid", "dev", ...(grant?.access === "ro" ? ["rw", "rrw"] : [])])
      assert.ok(!options.includes(option));
    return;
  }
  if (baseMounts[destination]?.includes(type)) return;
  assert.equal(type, "tmpfs", `mount of ${type} on ${destination}`);
  const sizes = options.filter((option) => option.startsWith("size=") || option.startsWith("nr_blocks="));
  assert.equal(sizes.length, 1);
  assert.ok(BigInt(sizes[0]!.slice("size=".length)) <= BigInt(grants.memory.limitBytes), sizes[0]);
}

/** Fails if the operations of a plan give more capabilities than the grants, or leave out a step that takes away. */
export function assertPlanGranted(plan: LaunchPlan, grants: Grants): void {
  const granted = maskOf(grants.capabilities ?? []);
  const bounds = one(plan, "limit_capability_bounds");
  const sets = one(plan, "set_capabilities");
  for (const mask of [bounds.bounding, sets.effective, sets.permitted, sets.inheritable, sets.ambient]) {
    assert.equal(BigInt(mask) & ~granted, 0n, `capabilities ${mask.toString(16)}`);
  }
  one(plan, "no_new_privileges");
  one(plan, "pivot_root");
}

function one<N extends OperationName>(plan: LaunchPlan, name: N): Extract<Operation, { op: N }> {
  const found = plan.operations.filter(
    (operation): operation is Extract<Operation, { op: N }> => operation.op === name,
  );
  assert.equal(found.length, 1, name);
  return found[0]!;
}

function maskOf(names: readonly string[]): bigint {
  return names.reduce((mask, name) => mask | (1n << BigInt(capabilityNames.indexOf(name))), 0n);
}
