// SPDX-License-Identifier: Apache-2.0
// cgroup v2. On a hybrid host the runtime is shown only that part (support/with_only_cgroup_v2.sh): devices, freezing
// and killing need no controller; limits are tested where the controllers are on v2.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, afterEach, test } from "node:test";
import { type Change, type Config, dropNamespace, setNamespace } from "./support/config.ts";
import type { Container } from "./support/container.ts";
import { parseMountinfo } from "./support/inside.ts";
import { eventually, execute, launch, type Options, type Result, waitFor } from "./support/process.ts";
import { lacking, runtimePath } from "./support/runtime.ts";
import { Workspace } from "./support/workspace.ts";

const onlyV2 = resolve("test/integration/support/with_only_cgroup_v2.sh");

class UnifiedWorkspace extends Workspace {
  override runtime(args: readonly string[], options?: Options): Result {
    return execute(onlyV2, [runtimePath, ...this.globalFlags, ...args], options);
  }
}

const mountPoint = parseMountinfo(readFileSync("/proc/self/mountinfo", "utf8")).find(
  ({ type }) => type === "cgroup2",
)?.target;
const ws = new UnifiedWorkspace();
afterEach(() => ws.deleteContainers());
after(() => ws.close());

const controllers =
  mountPoint === undefined ? [] : readFileSync(join(mountPoint, "cgroup.controllers"), "utf8").trim().split(" ");
const unified = mountPoint === undefined ? { skip: "no cgroup2 mount" } : {};
const needs = (controller: string) =>
  controllers.includes(controller) ? {} : { skip: `no ${controller} controller on cgroup v2` };

const resources = (values: object) => (config: Config) => {
  Object.assign(config.linux.resources!, values);
};
/** The container's directory, on the host. */
const directory = (c: Container, ...below: string[]) => join(mountPoint!, c.id, ...below);
const read = (c: Container, file: string) => readFileSync(directory(c, file), "utf8").trim();

test("run of the default bundle", unified, () => {
  assert.equal(ws.output("echo fine"), "fine");
});

test("the container's process is in one directory, below the mount", unified, () => {
  const c = ws.running();
  assert.match(readFileSync(`/proc/${c.pid}/cgroup`, "utf8"), new RegExp(`^0::/${c.id}$`, "m"));
  assert.ok(read(c, "cgroup.procs").split("\n").includes(String(c.pid)));
});

test("without cgroupsPath the cgroup is named after the container", unified, () => {
  const c = ws.running((config) => {
    delete config.linux.cgroupsPath;
  });
  assert.match(readFileSync(`/proc/${c.pid}/cgroup`, "utf8"), new RegExp(`^0::/.*${c.id}$`, "m"));
});

test("exec runs in the container's cgroup", unified, () => {
  const c = ws.running();
  assert.match(c.output("cat /proc/self/cgroup"), new RegExp(`^0::/${c.id}$`, "m"));
});

test("exec goes where the container's first process is, when that has left a cgroup with controllers below", {
  ...needs("hugetlb"),
  ...lacking({ runc: "1.1.5 says EBUSY", crun: "1.8 says EBUSY" }),
}, () => {
  const c = ws.running();
  mkdirSync(directory(c, "init"));
  // One that is being forked meanwhile is in the next list.
  waitFor("the processes to have left", () => {
    const pids = read(c, "cgroup.procs")
      .split("\n")
      .filter((pid) => pid !== "");
    for (const pid of pids) writeFileSync(directory(c, "init", "cgroup.procs"), pid);
    return pids.length === 0;
  });
  writeFileSync(directory(c, "cgroup.subtree_control"), "+hugetlb");
  assert.match(c.output("cat /proc/self/cgroup"), new RegExp(`^0::/${c.id}/init$`, "m"));
  mkdirSync(directory(c, "other"));
  assert.match(c.output("cat /proc/self/cgroup", ["--cgroup", "other"]), new RegExp(`^0::/${c.id}/other$`, "m"));
});

test("pause freezes the container, resume thaws it", unified, () => {
  const c = ws.running();
  c.succeed("pause", c.id);
  assert.equal(c.status(), "paused");
  assert.match(read(c, "cgroup.events"), /^frozen 1$/m);
  c.succeed("resume", c.id);
  assert.equal(c.status(), "running");
  assert.match(read(c, "cgroup.events"), /^frozen 0$/m);
});

test("a paused container is killed", unified, () => {
  const c = ws.running();
  c.succeed("pause", c.id);
  c.stop();
});

test("kill --all ends every process, and those in cgroups below", unified, () => {
  const c = ws.script("sleep 1000 & sleep 1000 & wait", (config) => dropNamespace(config, "pid"));
  c.succeed("run", "--detach", "--bundle", c.directory, c.id);
  waitFor("the processes", () => read(c, "cgroup.procs").split("\n").length === 3);
  mkdirSync(directory(c, "inner"));
  writeFileSync(directory(c, "inner", "cgroup.procs"), read(c, "cgroup.procs").split("\n")[2]!);
  c.succeed("kill", "--all", c.id, "KILL");
  c.waitForStatus("stopped");
  waitFor("their end", () => /^populated 0$/m.test(read(c, "cgroup.events")));
});

test("delete removes the cgroup and those below it", unified, () => {
  const c = ws.running();
  mkdirSync(directory(c, "inner"));
  c.succeed("delete", "--force", c.id);
  ws.assertHostUnchanged();
});

test("delete --force ends a container without a pid namespace, paused", unified, () => {
  const c = ws.script("sleep 1000 & sleep 1000 & wait", (config) => dropNamespace(config, "pid"));
  c.succeed("run", "--detach", "--bundle", c.directory, c.id);
  waitFor("the processes", () => read(c, "cgroup.procs").split("\n").length === 3);
  c.succeed("pause", c.id);
  c.succeed("delete", "--force", c.id);
  ws.assertHostUnchanged();
});

test("a cgroup that holds another process is refused", {
  ...unified,
  ...lacking({ runc: "1.1 only warns", crun: "joins it" }),
}, () => {
  const first = ws.running();
  const second = ws.bundle((config) => {
    config.linux.cgroupsPath = `/${first.id}`;
  });
  second.fail(/container's cgroup is not empty/, ["create", "--bundle", second.directory, second.id]);
  assert.equal(first.status(), "running");
});

test("a frozen cgroup is refused", { ...unified, ...lacking({ crun: "waits" }) }, () => {
  const c = ws.bundle();
  mkdirSync(directory(c));
  try {
    writeFileSync(directory(c, "cgroup.freeze"), "1");
    c.fail(/unexpectedly frozen/, ["create", "--bundle", c.directory, c.id]);
  } finally {
    rmdirSync(directory(c));
  }
});

// --- devices

/** A node that no driver stands behind: allowed, it can't be opened either, but for another reason. */
const minor = 200;
const node: Change = (config) => {
  config.linux.devices = [{ path: "/dev/odd", type: "c", major: 1, minor, fileMode: 0o666 }];
};
const rule =
  (allow: boolean, major: number, minor: number | undefined, access: string): Change =>
  (config) => {
    config.linux.resources!.devices!.push({
      allow,
      type: "c",
      major,
      ...(minor === undefined ? {} : { minor }),
      access,
    });
  };
const all =
  (...changes: Change[]): Change =>
  (config) => {
    for (const change of changes) change(config);
  };
const isAllowed = (script: string, change: Change): boolean => {
  const { stderr } = ws.runScript(script, change);
  const [denied, allowed] = [/Operation not permitted/.test(stderr), /No such device or address/.test(stderr)];
  assert.notEqual(denied, allowed, stderr);
  return allowed;
};

test("devices: the defaults can be used", unified, () => {
  assert.equal(
    ws.output("echo x > /dev/null && head -c 4 /dev/zero | wc -c && head -c 2 /dev/urandom | wc -c"),
    "4\n2",
  );
});

test("devices: what is not allowed is denied", unified, () => {
  assert.equal(isAllowed(": < /dev/odd", node), false);
});

test("devices: a rule allows what it names", unified, () => {
  assert.equal(isAllowed(": < /dev/odd", all(node, rule(true, 1, minor, "r"))), true);
});

test("devices: reading is not writing", unified, () => {
  const change = all(node, rule(true, 1, minor, "r"));
  assert.equal(isAllowed(": > /dev/odd", change), false);
  assert.equal(isAllowed(": <> /dev/odd", change), false);
  assert.equal(isAllowed(": <> /dev/odd", all(change, rule(true, 1, undefined, "w"))), true);
});

test("devices: an exception from a wider rule", { ...unified, ...lacking({ runc: "refuses it" }) }, () => {
  const wider = rule(true, 1, undefined, "rwm");
  assert.equal(isAllowed(": < /dev/odd", all(node, wider, rule(false, 1, minor, "rwm"))), false);
  assert.equal(isAllowed(": < /dev/odd", all(node, wider, rule(false, 1, minor + 1, "rwm"))), true);
});

test("devices: the program counts for exec, too", unified, () => {
  const c = ws.running(node);
  assert.match(c.exec(["/bin/sh", "-c", ": < /dev/odd"]).stderr, /Operation not permitted/);
});

test("devices: many rules are not too many for the kernel", unified, () => {
  const many = Array.from({ length: 250 }, (_, minor) => rule(minor % 3 > 0, minor % 7, minor, "rw"));
  assert.equal(ws.output("echo fine", all(...many)), "fine");
});

// --- the mount inside

const seesOwnDirectory = (c: Container) =>
  assert.equal(
    c.output("cat /sys/fs/cgroup/cgroup.procs | head -n 1"),
    "1",
    "the container's init, and no process of the host",
  );

test("mount: without a cgroup namespace it is the container's own directory, read-only", unified, () => {
  const c = ws.running();
  seesOwnDirectory(c);
  const mount = parseMountinfo(c.output("cat /proc/self/mountinfo")).find(({ target }) => target === "/sys/fs/cgroup")!;
  assert.equal(mount.type, "cgroup2");
  for (const option of ["ro", "nosuid", "nodev", "noexec"]) assert.ok(mount.options.includes(option), option);
  assert.notEqual(c.exec(["/bin/sh", "-c", "mkdir /sys/fs/cgroup/inner"]).status, 0);
});

test("mount: with a cgroup namespace it is the namespace's root", unified, () => {
  const c = ws.running((config) => setNamespace(config, "cgroup"));
  seesOwnDirectory(c);
  assert.match(c.output("cat /proc/self/cgroup"), /^0::\/$/m);
});

test("mount: a writable one lets the container make cgroups of its own", unified, () => {
  const c = ws.running((config) => {
    setNamespace(config, "cgroup");
    const mount = config.mounts.find(({ destination }) => destination === "/sys/fs/cgroup")!;
    mount.type = "cgroup2";
    mount.options = ["nosuid", "nodev", "noexec"];
  });
  c.output("mkdir /sys/fs/cgroup/inner");
  assert.ok(existsSync(directory(c, "inner")));
});

// --- limits

test("unified: files of cgroup.* that limit", unified, () => {
  assert.equal(read(ws.created(resources({ unified: { "cgroup.max.depth": "3" } })), "cgroup.max.depth"), "3");
});

test("a limit whose controller can't be enabled is refused by its name", {
  skip: controllers.includes("memory") ? "memory is on cgroup v2" : false,
  ...lacking({ runc: "says less", crun: "says less" }),
}, () => {
  const c = ws.bundle(resources({ memory: { limit: 64 << 20 } }));
  c.fail(/linux\.resources\.memory: no cgroup controller "memory"/, ["create", "--bundle", c.directory, c.id]);
  ws.assertNothingLeft();
});

// controller, resources, files
const limits: [string, object, Record<string, string>][] = [
  [
    "hugetlb",
    { hugepageLimits: [{ pageSize: "2MB", limit: 4 << 20 }] },
    { "hugetlb.2MB.max": String(4 << 20), "hugetlb.2MB.rsvd.max": String(4 << 20) },
  ],
  [
    "memory",
    { memory: { limit: 64 << 20, swap: 96 << 20, reservation: 32 << 20 } },
    { "memory.max": String(64 << 20), "memory.swap.max": String(32 << 20), "memory.low": String(32 << 20) },
  ],
  ["memory", { memory: { limit: 64 << 20 }, unified: { "memory.oom.group": "1" } }, { "memory.oom.group": "1" }],
  ["cpu", { cpu: { shares: 512, quota: 20_000, period: 50_000 } }, { "cpu.weight": "59", "cpu.max": "20000 50000" }],
  ["cpuset", { cpu: { cpus: "0", mems: "0" } }, { "cpuset.cpus": "0", "cpuset.mems": "0" }],
  ["pids", { pids: { limit: 17 } }, { "pids.max": "17" }],
  ["pids", { pids: { limit: -1 } }, { "pids.max": "max" }],
];

for (const [controller, values, files] of limits) {
  test(`limits: ${JSON.stringify(values)}`, needs(controller), () => {
    const c = ws.created(resources(values));
    for (const [file, expected] of Object.entries(files)) assert.equal(read(c, file), expected, file);
  });
}

for (const [controller, values, files] of limits) {
  test(`update: ${JSON.stringify(values)}`, { ...needs(controller), ...lacking({ runc: "changes fewer" }) }, () => {
    const c = ws.created();
    const before = Object.fromEntries(Object.keys(files).map((file) => [file, read(c, file)]));
    const update = (document: object) => ["update", "-r", ws.newFile(JSON.stringify(document)), c.id];
    c.succeed(...update(values));
    for (const [file, expected] of Object.entries(files)) assert.equal(read(c, file), expected, file);
    // All or none.
    const other = ws.created();
    const failing = { ...values, unified: { "cgroup.max.depth": "none" } };
    other.fail(/cgroup\.max\.depth/, ["update", "-r", ws.newFile(JSON.stringify(failing)), other.id]);
    // The kernel has two ways to show that there is no limit of huge pages; a cpuset can't become empty again.
    const normal = (text: string) => (text === "9223372036854771712" ? "max" : text);
    for (const [file, expected] of Object.entries(before)) {
      const wanted = expected === "" ? read(c, `../${file}.effective`) : normal(expected);
      assert.equal(normal(read(other, file)), wanted, file);
    }
  });
}

test("events --stats: figures of version 2, pressure with them", {
  ...unified,
  ...lacking({ runc: "1.1.5 has no pressure", crun: "has no events" }),
}, () => {
  const c = ws.running();
  const { data } = JSON.parse(c.succeed("events", "--stats", c.id).stdout);
  const usage = read(c, "cpu.stat").split("\n")[0]!.split(" ")[1];
  assert.equal(data.cpu.usage.total, Number(usage) * 1000);
  const hasPressure = existsSync(directory(c, "cpu.pressure"));
  for (const part of [data.cpu, data.memory, data.blkio]) assert.equal(part.psi !== undefined, hasPressure);
  if (controllers.includes("memory")) assert.equal(data.memory.usage.limit, 2 ** 64);
  if (controllers.includes("pids")) assert.equal(data.pids.current, Number(read(c, "pids.current")));
});

test("events: a process that is killed for want of memory", {
  ...needs("memory"),
  ...lacking({ crun: "has no events" }),
}, async () => {
  const c = ws.running(resources({ memory: { limit: 16 << 20, swap: 16 << 20 } }));
  const stream = launch(onlyV2, [runtimePath, ...ws.globalFlags, "events", "--interval", "1h", c.id]);
  await eventually("the killing to be told", () => {
    c.exec(["dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1"]);
    return stream.stdout() !== "";
  });
  c.kill();
  assert.match((await stream.end()).stdout, new RegExp(`^\\{"type":"oom","id":"${c.id}"\\}\n`));
});
