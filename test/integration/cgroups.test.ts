// SPDX-License-Identifier: Apache-2.0
// linux.resources and linux.cgroupsPath on cgroup v1: written limits are read back from the kernel's files.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Config, Resources } from "./support/config.ts";
import type { Container } from "./support/container.ts";
import { waitFor } from "./support/process.ts";
import { expected, lacking } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const hierarchy = (controller: string) => `/sys/fs/cgroup/${controller}`;
const isV1 = (controller: string) => existsSync(join(hierarchy(controller), "cgroup.clone_children"));
/** Test options: skipped where the controller is not on cgroup v1. */
const needs = (controller: string, file = "tasks") =>
  isV1(controller) && existsSync(join(hierarchy(controller), file))
    ? {}
    : { skip: `no ${controller} controller with ${file} on cgroup v1` };

const resources = (values: Resources) => (config: Config) => {
  Object.assign(config.linux.resources!, values);
};
const cgroupFile = (c: Container, controller: string, file: string) =>
  readFileSync(join(hierarchy(controller), c.id, file), "utf8").trim();

/** What the kernel shows for a container with these resources. */
function readBack(controller: string, file: string, values: Resources): string {
  return cgroupFile(ws.created(resources(values)), controller, file);
}

test("memory.limit", needs("memory"), () => {
  assert.equal(readBack("memory", "memory.limit_in_bytes", { memory: { limit: 64 << 20 } }), String(64 << 20));
});

test("memory.reservation", needs("memory"), () => {
  assert.equal(
    readBack("memory", "memory.soft_limit_in_bytes", { memory: { reservation: 32 << 20 } }),
    String(32 << 20),
  );
});

test("memory.kernelTCP", needs("memory", "memory.kmem.tcp.limit_in_bytes"), () => {
  const memory = { kernelTCP: 16 << 20 };
  const text = readBack("memory", "memory.kmem.tcp.limit_in_bytes", { memory });
  assert.equal(text, expected({ runc: "9223372036854771712", crun: String(16 << 20), edgerun: String(16 << 20) }));
});

test("memory.swap is memory and swap together", needs("memory", "memory.memsw.limit_in_bytes"), () => {
  const values = { memory: { limit: 64 << 20, swap: 96 << 20 } };
  assert.equal(readBack("memory", "memory.memsw.limit_in_bytes", values), String(96 << 20));
});

test("memory.swappiness", needs("memory", "memory.swappiness"), () => {
  assert.equal(readBack("memory", "memory.swappiness", { memory: { swappiness: 10 } }), "10");
});

test("memory.disableOOMKiller", needs("memory", "memory.oom_control"), () => {
  const values = { memory: { limit: 64 << 20, disableOOMKiller: true } };
  assert.match(readBack("memory", "memory.oom_control", values), /^oom_kill_disable 1$/m);
});

test("a memory limit of -1 is none", needs("memory"), () => {
  const unlimited = readFileSync(join(hierarchy("memory"), "memory.limit_in_bytes"), "utf8").trim();
  assert.equal(readBack("memory", "memory.limit_in_bytes", { memory: { limit: -1 } }), unlimited);
});

test("a program that needs more memory than its limit is killed", needs("memory"), () => {
  const fill = (limit: number) =>
    ws.runScript(
      "dd if=/dev/zero of=/dev/null bs=48M count=1 2>/dev/null",
      resources({ memory: { limit, swap: limit } }),
    ).status;
  assert.equal(fill(16 << 20), 137);
  assert.equal(fill(128 << 20), 0);
});

test("cpu.shares", needs("cpu"), () => {
  assert.equal(readBack("cpu", "cpu.shares", { cpu: { shares: 512 } }), "512");
});

test("cpu.quota and cpu.period", needs("cpu", "cpu.cfs_quota_us"), () => {
  const c = ws.created(resources({ cpu: { quota: 20_000, period: 50_000 } }));
  assert.deepEqual(
    [cgroupFile(c, "cpu", "cpu.cfs_quota_us"), cgroupFile(c, "cpu", "cpu.cfs_period_us")],
    ["20000", "50000"],
  );
});

test("cpu.cpus and cpu.mems", needs("cpuset"), () => {
  const c = ws.created(resources({ cpu: { cpus: "0", mems: "0" } }));
  assert.deepEqual([cgroupFile(c, "cpuset", "cpuset.cpus"), cgroupFile(c, "cpuset", "cpuset.mems")], ["0", "0"]);
  assert.equal(c.output("grep Cpus_allowed_list /proc/self/status"), "Cpus_allowed_list:\t0");
});

test("without cpu.cpus the container has the parent's", needs("cpuset"), () => {
  const c = ws.created();
  assert.equal(
    cgroupFile(c, "cpuset", "cpuset.cpus"),
    readFileSync(join(hierarchy("cpuset"), "cpuset.cpus"), "utf8").trim(),
  );
});

test("pids.limit", needs("pids"), () => {
  assert.equal(readBack("pids", "pids.max", { pids: { limit: 17 } }), "17");
});

test("a pids limit of -1 is none", { ...needs("pids"), ...lacking({ crun: "1.8 writes -1 on v1" }) }, () => {
  assert.equal(readBack("pids", "pids.max", { pids: { limit: -1 } }), "max");
});

test("a process beyond pids.limit is refused", needs("pids"), () => {
  const script = "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; echo all";
  assert.notEqual(ws.runScript(script, resources({ pids: { limit: 6 } })).stdout, "all\n");
  assert.equal(ws.runScript(script, resources({ pids: { limit: 60 } })).stdout, "all\n");
});

test("blockIO.weight", needs("blkio", "blkio.bfq.weight"), () => {
  assert.equal(readBack("blkio", "blkio.bfq.weight", { blockIO: { weight: 300 } }), "300");
});

test("blockIO.throttleReadBpsDevice", needs("blkio", "blkio.throttle.read_bps_device"), () => {
  const [major, minor] = firstBlockDevice();
  const values = { blockIO: { throttleReadBpsDevice: [{ major, minor, rate: 1 << 20 }] } };
  assert.equal(readBack("blkio", "blkio.throttle.read_bps_device", values), `${major}:${minor} ${1 << 20}`);
});

function firstBlockDevice(): [number, number] {
  const name = readdirSync("/sys/block")[0]!;
  const [major, minor] = readFileSync(`/sys/block/${name}/dev`, "utf8").trim().split(":").map(Number);
  return [major!, minor!];
}

test("hugepageLimits", needs("hugetlb", "hugetlb.2MB.limit_in_bytes"), () => {
  const values = { hugepageLimits: [{ pageSize: "2MB", limit: 4 << 20 }] };
  assert.equal(readBack("hugetlb", "hugetlb.2MB.limit_in_bytes", values), String(4 << 20));
});

test("devices: what is not allowed is denied", needs("devices"), () => {
  const list = cgroupFile(ws.created(), "devices", "devices.list").split("\n");
  assert.ok(list.includes("c 1:3 rwm"));
  assert.equal(
    list.some((line) => line.startsWith("a ")),
    false,
  );
  assert.equal(list.includes("c 1:11 rwm"), false);
});

test("devices: a rule allows what it names and no more", needs("devices"), () => {
  const c = ws.created((config) => {
    config.linux.resources!.devices!.push({ allow: true, type: "c", major: 10, minor: 201, access: "rw" });
  });
  assert.ok(cgroupFile(c, "devices", "devices.list").split("\n").includes("c 10:201 rw"));
});

test("devices: without a list everything but the defaults is denied", {
  ...needs("devices"),
  ...lacking({ crun: "allows everything" }),
}, () => {
  const c = ws.created((config) => {
    delete config.linux.resources;
  });
  assert.equal(
    cgroupFile(c, "devices", "devices.list")
      .split("\n")
      .some((line) => line.startsWith("a ")),
    false,
  );
});

test("the container's process is in its cgroup, in every v1 hierarchy", () => {
  const c = ws.created();
  const lines = readFileSync(`/proc/${c.pid}/cgroup`, "utf8").trim().split("\n");
  const v1 = lines.filter((line) => !line.startsWith("0::")).map((line) => line.split(":").slice(1));
  for (const [controllers, path] of v1) {
    if (!existsSync(hierarchy(controllers!.replace("name=", "")))) continue; // not mounted where we could look
    assert.equal(path, `/${c.id}`, controllers);
  }
});

test("without cgroupsPath the cgroup is named after the container", needs("pids"), () => {
  const c = ws.created((config) => {
    delete config.linux.cgroupsPath;
  });
  const lines = readFileSync(`/proc/${c.pid}/cgroup`, "utf8").trim().split("\n");
  const pids = lines.find((line) => line.includes(":pids:"))!;
  assert.ok(pids.endsWith(`/${c.id}`), pids);
});

test("a nested cgroupsPath is made, and only the container's own part is removed", needs("pids"), () => {
  const parent = `${ws.tag}-slice`;
  const c = ws.created((config) => {
    config.linux.cgroupsPath = `/${parent}/leaf`;
  });
  assert.equal(existsSync(join(hierarchy("pids"), parent, "leaf")), true);
  c.dispose();
  assert.equal(existsSync(join(hierarchy("pids"), parent, "leaf")), false);
  ws.removeCgroup(parent);
});

test("two containers share a parent cgroup", needs("pids"), () => {
  const parent = `${ws.tag}-pod`;
  const member = (name: string) =>
    ws.created((config) => {
      config.linux.cgroupsPath = `/${parent}/${name}`;
    });
  const [first, second] = [member("a"), member("b")];
  first.dispose();
  assert.equal(second.status(), "created");
  second.dispose();
  ws.removeCgroup(parent);
});

test("pause freezes the container's cgroup, resume thaws it", needs("freezer"), () => {
  const c = ws.running();
  c.succeed("pause", c.id);
  assert.equal(cgroupFile(c, "freezer", "freezer.state"), "FROZEN");
  c.succeed("resume", c.id);
  assert.equal(cgroupFile(c, "freezer", "freezer.state"), "THAWED");
});

test("a cgroup that holds another process is refused", {
  ...needs("pids"),
  ...lacking({ runc: "1.1 only warns", crun: "joins it" }),
}, () => {
  const first = ws.running();
  const second = ws.bundle((config) => {
    config.linux.cgroupsPath = `/${first.id}`;
  });
  second.fail(/container's cgroup is not empty/, ["create", "--bundle", second.directory, second.id]);
  assert.equal(first.status(), "running");
});

test("delete removes a cgroup that the container made below its own", needs("pids"), () => {
  const c = ws.running();
  mkdirSync(join(hierarchy("pids"), c.id, "inner"));
  c.succeed("delete", "--force", c.id);
  ws.assertHostUnchanged();
});

test("delete --force ends a container whose processes are many", needs("pids"), () => {
  const c = ws.script("for i in 1 2 3 4 5 6 7 8 9 10; do sleep 1000 & done; wait");
  c.succeed("run", "--detach", "--bundle", c.directory, c.id);
  waitFor("the processes", () => Number(cgroupFile(c, "pids", "pids.current")) > 10);
  c.succeed("delete", "--force", c.id);
  ws.assertHostUnchanged();
});

test("without a pid namespace delete --force ends every process", needs("pids"), () => {
  const c = ws.script("sleep 1000 & sleep 1000 & wait", (config) => {
    config.linux.namespaces = config.linux.namespaces.filter((namespace) => namespace.type !== "pid");
  });
  c.succeed("run", "--detach", "--bundle", c.directory, c.id);
  waitFor("the processes", () => Number(cgroupFile(c, "pids", "pids.current")) === 3);
  c.succeed("delete", "--force", c.id);
  ws.assertHostUnchanged();
});

const leavesCgroups = { crun: "1.8 leaves cgroups behind" };
for (const [what, values, peers] of [
  ["a memory limit below -1", { memory: { limit: -5 } }, { crun: "takes it as none" }],
  ["a cpu period that the kernel can't take", { cpu: { quota: 10_000, period: 1 } }, leavesCgroups],
  ["a cpu that does not exist", { cpu: { cpus: "4000" } }, leavesCgroups],
] as [string, Resources, { runc?: string; crun?: string }][]) {
  test(`${what} is refused`, lacking(peers), () => {
    const c = ws.bundle(resources(values));
    assert.notEqual(c.create().status, 0);
    ws.assertNothingLeft();
  });
}

test("update changes limits of a running container", {
  ...needs("memory"),
}, () => {
  const c = ws.running(resources({ memory: { limit: 64 << 20 }, pids: { limit: 20 } }));
  const file = ws.newFile(JSON.stringify({ memory: { limit: 48 << 20 }, cpu: { shares: 256 } }));
  c.succeed("update", "--resources", file, c.id);
  assert.equal(cgroupFile(c, "memory", "memory.limit_in_bytes"), String(48 << 20));
  assert.equal(cgroupFile(c, "cpu", "cpu.shares"), "256");
  assert.equal(cgroupFile(c, "pids", "pids.max"), "20", "what is not named stays");
});

test("update reads the resources from stdin", {
  ...needs("pids"),
  ...lacking({ crun: "opens /dev/stdin, which can't be a socket" }),
}, () => {
  const c = ws.running();
  const result = ws.runtime(["update", "--resources", "-", c.id], { input: JSON.stringify({ pids: { limit: 33 } }) });
  assert.equal(result.status, 0, result.stderr);
  assert.equal(cgroupFile(c, "pids", "pids.max"), "33");
});

test("update takes limits as flags, with size suffixes", {
  ...needs("memory"),
}, () => {
  const c = ws.running();
  c.succeed(
    "update",
    "--memory",
    expected({ runc: "32M", crun: String(32 << 20), edgerun: "32M" }),
    "--pids-limit",
    "44",
    "--cpu-share",
    "300",
    c.id,
  );
  assert.equal(cgroupFile(c, "memory", "memory.limit_in_bytes"), String(32 << 20));
  assert.equal(cgroupFile(c, "pids", "pids.max"), "44");
  assert.equal(cgroupFile(c, "cpu", "cpu.shares"), "300");
});

test("events --stats prints one line with the container's figures", {
  ...needs("pids"),
  ...lacking({ crun: "has no events" }),
}, () => {
  const c = ws.running(resources({ pids: { limit: 55 } }));
  const { stdout } = c.succeed("events", "--stats", c.id);
  const event = JSON.parse(stdout);
  assert.deepEqual([event.type, event.id, event.data.pids.limit], ["stats", c.id, 55]);
  assert.ok(event.data.pids.current >= 1);
  assert.ok(event.data.memory.usage.usage > 0);
});

test("a cgroup can't be left by writing to the read-only mount inside", () => {
  const c = ws.running();
  assert.notEqual(c.exec(["sh", "-c", "echo 1 > /sys/fs/cgroup/pids/cgroup.procs"]).status, 0);
});

test(
  "--cgroup-manager disabled leaves the container in its caller's cgroups",
  lacking({ runc: "has no such flag" }),
  () => {
    const disabled = ["--cgroup-manager", "disabled"];
    const c = ws.script("while :; do sleep 1000; done");
    const own = readFileSync("/proc/self/cgroup", "utf8");
    assert.equal(ws.runtime([...disabled, "run", "--detach", "--bundle", c.directory, c.id]).status, 0);
    assert.equal(readFileSync(`/proc/${c.pid}/cgroup`, "utf8"), own);
    assert.equal(c.output("echo fine"), "fine");
    c.succeed("kill", c.id, "KILL");
    c.waitForStatus("stopped");
    c.succeed("delete", c.id);
    ws.assertHostUnchanged();
  },
);

test("--cgroup-manager disabled refuses a limit", lacking({ runc: "has no such flag", crun: "drops it" }), () => {
  const c = ws.bundle(resources({ pids: { limit: 17 } }));
  c.fail(/linux\.resources\.pids: can't be applied/, [
    ...["--cgroup-manager", "disabled", "create"],
    ...["--bundle", c.directory, c.id],
  ]);
  ws.assertNothingLeft();
});
