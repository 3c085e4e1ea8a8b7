// SPDX-License-Identifier: Apache-2.0
// Each kind of grant, both ways: with it the container starts, and the kernel shows what was granted; without it the
// container is refused, or the thing is missing, and nothing is left. Under both hosts.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, readlinkSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isVersion1, readCgroupFile } from "./support/cgroup.ts";
import { type Change, type Config, dropNamespace, setCapabilities, setNamespace } from "./support/config.ts";
import type { Container } from "./support/container.ts";
import { EnrolledHost, leastGrants, makeManifest } from "./support/enrolled.ts";
import { type HostName, hostNames, twoHosts } from "./support/hosts.ts";
import { capabilityMask, parseMountinfo, statusFields } from "./support/inside.ts";
import { execute, launch, waitFor } from "./support/process.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const owned = await EnrolledHost.make(ws);

/** A test under each host. */
function testBoth(name: string, body: (host: HostName) => Promise<void>, options: { skip?: string } = {}): void {
  for (const host of hostNames) test(`${name} (${host})`, { ...twoHosts, ...options }, () => body(host));
}

// --- capabilities

const asked = ["CAP_NET_BIND_SERVICE", "CAP_NET_ADMIN", "CAP_CHOWN"];
const capabilitiesOf = (text: string): string[] => {
  const { CapInh = "", CapPrm = "", CapEff = "", CapBnd = "", CapAmb = "" } = statusFields(text);
  return [CapBnd, CapPrm, CapEff, CapInh, CapAmb];
};

testBoth("capabilities: those that are granted, of those that are asked for, and no others", async (host) => {
  const grants = { capabilities: ["CAP_NET_BIND_SERVICE", "CAP_KILL"] };
  const text = await owned.output(host, grants, "cat /proc/self/status", (config) => {
    setCapabilities(config, asked);
    config.process.noNewPrivileges = false;
  });
  const mask = capabilityMask(["CAP_NET_BIND_SERVICE"]);
  const none = capabilityMask([]);
  assert.deepEqual(capabilitiesOf(text), [mask, mask, mask, none, none]);
  assert.equal(statusFields(text).NoNewPrivs, "1");
});

testBoth("capabilities: without a grant there is none", async (host) => {
  const text = await owned.output(host, {}, "cat /proc/self/status", (config) => setCapabilities(config, asked));
  assert.deepEqual(new Set(capabilitiesOf(text)), new Set([capabilityMask([])]));
  const chown = await owned.runScript(host, {}, "chown 1 /tmp", (config) => setCapabilities(config, asked));
  assert.match(chown.stderr, /Operation not permitted|Read-only file system/);
});

// --- memory, cpu, pids

const memoryLimit = (c: Container) => readCgroupFile(c, "memory", { v1: "memory.limit_in_bytes", v2: "memory.max" });
const pidsLimit = (c: Container) => readCgroupFile(c, "pids", { v1: "pids.max", v2: "pids.max" });
/** Per cent of one CPU. */
function cpuPercent(c: Container): number {
  const read = (v1: string) => readCgroupFile(c, "cpu", { v1, v2: "cpu.max" });
  const [quota, period] = isVersion1("cpu")
    ? [read("cpu.cfs_quota_us"), read("cpu.cfs_period_us")]
    : read("").split(" ");
  return (100 * Number(quota)) / Number(period);
}
const ask =
  (values: NonNullable<Config["linux"]["resources"]>): Change =>
  (config) => {
    Object.assign(config.linux.resources!, values);
  };

testBoth("memory: the smaller of bundle and grant, and no swap", async (host) => {
  const mib = 1 << 20;
  for (const [wanted, got] of [
    [undefined, 64],
    [{ memory: { limit: 32 * mib } }, 32],
    [{ memory: { limit: 128 * mib, swap: 512 * mib } }, 64],
    [{ memory: { limit: -1 } }, 64],
  ] as const) {
    const c = await owned.created(host, { memory: { limitBytes: 64 * mib } }, ask(wanted ?? {}));
    assert.equal(memoryLimit(c), String(got * mib));
    const withSwap = `/sys/fs/cgroup/memory/${c.id}/memory.memsw.limit_in_bytes`;
    if (existsSync(withSwap)) assert.equal(readFileSync(withSwap, "utf8").trim(), String(got * mib));
    c.dispose();
  }
});

testBoth("memory: a program that needs more than is granted is killed", async (host) => {
  const fill = async (mib: number): Promise<number> => {
    const grants = { memory: { limitBytes: mib << 20 } };
    return (await owned.runScript(host, grants, "dd if=/dev/zero of=/dev/null bs=48M count=1 2>/dev/null")).status;
  };
  assert.equal(await fill(16), 137);
  assert.equal(await fill(128), 0);
});

testBoth("pids: the smaller of bundle and grant, which holds", async (host) => {
  for (const [wanted, got] of [
    [undefined, 17],
    [{ pids: { limit: 5 } }, 5],
    [{ pids: { limit: 100 } }, 17],
    [{ pids: { limit: -1 } }, 17],
  ] as const) {
    const c = await owned.created(host, { pids: { limit: 17 } }, ask(wanted ?? {}));
    assert.equal(pidsLimit(c), String(got));
    c.dispose();
  }
  const many = await owned.runScript(host, { pids: { limit: 4 } }, "for i in 1 2 3 4 5 6; do sleep 1 & done; wait");
  assert.match(many.stderr, /can't fork/);
});

testBoth("cpu: the smaller of bundle and grant; without a grant one CPU", async (host) => {
  for (const [grants, wanted, got] of [
    [{ cpu: { quotaPercent: 15 } }, {}, 15],
    [{ cpu: { quotaPercent: 15 } }, { cpu: { quota: 5_000, period: 50_000 } }, 10],
    [{ cpu: { quotaPercent: 15 } }, { cpu: { quota: 50_000, period: 50_000 } }, 15],
    [{ cpu: { quotaPercent: 150 } }, {}, 150],
    [{}, { cpu: { quota: -1 } }, 100],
  ] as const) {
    const c = await owned.created(host, grants, ask(wanted));
    assert.equal(cpuPercent(c), got);
    c.dispose();
  }
});

testBoth("cpu: only CPUs that are granted", async (host) => {
  const grants = { cpu: { quotaPercent: 50, cpus: "0" } };
  for (const wanted of [{}, { cpu: { cpus: "0-1" } }]) {
    const c = await owned.created(host, grants, ask(wanted));
    assert.equal(readCgroupFile(c, "cpuset", { v1: "cpuset.cpus", v2: "cpuset.cpus" }), "0");
    c.dispose();
  }
  const denied = "cpu cpus (asked: 1; granted: 0; rule: grants.cpu.cpus)";
  await owned.assertDenied(host, grants, ask({ cpu: { cpus: "1" } }), denied);
});

// --- devices

/** A character device of the host that no container has by default, and that can be opened without a capability. */
const device = ["/dev/loop-control", "/dev/fuse", "/dev/hwrng"].find((path) => existsSync(path));
const needsDevice = device === undefined ? { skip: "no device to grant" } : {};
const rdev = device === undefined ? 0 : statSync(device).rdev;
const [major, minor] = [(rdev >> 8) & 0xfff, (rdev & 0xff) | ((rdev >> 12) & 0xfff00)];

/** Asks for a node at this path with the device's numbers, and access to it. */
function askDevice(path: string, access: string, numbers = { major, minor }): Change {
  return (config) => {
    config.linux.devices = [{ path, type: "c", ...numbers, fileMode: 0o666 }];
    config.linux.resources!.devices!.push({ allow: true, type: "c", ...numbers, access });
  };
}
const tryOpen = "for mode in '<' '>'; do eval \": $mode /dev/meter\" 2>&1 && echo opened; done";

testBoth(
  "devices: one that is granted is opened, as far as it is granted",
  async (host) => {
    const grants = { devices: [{ path: device!, access: "rw" }] };
    assert.equal(await owned.output(host, grants, tryOpen, askDevice("/dev/meter", "rwm")), "opened\nopened");
    const half = { devices: [{ path: device!, access: "r" }] };
    const result = await owned.runScript(host, half, tryOpen, askDevice("/dev/meter", "rw"));
    assert.match(result.stdout, /^opened\n.*\/dev\/meter: Operation not permitted\n$/);
  },
  needsDevice,
);

testBoth(
  "devices: one that is not granted is refused",
  async (host) => {
    const refused = (name: string, access: string, granted = "nothing") =>
      `device ${name} (asked: c ${major}:${minor} ${access}; granted: ${granted}; rule: grants.devices)`;
    await owned.assertDenied(host, {}, askDevice("/dev/meter", "rw"), refused("/dev/meter", "rw"));
    // A granted name with the numbers of another device: the name proves nothing.
    const null3 = { devices: [{ path: "/dev/full", access: "rw" }] };
    await owned.assertDenied(host, null3, askDevice("/dev/full", "r"), refused("/dev/full", "r", "c 1:7 on this host"));
    const all = "device a *:* (asked: a *:* rwm; granted: nothing; rule: grants.devices)";
    const grants = { devices: [{ path: device!, access: "rwm" }] };
    await owned.assertDenied(host, grants, ask({ devices: [{ allow: true, access: "rwm" }] }), all);
  },
  needsDevice,
);

testBoth(
  "devices: one that is granted, but not asked for, is not in the container, nor can it be made",
  async (host) => {
    const grants = { devices: [{ path: device!, access: "rwm" }], capabilities: ["CAP_MKNOD"] };
    const script = `ls ${device} 2>/dev/null; mknod /dev/shm/x c ${major} ${minor} && : < /dev/shm/x`;
    const result = await owned.runScript(host, grants, script, (config) => setCapabilities(config, ["CAP_MKNOD"]));
    assert.equal(result.stdout, "");
    assert.match(result.stderr, /not permitted|Permission denied/);
  },
  needsDevice,
);

// --- mounts

function askMount(source: string, destination: string, ...options: string[]): Change {
  return (config) => {
    config.mounts.push({ destination, type: "bind", source, options: ["rbind", ...options] });
  };
}
const mountAt = (text: string, target: string) => parseMountinfo(text).find((mount) => mount.target === target)!;

testBoth("mounts: granted rw, the bundle decides; granted ro, the kernel refuses to write", async (host) => {
  const source = ws.newDirectory();
  const grant = (access: "ro" | "rw") => ({ mounts: [{ source, destination: "/var", access }] });
  const show = "cat /proc/self/mountinfo";
  const shown = await owned.output(
    host,
    grant("rw"),
    `echo 7 > /var/new; ${show}`,
    askMount(source, "/var", "rw", "suid", "dev"),
  );
  assert.equal(readFileSync(join(source, "new"), "utf8"), "7\n");
  const { options } = mountAt(shown, "/var");
  assert.deepEqual(
    ["rw", "nosuid", "nodev"].filter((option) => options.includes(option)),
    ["rw", "nosuid", "nodev"],
  );

  const readOnly = await owned.output(host, grant("rw"), show, askMount(source, "/var", "ro"));
  assert.ok(mountAt(readOnly, "/var").options.includes("ro"));

  const clamped = await owned.runScript(
    host,
    grant("ro"),
    `${show}; echo 8 > /var/new`,
    askMount(source, "/var", "rw"),
  );
  assert.ok(mountAt(clamped.stdout, "/var").options.includes("ro"));
  assert.match(clamped.stderr, /Read-only file system/);
  assert.equal(readFileSync(join(source, "new"), "utf8"), "7\n");
});

testBoth("mounts: granted ro, what is mounted below the source is read-only as well", async (host) => {
  const source = ws.newDirectory();
  const inner = join(source, "inner");
  mkdirSync(inner);
  const grants = { mounts: [{ source, destination: "/var", access: "ro" as const }] };
  assert.equal(execute("mount", ["-t", "tmpfs", ws.tag, inner]).status, 0);
  try {
    const result = await owned.runScript(host, grants, "echo 7 > /var/inner/new", askMount(source, "/var", "rw"));
    assert.match(result.stderr, /Read-only file system/);
    assert.equal(existsSync(join(inner, "new")), false);
  } finally {
    execute("umount", [inner]);
  }
});

testBoth("mounts: what is not granted is refused", async (host) => {
  const source = ws.newDirectory();
  mkdirSync(join(source, "below"));
  symlinkSync(source, `${source}-link`);
  const grants = { mounts: [{ source, destination: "/var", access: "rw" as const }] };
  const denied = (from: string, to: string, granted = "nothing", rule = "grants.mounts") =>
    `mount ${to} (asked: ${from} rw; granted: ${granted}; rule: ${rule})`;
  await owned.assertDenied(host, {}, askMount(source, "/var"), denied(source, "/var"));
  await owned.assertDenied(host, grants, askMount(source, "/tmp"), denied(source, "/tmp"));
  for (const other of [join(source, "below"), `${source}-link`, "/"]) {
    await owned.assertDenied(host, grants, askMount(other, "/var"), denied(other, "/var", `${source} rw`));
  }
  const up = `${source}/below/..`;
  await owned.assertDenied(host, grants, askMount(up, "/var"), denied(up, "/var", "nothing", "base: plain paths"));
  await owned.assertDenied(
    host,
    {},
    (config) => void config.mounts.push({ destination: "/var", type: "debugfs", source: "debugfs" }),
    "mount /var (asked: debugfs rw; granted: nothing; rule: base: mounts)",
  );
});

testBoth("mounts: a tmpfs is no larger than the memory that is granted", async (host) => {
  for (const [option, size] of [
    ["mode=1777", "65536k"],
    ["size=1g", "65536k"],
    ["size=1m", "1024k"],
    ["size=0", "65536k"],
  ] as const) {
    const shown = await owned.output(host, {}, "cat /proc/self/mountinfo", (config) => {
      config.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: [option] });
    });
    assert.ok(mountAt(shown, "/tmp").superOptions.includes(`size=${size}`), option);
  }
});

// --- network and other namespaces

const ownNetwork = readlinkSync("/proc/self/ns/net");
const seeNetwork = "readlink /proc/self/ns/net";
const network = (askedFor: string, granted: string) =>
  `namespace network (asked: ${askedFor}; granted: ${granted}; rule: grants.network)`;
const withHost: Change = (config) => dropNamespace(config, "network");

testBoth("network none: a new, empty namespace; the host's is refused", async (host) => {
  for (const grants of [{}, { network: { mode: "none" as const } }]) {
    const [inode, ...interfaces] = (await owned.output(host, grants, `${seeNetwork}; ls /sys/class/net`)).split("\n");
    assert.notEqual(inode, ownNetwork);
    // Some kernels put tunnels, which are down, into every namespace.
    assert.equal(interfaces.includes("lo") && !interfaces.includes("eth0"), true, interfaces.join());
    await owned.assertDenied(host, grants, withHost, network("host", "new"));
    // By way of a path it is the host's all the same.
    const byPath: Change = (config) => setNamespace(config, "network", `/proc/${process.pid}/ns/net`);
    await owned.assertDenied(host, grants, byPath, network("host", "new"));
  }
});

testBoth("network host: the host's; a new one is allowed, too", async (host) => {
  const grants = { network: { mode: "host" as const } };
  assert.equal(await owned.output(host, grants, seeNetwork, withHost), ownNetwork);
  assert.notEqual(await owned.output(host, grants, seeNetwork), ownNetwork);
});

testBoth("network namespace: one that exists, by its path, but never the host's", async (host) => {
  const holder = launch("unshare", ["--net", "sleep", "100"]);
  const path = `/proc/${holder.pid}/ns/net`;
  const join: Change = (config) => setNamespace(config, "network", path);
  const any = { network: { mode: "namespace" as const } };
  try {
    const inode = waitFor("a network namespace", () => {
      const found = readlinkSync(path);
      return found !== ownNetwork && found;
    });
    assert.equal(await owned.output(host, any, seeNetwork, join), inode);
    assert.equal(await owned.output(host, { network: { mode: "namespace", path } }, seeNetwork, join), inode);
  } finally {
    holder.child.kill("SIGKILL");
    await holder.end();
  }
  const other = { network: { mode: "namespace" as const, path: "/run/netns/app" } };
  await owned.assertDenied(host, other, join, network(`joined ${path}`, "joined /run/netns/app"));
  await owned.assertDenied(host, {}, join, network(`joined ${path}`, "new"));
  const hostByPath: Change = (config) => setNamespace(config, "network", `/proc/${process.pid}/ns/net`);
  for (const change of [withHost, hostByPath]) {
    await owned.assertDenied(host, any, change, network("host", "joined any but the host's"));
  }
});

testBoth("other namespaces are the container's own", async (host) => {
  for (const [type, file] of [
    ["pid", "pid"],
    ["ipc", "ipc"],
    ["uts", "uts"],
  ] as const) {
    const denied = (askedFor: string) =>
      `namespace ${type} (asked: ${askedFor}; granted: new; rule: base: own namespaces)`;
    const drop: Change = (config) => {
      dropNamespace(config, type);
      if (type === "uts") delete (config as { hostname?: string }).hostname;
    };
    await owned.assertDenied(host, {}, drop, denied("host"));
    const joined: Change = (config) => {
      setNamespace(config, type, `/proc/${process.pid}/ns/${file}`);
      delete (config as { hostname?: string }).hostname;
    };
    await owned.assertDenied(host, {}, joined, denied("host"));
  }
});

testBoth("every denial of a bundle is in the one line", async (host) => {
  await owned.assertDenied(
    host,
    {},
    (config) => {
      askMount("/", "/var")(config);
      withHost(config);
    },
    network("host", "new"),
    "mount /var (asked: / rw; granted: nothing; rule: grants.mounts)",
  );
});

testBoth("plan shows each decision, and exits with 1 where something is denied", async (host) => {
  const c = owned.bundle(askMount("/", "/var"));
  const manifest = await owned.signDefault();
  const text = owned.call(host, ["plan", "--manifest", manifest, "--bundle", c.directory]);
  assert.equal(text.status, 1);
  assert.match(text.stdout, /^! denied +mount \/var +\/ rw +- +grants\.mounts$/m);
  const json = JSON.parse(owned.call(host, ["plan", "--json", "--manifest", manifest, "--bundle", c.directory]).stdout);
  const denied = json.decisions.filter((decision: { verdict: string }) => decision.verdict === "denied");
  assert.deepEqual(
    denied.map(({ subject }: { subject: string }) => subject),
    ["mount /var"],
  );
  ws.assertNothingLeft();
});

// --- labels

testBoth(
  "a label that nothing on this host enforces is refused",
  async (host) => {
    const manifest = await owned.sign(makeManifest({ grants: leastGrants }));
    const c = owned.bundle((config) => {
      config.process.apparmorProfile = "edge";
    });
    owned.assertRefused(host, c, ["--manifest", manifest], /\$\.process\.apparmorProfile: AppArmor is not enabled/);
  },
  existsSync("/sys/module/apparmor") ? { skip: "this host has AppArmor" } : {},
);
