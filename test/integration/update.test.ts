// SPDX-License-Identifier: Apache-2.0
// update: limits of a running container, read back from the kernel's files.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Config, Resources } from "./support/config.ts";
import type { Container } from "./support/container.ts";
import { EnrolledHost } from "./support/enrolled.ts";
import { callHost, type HostName, hostNames, twoHosts } from "./support/hosts.ts";
import { execute } from "./support/process.ts";
import { expected, lacking, runtimePath } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const owned = await EnrolledHost.make(ws);

const hierarchy = (controller: string) => `/sys/fs/cgroup/${controller}`;
/** Test options: skipped where the controller is not on cgroup v1. */
const needs = (controller: string, file: string) =>
  existsSync(join(hierarchy(controller), file))
    ? {}
    : { skip: `no ${controller} controller with ${file} on cgroup v1` };
const onV1 = needs("memory", "memory.limit_in_bytes");
const notCrun = lacking({ crun: "1.8 takes no units, no -1, and zeros for values" });

const resources = (values: Resources) => (config: Config) => {
  Object.assign(config.linux.resources!, values);
};
const read = (c: Container, controller: string, file: string) =>
  readFileSync(join(hierarchy(controller), c.id, file), "utf8").trim();
const memory = (c: Container) => [
  Number(read(c, "memory", "memory.limit_in_bytes")),
  Number(read(c, "memory", "memory.memsw.limit_in_bytes")),
];
const MiB = 1 << 20;

/** What `update` must leave as it is. */
const start: Resources = {
  memory: { limit: 64 * MiB, swap: 128 * MiB, reservation: 32 * MiB },
  cpu: { shares: 512, quota: 20_000, period: 50_000, cpus: "0-1" },
  pids: { limit: 50 },
};

// flags, controller, file, value
const flagTable: [string[], string, string, string][] = [
  [["--memory", "100M"], "memory", "memory.limit_in_bytes", String(100 * MiB)],
  [["--memory=104857600"], "memory", "memory.limit_in_bytes", String(100 * MiB)],
  [["--memory", "0.125g"], "memory", "memory.limit_in_bytes", String(128 * MiB)],
  [["--memory-swap", "256MiB"], "memory", "memory.memsw.limit_in_bytes", String(256 * MiB)],
  [["--memory-reservation", "16384kb"], "memory", "memory.soft_limit_in_bytes", String(16 * MiB)],
  [["--cpu-share", "256"], "cpu", "cpu.shares", "256"],
  [["--cpu-quota", "30000"], "cpu", "cpu.cfs_quota_us", "30000"],
  [["--cpu-quota=-1"], "cpu", "cpu.cfs_quota_us", "-1"],
  [["--cpu-period", "40000"], "cpu", "cpu.cfs_period_us", "40000"],
  [["--cpu-burst", "5000"], "cpu", "cpu.cfs_burst_us", "5000"],
  [["--cpu-idle", "1"], "cpu", "cpu.idle", "1"],
  [["--cpuset-cpus", "0"], "cpuset", "cpuset.cpus", "0"],
  [["--cpuset-mems", "0"], "cpuset", "cpuset.mems", "0"],
  [["--pids-limit", "17"], "pids", "pids.max", "17"],
  [["--pids-limit", "-1"], "pids", "pids.max", "max"],
  [["--blkio-weight", "500"], "blkio", "blkio.bfq.weight", "500"],
];
/** Files of the root that stand for those which only other cgroups have. */
const inRoot: Record<string, string> = { "blkio.bfq.weight": "blkio.bfq.io_serviced", "pids.max": "tasks" };
const newer = { "--cpu-burst": "newer than runc 1.1.5", "--cpu-idle": "newer than runc 1.1.5" };
const odd: Record<string, { crun?: string }> = {
  "--cpu-quota=-1": { crun: "takes no -1" },
  "500": { crun: "1.8 writes another file" },
};

for (const [flags, controller, file, value] of flagTable) {
  const missing = newer[flags[0] as keyof typeof newer];
  const units =
    /[a-zA-Z]$/.test(flags[1] ?? "") || flags[1] === "-1" ? { crun: "1.8 takes no units and no -1" } : undefined;
  const peers = missing === undefined ? (units ?? odd[flags.at(-1)!]) : { runc: missing, crun: missing };
  test(`update ${flags.join(" ")} changes ${file}, and nothing else`, {
    ...needs(controller, inRoot[file] ?? file),
    ...(peers === undefined ? {} : lacking(peers)),
  }, () => {
    const c = ws.running(resources(start));
    const others = flagTable.filter((row) => row[2] !== file && row[1] !== "blkio");
    const readOthers = () => others.map((row) => `${row[2]} ${read(c, row[1], row[2])}`);
    const before = readOthers().filter((line) => !(file === "cpu.idle" && line.startsWith("cpu.shares")));
    c.succeed("update", ...flags, c.id);
    assert.equal(read(c, controller, file), value);
    assert.deepEqual(
      readOthers().filter((line) => !(file === "cpu.idle" && line.startsWith("cpu.shares"))),
      before,
    );
  });
}

test("memory and swap are raised and lowered together, in any order of their old and new values", {
  ...onV1,
  ...notCrun,
}, () => {
  const c = ws.running(resources(start));
  for (const [limit, swap] of [
    [200, 300],
    [20, 30],
    [150, 150],
    [16, 400],
    [300, 350],
  ] as const) {
    c.succeed("update", "--memory", `${limit}M`, "--memory-swap", `${swap}M`, c.id);
    assert.deepEqual(memory(c), [limit * MiB, swap * MiB]);
  }
});

test("a memory limit of -1 is none, and then there is none of memory and swap either", { ...onV1, ...notCrun }, () => {
  const c = ws.running(resources(start));
  const unlimited = Number(readFileSync("/sys/fs/cgroup/memory/memory.limit_in_bytes", "utf8"));
  c.succeed("update", "--memory", "-1", c.id);
  assert.deepEqual(memory(c), [unlimited, unlimited]);
});

test("quota, period and burst depend on each other, and go from any values to any others", {
  ...needs("cpu", "cpu.cfs_burst_us"),
  ...lacking({ runc: "1.1.5 has no burst", crun: "1.8 has no burst" }),
}, () => {
  const c = ws.running();
  for (const [quota, period, burst] of [
    [100_000, 100_000, 100_000],
    [2_000, 10_000, 1_000],
    [500_000, 1_000_000, 400_000],
    [1_000, 1_000, 0],
  ]) {
    const flags = ["--cpu-quota", `${quota}`, "--cpu-period", `${period}`, "--cpu-burst", `${burst}`];
    c.succeed("update", ...flags, c.id);
    const now = ["quota", "period", "burst"].map((name) => Number(read(c, "cpu", `cpu.cfs_${name}_us`)));
    assert.deepEqual(now, [quota, period, burst]);
  }
});

const document = { memory: { limit: 100 * MiB, swap: 0 }, cpu: { shares: 0, quota: 30_000 }, pids: { limit: 20 } };
function assertDocument(c: Container): void {
  assert.deepEqual(
    [...memory(c), read(c, "cpu", "cpu.cfs_quota_us"), read(c, "cpu", "cpu.shares"), read(c, "pids", "pids.max")],
    [100 * MiB, 128 * MiB, "30000", "512", "20"],
  );
}

test("--resources FILE, as podman calls it", { ...onV1, ...notCrun }, () => {
  const c = ws.running(resources(start));
  c.succeed("update", `--resources=${ws.newFile(JSON.stringify(document))}`, c.id);
  assertDocument(c);
});

for (const [engine, flags] of [
  ["containerd", ["--resources=-"]],
  ["CRI-O", ["--resources", "-"]],
] as const) {
  test(`--resources - reads standard input, as ${engine} calls it`, { ...onV1, ...notCrun }, () => {
    const c = ws.running(resources(start));
    const result = ws.runtime(["update", ...flags, c.id], { input: JSON.stringify(document) });
    assert.deepEqual([result.status, result.stderr], [0, ""]);
    assertDocument(c);
  });
}

test("--resources takes a pipe, and its directory is the caller's", { ...onV1, ...notCrun }, () => {
  const c = ws.running(resources(start));
  const file = ws.newFile(JSON.stringify(document));
  const call = [runtimePath, ...ws.globalFlags, "update"].join(" ");
  assert.equal(execute("sh", ["-c", `cat ${file} | ${call} -r /dev/stdin ${c.id}`]).status, 0);
  assert.equal(execute("bash", ["-c", `${call} -r <(cat ${file}) ${c.id}`]).status, 0);
  assertDocument(c);
  const name = file.slice(file.lastIndexOf("/") + 1);
  assert.equal(ws.runtime(["update", "-r", name, c.id], { cwd: ws.directory }).status, 0);
});

test("with --resources the flags about limits don't count", onV1, () => {
  const c = ws.running(resources(start));
  c.succeed("update", "--pids-limit", "5", "--resources", ws.newFile("{}"), c.id);
  assert.equal(read(c, "pids", "pids.max"), "50");
});

test("limits of block devices are per device, and 0 lifts one", {
  ...needs("blkio", "blkio.throttle.read_bps_device"),
  ...lacking({ runc: "changes only the weight" }),
}, () => {
  const rates = (rate: number) => ({ blockIO: { throttleReadBpsDevice: [{ major: 7, minor: 0, rate }] } });
  const c = ws.running();
  const update = (rate: number) => {
    c.succeed("update", "-r", ws.newFile(JSON.stringify(rates(rate))), c.id);
    return read(c, "blkio", "blkio.throttle.read_bps_device");
  };
  if (!existsSync("/sys/block/loop0")) return;
  assert.equal(update(1 << 20), `7:0 ${1 << 20}`);
  assert.equal(update(0), "");
});

test("a write that fails takes the ones before it back", {
  ...onV1,
  ...lacking({ runc: "keeps what was written", crun: "keeps what was written" }),
}, () => {
  const c = ws.running(resources(start));
  const before = [...memory(c), read(c, "cpu", "cpu.cfs_quota_us"), read(c, "cpuset", "cpuset.cpus")];
  c.fail(/cannot set cpuset\.cpus to "4000"/, [
    "update",
    ...["--memory", "32M", "--memory-swap", "48M", "--cpu-quota", "10000", "--cpuset-cpus", "4000", c.id],
  ]);
  assert.deepEqual([...memory(c), read(c, "cpu", "cpu.cfs_quota_us"), read(c, "cpuset", "cpuset.cpus")], before);
  // Nor does the record say otherwise: what depends on it is judged as before.
  c.succeed("update", "--memory", "100M", c.id);
  assert.deepEqual(memory(c), [100 * MiB, 128 * MiB]);
});

test("a limit below what is in use is refused with both figures", {
  ...onV1,
  ...lacking({ crun: "says less" }),
}, () => {
  const c = ws.running(resources(start));
  c.fail(expected({ runc: /current usage: \d+/, crun: /./, edgerun: /current usage: \d+/ }), [
    ...["update", "--memory", "4096", c.id],
  ]);
  assert.deepEqual(memory(c), [64 * MiB, 128 * MiB]);
});

test("the record agrees: a later update is judged by what is in force", {
  ...onV1,
  ...lacking({ runc: "leaves it to the kernel", crun: "leaves it to the kernel" }),
}, () => {
  const c = ws.running(resources(start));
  c.succeed("update", "--memory-swap", "70M", c.id);
  c.fail(/memory\.limit: 104857600 is more than memory and swap may have together \(73400320\)/, [
    ...["update", "--memory", "100M", c.id],
  ]);
  c.succeed("update", "--memory-swap", "-1", c.id);
  c.succeed("update", "--memory", "100M", c.id);
  assert.equal(memory(c)[0], 100 * MiB);
  assert.equal(c.output("echo fine"), "fine");
});

test("created and paused containers can be updated, stopped ones can't", {
  ...onV1,
  ...lacking({ crun: "waits for a paused one" }),
}, () => {
  const created = ws.created();
  created.succeed("update", "--pids-limit", "20", created.id);
  assert.equal(read(created, "pids", "pids.max"), "20");
  const c = ws.running();
  c.succeed("pause", c.id);
  c.succeed("update", "--pids-limit", "20", c.id);
  assert.equal(read(c, "pids", "pids.max"), "20");
  c.succeed("resume", c.id);
  c.stop();
  c.fail(expected({ runc: /container not running/, crun: /./, edgerun: /container not running/ }), [
    ...["update", "--pids-limit", "20", c.id],
  ]);
});

test("a container that is updated can be deleted as any other", () => {
  const c = ws.running();
  c.succeed("update", "--cpu-share", "100", c.id);
  c.succeed("delete", "--force", c.id);
  ws.assertHostUnchanged();
});

// --- bad input: one clear line each, and nothing changed

// flags or document, message
const bad: [string[] | string, RegExp][] = [
  [["--memory", "64Q"], /^edgerun: invalid value for memory: invalid size: "64Q"/],
  [["--memory", "-5"], /^edgerun: invalid value for memory: invalid size: "-5"/],
  [["--memory", "1.2.3"], /invalid size: "1\.2\.3"/],
  [["--memory", "9999999999999999999"], /invalid size/],
  [["--memory", "0x10"], /invalid size/],
  [["--memory-swap", "much"], /^edgerun: invalid value for memory-swap: /],
  [["--memory-reservation", "m"], /^edgerun: invalid value for memory-reservation: /],
  [["--cpu-period", "1e3"], /^edgerun: invalid value for cpu-period: "1e3" is not an integer between 0 and /],
  [["--cpu-period", "-1"], /^edgerun: invalid value for cpu-period: /],
  [["--cpu-quota", "18446744073709551616"], /^edgerun: invalid value for cpu-quota: /],
  [["--cpu-burst", "x"], /^edgerun: invalid value for cpu-burst: /],
  [["--cpu-share", " 5"], /^edgerun: invalid value for cpu-share: /],
  [["--cpu-idle", "2"], /^edgerun: invalid value for cpu-idle: want 0 or 1/],
  [["--pids-limit", "many"], /^edgerun: invalid value "many" for flag -pids-limit: parse error/],
  [["--blkio-weight", "70000"], /^edgerun: invalid value for blkio-weight: 70000/],
  [
    ["--memory", "16M", "--memory-swap", "8M"],
    /^edgerun: update: \$\.memory\.limit: 16777216 is more than memory and swap may have together/,
  ],
  [["--cpuset-cpus", "a-b"], /^edgerun: cannot set cpuset\.cpus to "a-b": .*Invalid argument/],
  [["--l3-cache-schema", "L3:0=1"], /^edgerun: Intel RDT\/CAT: l3 cache schema is not enabled/],
  [["--mem-bw-schema", "MB:0=1"], /^edgerun: Intel RDT\/MBA: memory bandwidth schema is not enabled/],
  [["--resources", "/no/such/file"], /^edgerun: open "\/no\/such\/file": No such file or directory/],
  [["--resources", "/etc"], /^edgerun: .*"\/etc": Is a directory/],
  ["", /^edgerun: standard input:/],
  ["memory: 5", /^edgerun: standard input:/],
  ["[]", /^edgerun: standard input: \$: expected an object, found a list/],
  ['{"memory":{"limit":"64M"}}', /^edgerun: standard input: \$\.memory\.limit: expected an integer .* found "64M"/],
  ['{"memory":{"limit":1,"limit":2}}', /^edgerun: standard input:1:22: duplicate key "limit"/],
  ['{"cpu":{"shares":-1}}', /^edgerun: standard input: \$\.cpu\.shares: /],
  ['{"cpu":{"shares":1}}', /^edgerun: standard input: \$\.cpu\.shares: expected 2 to 262144/],
  [
    '{"hugepageLimits":[{"pageSize":"2 MB","limit":0}]}',
    /^edgerun: standard input: \$\.hugepageLimits\[0\]\.pageSize: /,
  ],
  ['{"unified":{"memory.high":"1"}}', /^edgerun: standard input: \$\.unified: cannot use unified on cgroup v1/],
  [`{"cpu":{"cpus":"${"x".repeat(5 << 20)}"}}`, /^edgerun: .*[Ff]ile too large/],
];
const own = lacking({ runc: "has texts of its own", crun: "has texts of its own" });

for (const [what, message] of bad) {
  const name = typeof what === "string" ? what.slice(0, 50) : what.join(" ");
  test(`bad input: ${name}`, { ...own, ...onV1 }, () => {
    const c = shared();
    const before = memory(c);
    for (const host of hostNames) {
      const flags = typeof what === "string" ? ["-r", "-"] : what;
      const input = typeof what === "string" ? { input: what } : {};
      const { status, stderr } = callHost(ws, host, ["update", ...flags, c.id], input);
      assert.match(stderr, message);
      assert.match(stderr, /^[^\n]+\n$/, "one line");
      assert.equal(status, 1);
    }
    assert.deepEqual(memory(c), before);
  });
}

let sharedContainer: Container | undefined;
function shared(): Container {
  sharedContainer ??= ws.keep(ws.running(resources(start)));
  return sharedContainer;
}

// --- on an enrolled host

function testBoth(name: string, body: (host: HostName) => Promise<void>): void {
  for (const host of hostNames) test(`${name} (${host})`, { ...twoHosts, ...onV1 }, () => body(host));
}

testBoth("enrolled: the grants bound an update; what was clamped is told", async (host) => {
  const grants = { memory: { limitBytes: 64 * MiB }, pids: { limit: 32 } };
  const c = await owned.created(host, grants, resources({ memory: { limit: 32 * MiB }, pids: { limit: 8 } }));
  const within = owned.call(host, ["update", "--memory", "48M", "--pids-limit", "16", c.id]);
  assert.deepEqual(within, { status: 0, signal: null, stdout: "", stderr: "" });
  assert.deepEqual([...memory(c), read(c, "pids", "pids.max")], [48 * MiB, 48 * MiB, "16"]);
  const beyond = owned.call(host, ["update", "--memory", "-1", "--pids-limit", "1000", c.id]);
  assert.equal(beyond.status, 0);
  assert.match(beyond.stderr, /^edgerun: warning: memory limit: asked no limit, clamped: 64 MiB \(grants\.memory/m);
  assert.match(beyond.stderr, /^edgerun: warning: pids limit: asked 1000, clamped: 32 \(grants\.pids\.limit\)$/m);
  assert.deepEqual([...memory(c), read(c, "pids", "pids.max")], [64 * MiB, 64 * MiB, "32"]);
});

testBoth(
  "enrolled: an update can't bring what no start would: CPUs that are not granted, more than ordinary shares",
  async (host) => {
    const c = await owned.created(host, { cpu: { quotaPercent: 50, cpus: "0" } });
    const denied = owned.call(host, ["update", "--cpuset-cpus", "1", c.id]);
    assert.match(
      denied.stderr,
      /^edgerun: the manifest does not allow .*cpu cpus \(asked: 1; granted: 0; rule: grants\.cpu\.cpus\)\n$/,
    );
    assert.equal(denied.status, 1);
    assert.equal(read(c, "cpuset", "cpuset.cpus"), "0");
    owned.call(host, ["update", "--cpu-quota", "-1", "--cpu-share", "200000", "--cpu-burst", "1000", c.id]);
    assert.deepEqual(
      ["cpu.cfs_quota_us", "cpu.shares", "cpu.cfs_burst_us"].map((file) => read(c, "cpu", file)),
      ["50000", "1024", "0"],
    );
    const granted = owned.call(host, ["update", "--cpuset-cpus", "0", "--cpu-share", "300", c.id]);
    assert.deepEqual([granted.status, granted.stderr], [0, ""]);
    assert.equal(read(c, "cpu", "cpu.shares"), "300");
  },
);
