// SPDX-License-Identifier: Apache-2.0
// Grants by name: what the host inventory says a sensor, an actuator, a register or a device is, is in the container
// under its name, as far as it is granted; everything else of the host is not. And storage of a limited size.

import assert from "node:assert/strict";
import { statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import type { Grants } from "../../src/manifest/schema.ts";
import { EnrolledHost, leastGrants, makeManifest } from "./support/enrolled.ts";
import { type HostName, hostNames, twoHosts } from "./support/hosts.ts";
import { parseMountinfo } from "./support/inside.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const owned = await EnrolledHost.make(ws);
/** Of every Linux: readable by all, and writable by root. */
const attribute = "/sys/kernel/mm/transparent_hugepage/khugepaged/alloc_sleep_millisecs";
const socketPath = join(ws.newDirectory(), "temp.sock");

function testBoth(name: string, body: (host: HostName) => Promise<void>): void {
  for (const host of hostNames) test(`${name} (${host})`, twoHosts, () => body(host));
}

function writeInventory(inventory: object): void {
  const text = JSON.stringify({ schema: "edgerun/inventory/v1", ...inventory });
  writeFileSync(join(owned.configRoot, "inventory.json"), text, { mode: 0o644 });
}

/** The line with which a start under these grants is refused. */
async function refusal(host: HostName, grants: Partial<Grants>): Promise<string> {
  const manifest = await owned.sign(makeManifest({ grants: { ...leastGrants, ...grants } }));
  const c = owned.bundle();
  const result = owned.call(host, ["run", "--manifest", manifest, "--bundle", c.directory, c.id]);
  assert.equal(result.status, 1);
  assert.match(result.stderr, /^edgerun: [^\n]+\n$/);
  ws.assertNothingLeft();
  return result.stderr;
}

// --- sensors, actuators, registers

testBoth(
  "a sensor that is a file of sysfs can be read, and not written; its neighbours are not there",
  async (host) => {
    writeInventory({ sensors: { "board-temp": { sysfs: attribute }, other: { sysfs: attribute } } });
    const script = `cat /run/edgerun/sensors/board-temp; ls -R /run/edgerun; echo 1 > /run/edgerun/sensors/board-temp`;
    const result = await owned.runScript(host, { sensors: [{ name: "board-temp" }] }, script);
    assert.match(result.stdout, /^\d+\n/);
    assert.equal(
      result.stdout.split("\n").slice(1).join("\n"),
      "/run/edgerun:\nsensors\n\n/run/edgerun/sensors:\nboard-temp\n",
    );
    assert.match(result.stderr, /Read-only file system/);
    assert.equal(await owned.output(host, {}, "ls -A /run/edgerun"), "", "without a grant");
  },
);

testBoth("an actuator can be switched with control, and only read with read", async (host) => {
  writeInventory({ actuators: { relay: { sysfs: attribute } } });
  const script =
    "cat /run/edgerun/actuators/relay > /tmp/v && cat /tmp/v > /run/edgerun/actuators/relay && echo switched";
  const tmp = { storage: { temporary: [{ path: "/tmp", limitBytes: 65536 }] } };
  const control = { actuators: [{ name: "relay", operations: ["read", "control"] as ("read" | "control")[] }], ...tmp };
  assert.equal(await owned.output(host, control, script), "switched");
  const read = { actuators: [{ name: "relay", operations: ["read"] as "read"[] }], ...tmp };
  const refused = await owned.runScript(host, read, script);
  assert.match(refused.stderr, /Read-only file system/);
  assert.equal(refused.stdout, "");
});

testBoth("a register that is a device node: read is not control, and control is not read", async (host) => {
  // A device that is not among those that every container has.
  writeInventory({ registers: { billing: { device: "/dev/loop-control" } } });
  const path = "/run/edgerun/registers/billing";
  const script = `(: < ${path}) && echo can read; (: > ${path}) && echo can control; stat -c %t:%T ${path}`;
  for (const [operation, can] of [
    ["read", "can read"],
    ["control", "can control"],
  ] as const) {
    const result = await owned.runScript(host, { registers: [{ name: "billing", operations: [operation] }] }, script);
    assert.equal(result.stdout, `${can}\na:ed\n`);
    assert.match(result.stderr, /Operation not permitted/);
  }
});

testBoth("a sensor that is a socket: the app reaches that one", async (host) => {
  writeInventory({ sensors: { temp: { socket: socketPath } } });
  const server = createServer().listen(socketPath);
  await new Promise((resolve) => server.once("listening", resolve));
  try {
    const text = await owned.output(host, { sensors: [{ name: "temp" }] }, "stat -c %F /run/edgerun/sensors/temp");
    assert.equal(text, "socket");
    writeInventory({ registers: { temp: { socket: socketPath } } });
    assert.match(await refusal(host, { registers: [{ name: "temp", operations: ["read"] }] }), /can't be told apart/);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

testBoth("what the inventory or the host lacks refuses the start, unless it is not required", async (host) => {
  writeInventory({
    sensors: {
      gone: { device: "/dev/absent" },
      line: { gpio: { chip: "/dev/gpiochip0", line: 1 } },
      file: { sysfs: "/etc/passwd" },
    },
  });
  assert.match(
    await refusal(host, { sensors: [{ name: "unknown" }] }),
    /grants sensor "unknown": the host inventory has none of that name/,
  );
  assert.match(
    await refusal(host, { sensors: [{ name: "gone" }] }),
    /grants sensor "gone": the host has no device "\/dev\/absent"/,
  );
  assert.match(
    await refusal(host, { sensors: [{ name: "line" }] }),
    /grants sensor "line": .* does not enforce access by "gpio"/,
  );
  assert.match(
    await refusal(host, { sensors: [{ name: "file" }] }),
    /grants sensor "file": "\/etc\/passwd" is not below \/sys/,
  );
  const optional = {
    sensors: [
      { name: "unknown", required: false },
      { name: "gone", required: false },
    ],
  };
  assert.equal(await owned.output(host, optional, "ls /run/edgerun 2>/dev/null; echo started"), "started");
  writeFileSync(join(owned.configRoot, "inventory.json"), "{", { mode: 0o644 });
  assert.match(await refusal(host, { sensors: [{ name: "gone" }] }), /host inventory ".*" is refused: /);
});

// --- devices

testBoth(
  "a device by its name in the inventory: the bundle's node for it is granted, another's is not",
  async (host) => {
    writeInventory({ devices: { log: { path: "/dev/loop-control" } } });
    const grants = { devices: [{ name: "log", access: "r" }] };
    const { rdev } = statSync("/dev/loop-control");
    const ask = (minor: number) => (config: Parameters<Parameters<typeof owned.bundle>[0] & object>[0]) => {
      config.linux.devices = [{ path: "/dev/log0", type: "c", major: 10, minor, fileMode: 0o666 }];
      config.linux.resources = {
        ...config.linux.resources,
        devices: [{ allow: true, type: "c", major: 10, minor, access: "r" }],
      };
    };
    const script = ": < /dev/log0 && echo opened";
    assert.equal(await owned.output(host, grants, script, ask(rdev & 0xff)), "opened");
    await owned.assertDenied(
      host,
      grants,
      ask(1),
      "device /dev/log0 (asked: c 10:1 r; granted: nothing; rule: grants.devices)",
    );
    writeInventory({});
    assert.match(await refusal(host, grants), /grants device "log": the host inventory has none of that name/);
  },
);

// --- storage

testBoth("temporary storage has its size, its number of files, and no programs; full is full", async (host) => {
  const grants = { storage: { temporary: [{ path: "/tmp", limitBytes: 1048576, limitInodes: 16 }] } };
  const script = `
    head -c 4000000 /dev/zero > /tmp/big; echo "$(wc -c < /tmp/big) bytes"; rm /tmp/big
    for n in $(seq 32); do touch /tmp/$n; done; ls /tmp | wc -l; rm /tmp/*
    cp /bin/busybox /tmp/busybox; /tmp/busybox true
    cat /proc/self/mountinfo`;
  const result = await owned.runScript(host, grants, script);
  const [big = "", files = ""] = result.stdout.split("\n");
  assert.equal(big, "1048576 bytes");
  assert.ok(Number(files) <= 16 && Number(files) >= 10, files);
  assert.match(result.stderr, /No space left on device/);
  assert.match(result.stderr, /Permission denied/);
  const mount = parseMountinfo(result.stdout.slice(result.stdout.indexOf("\n", 20))).find(
    ({ target }) => target === "/tmp",
  );
  assert.match(`${mount?.options}`, /nosuid,nodev,noexec/);
  const executable = { storage: { temporary: [{ path: "/tmp", limitBytes: 4194304, executable: true }] } };
  assert.equal(await owned.output(host, executable, "cp /bin/busybox /tmp/busybox && /tmp/busybox echo ran"), "ran");
  const none = await owned.runScript(host, {}, "echo x > /tmp/x");
  assert.notEqual(none.status, 0);
});

// --- limits of processes

testBoth(
  "limits of a process are as granted, whether the bundle asks for them or not; less is possible",
  async (host) => {
    const grants = { limits: { openFiles: 64, fileSizeBytes: 8192, pendingSignals: 100 } };
    const script = "cat /proc/self/limits; ulimit -n 65 2>&1; head -c 20000 /dev/zero > /tmp/x";
    const result = await owned.runScript(
      host,
      { ...grants, storage: { temporary: [{ path: "/tmp", limitBytes: 65536 }] } },
      script,
      (config) => {
        config.process.rlimits = [];
      },
    );
    assert.match(result.stdout, /^Max open files +64 +64 /m);
    assert.match(result.stdout, /^Max file size +8192 +8192 /m);
    assert.match(result.stdout, /^Max pending signals +100 +100 /m);
    assert.match(result.stdout + result.stderr, /Operation not permitted|error setting limit/, "raising");
    assert.notEqual(result.status, 0, "the file is too large");
    const less = await owned.output(host, grants, "cat /proc/self/limits", (config) => {
      config.process.rlimits = [{ type: "RLIMIT_NOFILE", soft: 32, hard: 48 }];
    });
    assert.match(less, /^Max open files +32 +48 /m);
  },
);
