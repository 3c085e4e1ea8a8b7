// SPDX-License-Identifier: Apache-2.0
// linux.resources, the rarer ones, on cgroup version 1: read back from the controllers' files.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import type { Change } from "./support/config.ts";
import { execute } from "./support/process.ts";
import { lacking, runtimePath } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const needs = (file: string) =>
  existsSync(file) ? lacking({ crun: "refuses hybrid hosts" }) : { skip: `this kernel or host has no ${file}` };
const resources =
  (values: object): Change =>
  (config) => {
    Object.assign(config.linux.resources!, values);
  };

/** A file of the container's cgroup in a hierarchy. */
function read(controller: string, file: string, values: object): string {
  const c = ws.running(resources(values));
  return readFileSync(`/sys/fs/cgroup/${controller}/${c.id}/${file}`, "utf8").trim();
}

for (const [property, file] of [
  ["throttleReadBpsDevice", "read_bps"],
  ["throttleWriteBpsDevice", "write_bps"],
  ["throttleReadIOPSDevice", "read_iops"],
  ["throttleWriteIOPSDevice", "write_iops"],
] as const) {
  const path = `blkio.throttle.${file}_device`;
  test(`blockIO.${property}`, needs(`/sys/fs/cgroup/blkio/${path}`), () => {
    const image = ws.newFile("x".repeat(1 << 16));
    const device = execute("losetup", ["--find", "--show", image]).stdout.trim();
    try {
      const minor = Number(device.slice("/dev/loop".length));
      const values = { blockIO: { [property]: [{ major: 7, minor, rate: 12345 }] } };
      assert.equal(read("blkio", path, values), `7:${minor} 12345`);
    } finally {
      execute("losetup", ["--detach", device]);
    }
  });
}

test("cpu.burst", needs("/sys/fs/cgroup/cpu/cpu.shares"), () => {
  const values = { cpu: { quota: 50_000, period: 100_000, burst: 20_000 } };
  assert.equal(read("cpu", "cpu.cfs_burst_us", values), "20000");
});

test("cpu.idle", needs("/sys/fs/cgroup/cpu/cpu.shares"), () => {
  assert.equal(read("cpu", "cpu.idle", { cpu: { idle: 1 } }), "1");
});

test("cpu.realtimeRuntime and realtimePeriod", needs("/sys/fs/cgroup/cpu/cpu.rt_runtime_us"), () => {
  const cpu = { realtimeRuntime: 5000, realtimePeriod: 500_000 };
  assert.equal(read("cpu", "cpu.rt_runtime_us", { cpu }), "5000");
  assert.equal(read("cpu", "cpu.rt_period_us", { cpu }), "500000");
});

/** What a container prints that runs where these controllers are mounted, in a mount namespace of its own. */
function withControllers(controllers: string, script: string, values: object): string {
  const directory = ws.newDirectory();
  const c = ws.script(
    script.replaceAll("DIRECTORY", directory.slice(directory.lastIndexOf("/") + 1)),
    resources(values),
  );
  const run = [runtimePath, ...ws.globalFlags, "run", "--bundle", c.directory, c.id];
  const mount = `mount -t cgroup -o ${controllers} none "$0" && exec "$@"`;
  const result = execute("unshare", ["--mount", "--propagation", "private", "sh", "-c", mount, directory, ...run]);
  assert.equal(result.status, 0, result.stderr);
  return result.stdout.trimEnd();
}

const hasController = (name: string) => new RegExp(`^${name}\\s`, "m").test(readFileSync("/proc/cgroups", "utf8"));

for (const [name, values, file, shown] of [
  ["net_cls", { network: { classID: 1048577 } }, "net_cls.classid", "1048577"],
  ["net_prio", { network: { priorities: [{ name: "lo", priority: 7 }] } }, "net_prio.ifpriomap", "lo 7"],
] as const) {
  const skip = hasController(name) ? lacking({ crun: "refuses hybrid hosts" }) : { skip: `this kernel has no ${name}` };
  test(`network: ${file}`, skip, () => {
    const output = withControllers(name, `grep . /sys/fs/cgroup/DIRECTORY/${file}`, values);
    assert.ok(output.split("\n").includes(shown), output);
  });
}

test("a limit whose controller this host does not have is refused by name", lacking({ crun: "says less" }), () => {
  for (const [name, values] of [
    ["rdma", { rdma: { mlx5_1: { hcaHandles: 3 } } }],
    ["network.classID", { network: { classID: 1 } }],
    ["network.priorities", { network: { priorities: [{ name: "lo", priority: 1 }] } }],
  ] as const) {
    const c = ws.bundle(resources(values));
    const result = c.create();
    if (result.status === 0) continue; // this host has it
    assert.match(result.stderr, new RegExp(`\\$\\.linux\\.resources\\.${name}: this host has no cgroup controller`));
  }
  ws.assertNothingLeft();
});
