// SPDX-License-Identifier: Apache-2.0
// events: the figures are the kernel's, the shape is runc's, and the stream tells of processes that ran out of memory.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Config, Resources } from "./support/config.ts";
import type { Container } from "./support/container.ts";
import { callHost, hostNames, launchHost, twoHosts } from "./support/hosts.ts";
import { eventually, execute } from "./support/process.ts";
import { expected, lacking } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const hierarchy = (controller: string) => `/sys/fs/cgroup/${controller}`;
const onV1 = existsSync(join(hierarchy("memory"), "memory.limit_in_bytes"))
  ? lacking({ crun: "has no events" })
  : { skip: "no memory controller on cgroup v1" };
const resources = (values: Resources) => (config: Config) => {
  Object.assign(config.linux.resources!, values);
};
const read = (c: Container, controller: string, file: string) =>
  readFileSync(join(hierarchy(controller), c.id, file), "utf8").trim();

// biome-ignore lint/suspicious/noExplicitAny: what a test reads of it is what it tests
type Event = { type: string; id: string; data?: any };
const parse = (text: string): Event[] =>
  text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line));

/** Every path to a value, without the names that differ between kernels and moments. */
function shapeOf(value: unknown, path = ""): string[] {
  if (Array.isArray(value)) return [`${path}[]`];
  if (typeof value !== "object" || value === null) return [`${path}:${value === null ? "null" : typeof value}`];
  const entries = Object.entries(value);
  return entries.length === 0 ? [`${path}{}`] : entries.flatMap(([name, one]) => shapeOf(one, `${path}.${name}`));
}

test("events --stats prints one line, in runc's shape and order", onV1, () => {
  const c = ws.running(resources({ pids: { limit: 50 } }));
  const { stdout } = c.succeed("events", "--stats", c.id);
  assert.match(stdout, /^[^\n]+\n$/);
  const [event] = parse(stdout);
  assert.deepEqual([event!.type, event!.id], ["stats", c.id]);
  const { raw, ...memory } = event!.data.memory;
  delete memory.cache; // left out when it is 0
  assert.ok(Object.keys(raw).length > 10);
  assert.deepEqual(Object.keys(raw), Object.keys(raw).sort());
  assert.deepEqual(shapeOf({ ...event!.data, memory, hugetlb: {}, blkio: {} }), [
    ".cpu.usage.total:number",
    ".cpu.usage.percpu[]",
    ".cpu.usage.percpu_kernel[]",
    ".cpu.usage.percpu_user[]",
    ".cpu.usage.kernel:number",
    ".cpu.usage.user:number",
    ".cpu.throttling{}",
    ".cpuset.cpus[]",
    ".cpuset.cpu_exclusive:number",
    ".cpuset.mems[]",
    ...["mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page", "memory_spread_slab"].map(
      (name) => `.cpuset.${name}:number`,
    ),
    ...["memory_pressure", "sched_load_balance", "sched_relax_domain_level"].map((name) => `.cpuset.${name}:number`),
    ...["usage", "swap", "kernel"].flatMap((kind) =>
      ["limit", "usage", "max", "failcnt"].map((name) => `.memory.${kind}.${name}:number`),
    ),
    ".memory.kernelTCP.limit:number",
    ".memory.kernelTCP.failcnt:number",
    ".pids.current:number",
    ".pids.limit:number",
    ".blkio{}",
    ".hugetlb{}",
    ".intel_rdt{}",
    ".network_interfaces:null",
  ]);
});

test("the figures are those of the container's cgroups", onV1, () => {
  const c = ws.script(
    "dd if=/dev/zero of=/volume/x bs=1M count=8; sleep 1000 & while :; do sleep 1000; done",
    (config) => {
      resources({ memory: { limit: 64 << 20 }, pids: { limit: 50 }, cpu: { cpus: "0" } })(config);
      config.mounts.push({ destination: "/volume", type: "tmpfs", source: "tmpfs" });
    },
  );
  c.succeed("run", "--detach", "--bundle", c.directory, c.id);
  const stats = () => parse(c.succeed("events", "--stats", c.id).stdout)[0]!.data;
  const settled = () => stats().memory.usage.usage >= 8 << 20 && stats().pids.current === 3;
  return eventually("the container's memory and processes", settled).then(() => {
    const { memory, pids, cpu, cpuset } = stats();
    assert.equal(memory.usage.limit, 64 << 20);
    assert.equal(memory.cache, memory.raw.cache);
    assert.deepEqual(pids, { current: 3, limit: 50 });
    assert.deepEqual(cpuset.cpus, [0]);
    assert.equal(cpu.usage.total, Number(read(c, "cpuacct", "cpuacct.usage")));
    assert.deepEqual(cpu.usage.percpu, read(c, "cpuacct", "cpuacct.usage_percpu").split(" ").map(Number));
  });
});

test("figures of block devices", onV1, (t) => {
  const file = "blkio.throttle.io_serviced_recursive";
  const c = ws.script("sync; while :; do sleep 1000; done");
  c.succeed("run", "--detach", "--bundle", c.directory, c.id);
  const { blkio } = parse(c.succeed("events", "--stats", c.id).stdout)[0]!.data;
  const lines = read(c, "blkio", file)
    .split("\n")
    .filter((line) => !line.startsWith("Total"));
  if (lines.length === 0) t.diagnostic("nothing of the container reached a block device");
  assert.equal(blkio.ioServicedRecursive?.length ?? 0, lines.length);
});

for (const host of hostNames) {
  test(`a process that is killed for want of memory is an event (${host})`, { ...twoHosts, ...onV1 }, async () => {
    const c = ws.running(resources({ memory: { limit: 16 << 20, swap: 16 << 20 } }));
    const stream = launchHost(ws, host, ["events", "--interval", "1h", c.id]);
    const fill = ["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"];
    await eventually("the killing to be told", () => {
      c.exec(fill);
      return stream.stdout() !== "";
    });
    c.kill();
    const { status, stderr, stdout } = await stream.end();
    assert.deepEqual([status, stderr], [0, ""]);
    for (const event of parse(stdout)) assert.deepEqual(event, { type: "oom", id: c.id });
  });

  test(`the stream has statistics each interval, and ends with the container (${host})`, {
    ...twoHosts,
    ...onV1,
  }, async () => {
    const c = ws.running();
    const stream = launchHost(ws, host, ["events", "--interval", "20ms", c.id]);
    await eventually("some statistics", () => stream.stdout().split("\n").length > 3);
    c.kill();
    const { status, stdout } = await stream.end();
    assert.equal(status, 0);
    for (const event of parse(stdout)) assert.deepEqual([event.type, event.id], ["stats", c.id]);
    c.waitForStatus("stopped");
    const { stderr } = callHost(ws, host, ["events", "--stats", c.id]);
    assert.equal(stderr, `edgerun: container with id ${c.id} is not running\n`);
  });
}

test("a container that ends with its last memory: the killing is told, then the stream ends", onV1, async () => {
  const c = ws.script("read go < /volume/fifo; exec dd if=/dev/zero of=/dev/null bs=64M count=1", (config) => {
    resources({ memory: { limit: 16 << 20, swap: 16 << 20 } })(config);
    const source = ws.newDirectory();
    execute("mkfifo", [join(source, "fifo")]);
    config.mounts.push({ destination: "/volume", type: "bind", source, options: ["bind"] });
  });
  c.succeed("run", "--detach", "--bundle", c.directory, c.id);
  const stream = ws.launchRuntime(["events", "--interval", "20ms", c.id]);
  await eventually("the stream", () => stream.stdout() !== "");
  c.output("echo > /volume/fifo");
  c.waitForStatus("stopped");
  // runc's ends when the cgroup is removed.
  if (expected({ runc: true, crun: true, edgerun: false })) c.succeed("delete", c.id);
  const { status, stdout } = await stream.end();
  assert.equal(status, 0);
  assert.ok(
    parse(stdout).some(({ type }) => type === "oom"),
    stdout.slice(-200),
  );
});

test("bad input: intervals and ids", lacking({ crun: "has no events" }), () => {
  const c = ws.running();
  for (const interval of ["5", "x", "", "1.2.3s", "1d", "s"]) {
    const { status, stdout, stderr } = ws.runtime(["events", "--interval", interval, c.id]);
    assert.equal(status, 1);
    assert.ok(
      stdout.startsWith(`Incorrect Usage: invalid value "${interval}" for flag -interval: parse error\n`),
      stdout,
    );
    assert.match(stderr, /invalid value ".*" for flag -interval: parse error\n$/);
  }
  for (const interval of ["0", "-5s", "0h"]) {
    c.fail(/duration interval must be greater than 0\n$/, ["events", "--interval", interval, c.id]);
  }
  c.fail(/container does not exist/, ["events", "--stats", ws.newId()]);
});
