// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { listMountOptions, parseMountOptions } from "../../src/plan/mount_options.ts";
import { launch, pick, smallSpec, v1Facts } from "./plan_fixture.ts";

const RDONLY = 1;
const NOSUID = 2;
const NODEV = 4;
const NOEXEC = 8;
const NOATIME = 0x10;
const STRICTATIME = 0x20;
const ATIME = 0x70;
const NODIRATIME = 0x80;
const NOSYMFOLLOW = 0x200000;
const REC = 0x4000;

// option, attributes set, attributes cleared
const attributeTable: [string, number, number][] = [
  ["ro", RDONLY, 0],
  ["rw", 0, RDONLY],
  ["nosuid", NOSUID, 0],
  ["suid", 0, NOSUID],
  ["nodev", NODEV, 0],
  ["dev", 0, NODEV],
  ["noexec", NOEXEC, 0],
  ["exec", 0, NOEXEC],
  ["nodiratime", NODIRATIME, 0],
  ["diratime", 0, NODIRATIME],
  ["nosymfollow", NOSYMFOLLOW, 0],
  ["symfollow", 0, NOSYMFOLLOW],
  ["noatime", NOATIME, ATIME],
  ["strictatime", STRICTATIME, ATIME],
  ["relatime", 0, ATIME],
  ["atime", 0, ATIME],
  ["norelatime", 0, ATIME],
  ["nostrictatime", 0, ATIME],
];

test("attribute options, alone and in their recursive form", () => {
  for (const [option, set, clear] of attributeTable) {
    assert.deepEqual(parseMountOptions([option]).own, { set, clear }, option);
    assert.deepEqual(parseMountOptions([`r${option}`]).tree, { set, clear }, `r${option}`);
  }
});

test("of two options that contradict each other the later one counts", () => {
  assert.deepEqual(parseMountOptions(["ro", "rw"]).own, { set: 0, clear: RDONLY });
  assert.deepEqual(parseMountOptions(["rw", "ro"]).own, { set: RDONLY, clear: 0 });
  assert.equal(parseMountOptions(["ro", "rw"]).readOnly, false);
  assert.deepEqual(parseMountOptions(["noatime", "strictatime"]).own, { set: STRICTATIME, clear: ATIME });
  assert.equal(parseMountOptions(["sync", "async", "lazytime"]).superFlags, 0x2000000);
});

test("propagation options", () => {
  const flags = { unbindable: 0x20000, private: 0x40000, slave: 0x80000, shared: 0x100000 };
  for (const [name, flag] of Object.entries(flags)) {
    assert.deepEqual(parseMountOptions([name]).propagation, [flag]);
    assert.deepEqual(parseMountOptions([`r${name}`]).propagation, [flag | REC]);
  }
});

test("every option that the specification says MUST be known is known, and none is data", () => {
  const must =
    "async atime bind defaults dev diratime dirsync exec iversion lazytime loud noatime nodev nodiratime noexec " +
    "noiversion nolazytime norelatime nostrictatime nosuid private rbind relatime remount ro rprivate rshared rslave " +
    "runbindable rw shared silent slave strictatime suid sync unbindable";
  for (const option of must.split(" ")) {
    assert.deepEqual(parseMountOptions([option]).data, [], option);
    assert.ok(listMountOptions().includes(option), option);
  }
});

test("one entry may hold several options; quotes and backslashes keep commas", () => {
  const { data } = parseMountOptions(["size=64k,mode=700,", 'context="u:r:t:s0:c1,c2"', "lowerdir=/a\\,b:/c"]);
  assert.deepEqual(data, ["size=64k", "mode=700", "context=u:r:t:s0:c1,c2", "lowerdir=/a\\,b:/c"]);
});

test("what only the file system knows goes to it as it is", () => {
  const parsed = parseMountOptions(["mode=755", "newinstance", "constructor", "ptmxmode=0666"]);
  assert.deepEqual(parsed.data, ["mode=755", "newinstance", "constructor", "ptmxmode=0666"]);
});

function planOne(mount: object, linux: object = {}) {
  return launch(smallSpec({ mounts: [mount], linux }));
}

test("a bind mount is one by its option or by its type", () => {
  for (const [mount, recursive] of [
    [{ destination: "/a", source: "/x", type: "bind" }, 0],
    [{ destination: "/a", source: "/x", options: ["bind"] }, 0],
    [{ destination: "/a", source: "/x", type: "none", options: ["rbind"] }, 1],
  ] as const) {
    const [bind] = pick(planOne(mount), "mount_bind");
    assert.equal(bind?.source, "/x");
    assert.equal(bind?.recursive, recursive);
  }
});

test("a relative bind source is in the bundle; a destination can't leave the root", () => {
  const [bind] = pick(planOne({ destination: "a/../../b//c/.", source: "data", options: ["rbind"] }), "mount_bind");
  assert.equal(bind?.source, "/bundle/data");
  assert.equal(bind?.target, "/b/c");
});

test("a second propagation option is a change of its own", () => {
  const plan = planOne({ destination: "/a", source: "/x", options: ["rbind", "slave", "shared"] });
  assert.equal(pick(plan, "mount_bind")[0]?.propagation, 0x80000);
  assert.deepEqual(
    pick(plan, "remount").map(({ propagation }) => propagation),
    [0x100000],
  );
});

test("ro of a block file system is also said to its super block", () => {
  const [mount] = pick(
    planOne({ destination: "/a", type: "ext4", source: "/dev/loop0", options: ["ro"] }),
    "mount_filesystem",
  );
  assert.equal(mount?.superFlags, 1);
  assert.equal(mount?.attributes, RDONLY);
});

test("a read-only tmpfs turns read-only late", () => {
  const plan = planOne({ destination: "/run", type: "tmpfs", source: "tmpfs", options: ["ro", "nosuid"] });
  assert.equal(pick(plan, "mount_filesystem")[0]?.attributes, NOSUID);
  const names = plan.operations.map(({ op }) => op);
  assert.ok(names.indexOf("remount") > names.lastIndexOf("make_symlink"));
  assert.ok(names.indexOf("remount") < names.indexOf("pivot_root"));
});

test("the remount option changes an existing mount", () => {
  const plan = planOne({ destination: "/dev", type: "tmpfs", options: ["remount", "ro", "exec", "rnosuid"] });
  assert.deepEqual(pick(plan, "remount"), [
    {
      op: "remount",
      target: "/dev",
      attributesSet: RDONLY,
      attributesClear: NOEXEC,
      recursiveSet: NOSUID,
      recursiveClear: 0,
      propagation: 0,
    },
  ]);
  assert.deepEqual(pick(plan, "reconfigure_filesystem"), []);
});

test("options of the file system are changed by a remount, too, but not by one of a bind mount", () => {
  const plan = planOne({ destination: "/dev", type: "tmpfs", options: ["remount", "size=1m", "sync", "nolazytime"] });
  assert.deepEqual(pick(plan, "reconfigure_filesystem"), [
    { op: "reconfigure_filesystem", target: "/dev", data: ["sync", "nolazytime", "size=1m"] },
  ]);
  assert.throws(() => planOne({ destination: "/dev", options: ["bind", "remount", "size=1m"] }), /"size=1m"/);
});

test("mount(2) is called for what only it can do", () => {
  const long = `lowerdir=${"/layer:".repeat(60)}/last`;
  for (const [options, superFlags] of [
    [["silent"], 0x8000],
    [["acl"], 0x10000],
    [["iversion"], 0x800000],
    [[long], 0],
  ] as const) {
    const plan = planOne({ destination: "/a", type: "overlay", source: "overlay", options: [...options, "shared"] });
    assert.equal(pick(plan, "mount_by_flags")[0]?.superFlags, superFlags);
    assert.equal(pick(plan, "remount")[0]?.propagation, 0x100000);
  }
  for (const options of [
    ["silent", "loud"],
    ["iversion", "noiversion"],
    ["acl", "noacl"],
    [`lowerdir=${"/x".repeat(127)}`],
  ]) {
    assert.deepEqual(pick(planOne({ destination: "/a", type: "overlay", options }), "mount_by_flags"), []);
  }
  const wide = planOne({ destination: "/a", type: "overlay", options: [`lowerdir=/${"\u00e9".repeat(128)}`] });
  assert.equal(pick(wide, "mount_by_flags").length, 1, "bytes count, not characters");
});

test("a tmpfs takes the mode of the directory below it, unless it is told one", () => {
  for (const [options, inheritMode] of [
    [[], 1],
    [["tmpcopyup"], 1],
    [["size=1m,mode=700"], 0],
  ] as const) {
    const plan = planOne({ destination: "/a", type: "tmpfs", options: [...options] });
    assert.equal(pick(plan, "mount_filesystem")[0]?.inheritMode, inheritMode);
  }
});

test("cgroup without a namespace: the container's own directories, links for shared hierarchies, then read-only", () => {
  const plan = planOne({ destination: "/sys/fs/cgroup", type: "cgroup", options: ["nosuid", "ro"] });
  const binds = pick(plan, "mount_bind");
  assert.ok(
    binds.some(
      ({ source, target, attributesSet }) =>
        source === "/sys/fs/cgroup/memory/user.slice/meter-7" &&
        target === "/sys/fs/cgroup/memory" &&
        attributesSet === (RDONLY | NOSUID),
    ),
  );
  assert.equal(binds.length, 11, "the cgroup2 mount of a hybrid host is not shown");
  const links = pick(plan, "make_symlink").filter(({ target }) => target.startsWith("/sys"));
  assert.deepEqual(
    links.map(({ value, target }) => `${target} -> ${value}`),
    [
      "/sys/fs/cgroup/cpu -> cpu,cpuacct",
      "/sys/fs/cgroup/cpuacct -> cpu,cpuacct",
      "/sys/fs/cgroup/net_cls -> net_cls,net_prio",
      "/sys/fs/cgroup/net_prio -> net_cls,net_prio",
    ],
  );
  assert.equal(pick(plan, "remount")[0]?.attributesSet, RDONLY | NOSUID | NODEV | NOEXEC);
});

test("what is not on top of a cgroup mount, or below it, is mounted before the cgroups are joined", () => {
  const cgroup = { destination: "/sys/fs/cgroup", type: "cgroup" };
  const tmpfs = (destination: string) => ({ destination, type: "tmpfs" });
  const mounts = [tmpfs("/a"), cgroup, tmpfs("/b"), tmpfs("/sys/fs/cgroup/x"), tmpfs("/sys"), tmpfs("/sys/y")];
  const { operations } = launch(smallSpec({ mounts }));
  const join = operations.findIndex(({ op }) => op === "join_cgroup");
  const isEarly = (target: string) =>
    operations.findIndex((one) => one.op === "mount_filesystem" && one.target === target) < join;
  assert.deepEqual(["/a", "/b", "/sys/fs/cgroup/x", "/sys", "/sys/y"].map(isEarly), [true, true, false, false, false]);
});

test("cgroup with a namespace: each hierarchy is mounted anew", () => {
  const namespaces = [{ type: "mount" }, { type: "cgroup" }];
  const plan = planOne({ destination: "/sys/fs/cgroup", type: "cgroup" }, { namespaces });
  const mounts = pick(plan, "mount_filesystem").filter(({ type }) => type === "cgroup");
  assert.deepEqual(
    mounts.slice(0, 2).map(({ data }) => data),
    [["name=systemd"], ["cpu", "cpuacct"]],
  );
  const names = plan.operations.map((operation) =>
    operation.op === "unshare" ? `unshare ${operation.flags.toString(16)}` : operation.op,
  );
  assert.ok(names.indexOf("unshare 2000000") > names.indexOf("wait_go"));
});

for (const option of ["size=1", "sync"]) {
  test(`a bind mount can't have the option ${option}: a warning says so`, () => {
    const plan = planOne({ destination: "/a", source: "/x", options: ["bind", option] });
    assert.match(
      plan.warnings.join(),
      new RegExp(`mounts\\[0\\]\\.options: "${option}" is an option of a file system`),
    );
    assert.equal(pick(plan, "mount_bind").length, 1);
  });
}

const refusals: [string, object, RegExp][] = [
  ["over the root", { destination: "/", type: "tmpfs" }, /mounts\[0\]\.destination/],
  ["over procfs", { destination: "/proc", type: "tmpfs" }, /inside \/proc/],
  ["in procfs", { destination: "/proc/./self/attr", type: "tmpfs" }, /inside \/proc/],
  ["without a type", { destination: "/a", source: "/x" }, /mounts\[0\]\.type/],
  ["bind without source", { destination: "/a", options: ["bind"] }, /source/],
  ["tmpcopyup of another type", { destination: "/a", type: "ext4", options: ["tmpcopyup"] }, /tmpcopyup/],
  ["tmpcopyup of a bind mount", { destination: "/a", source: "/x", options: ["bind", "tmpcopyup"] }, /tmpcopyup/],
  ["remount with iversion", { destination: "/a", type: "ext4", options: ["remount", "iversion"] }, /iversion/],
];

for (const [name, mount, message] of refusals) {
  test(`a mount is refused: ${name}`, () => {
    assert.throws(() => planOne(mount), message);
  });
}

test("files that are emulated may lie over procfs, and the host's procfs may be bound", () => {
  planOne({ destination: "/proc/meminfo", source: "/x", options: ["bind"] });
  planOne({ destination: "/proc", source: "/proc", options: ["rbind"] });
});

test("without a mount namespace: mounts in a detached root, chroot, and the host's propagation stays", () => {
  const linux = { namespaces: [{ type: "pid" }] };
  const plain = launch(smallSpec({ linux }));
  assert.equal(pick(plain, "open_root")[0]?.attach, 0);
  const names = plain.operations.map(({ op }) => op);
  assert.ok(names.includes("chroot"));
  assert.ok(!names.includes("set_propagation") && !names.includes("pivot_root"));
  const mounted = launch(smallSpec({ linux, mounts: [{ destination: "/a", type: "tmpfs" }] }));
  assert.equal(pick(mounted, "open_root")[0]?.attach, 2);
});

test("linux.mountLabel needs SELinux, and is not for procfs and sysfs", () => {
  const mounts = [
    { destination: "/proc", type: "proc" },
    { destination: "/tmp", type: "tmpfs" },
  ];
  const spec = smallSpec({ mounts, linux: { namespaces: [{ type: "mount" }], mountLabel: "system_u:object_r:c_t" } });
  assert.deepEqual(
    pick(launch(spec), "mount_filesystem").map(({ data }) => data),
    [[], []],
  );
  const plan = launch(spec, { facts: { ...v1Facts(), securityModules: ["selinux"] } });
  assert.deepEqual(
    pick(plan, "mount_filesystem").map(({ data }) => data),
    [[], ["context=system_u:object_r:c_t"]],
  );
});
