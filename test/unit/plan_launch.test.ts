// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { planExec } from "../../src/plan/exec.ts";
import { formatPlan } from "../../src/plan/format.ts";
import { listUnenforcedLabels } from "../../src/plan/labels.ts";
import type { Spec } from "../../src/spec/config.ts";
import { decodeSpec } from "../../src/spec/decode.ts";
import { launch, pick, smallSpec, v1Facts } from "./plan_fixture.ts";

const NEWTIME = 0x80;
const NEWNS = 0x20000;
const NEWUTS = 0x4000000;
const NEWIPC = 0x8000000;
const NEWUSER = 0x10000000;
const NEWPID = 0x20000000;
const NEWNET = 0x40000000;

const names = (plan: { operations: { op: string }[] }) => plan.operations.map(({ op }) => op);
const mappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
const maps = { uidMappings: mappings, gidMappings: mappings };

test("new namespaces: pid and user at clone, the others by unshare, loopback up", () => {
  const types = ["pid", "user", "mount", "network", "ipc", "uts"];
  const plan = launch(smallSpec({ linux: { namespaces: types.map((type) => ({ type })), ...maps } }));
  assert.equal(plan.cloneFlags, NEWPID | NEWUSER);
  assert.deepEqual(
    pick(plan, "unshare").map(({ flags }) => flags),
    [NEWNS | NEWNET | NEWUTS, NEWIPC],
    "the ipc namespace is made by the root of the user namespace",
  );
  assert.equal(plan.operations[1]?.op, "bring_loopback_up");
  assert.deepEqual(plan.idMaps, { uid: "0 100000 65536\n", gid: "0 100000 65536\n" });
});

test("the root is opened before the rights of the host's root are given up, mounts come after", () => {
  const linux = { namespaces: [{ type: "user" }, { type: "mount" }], ...maps };
  const names = launch(smallSpec({ linux, mounts: [{ destination: "/a", type: "tmpfs" }] })).operations.map(
    ({ op }) => op,
  );
  const order = ["unshare", "open_root", "wait_go", "set_ids_in_userns", "mount_filesystem", "pivot_root"];
  assert.deepEqual(
    order.map((op) => names.indexOf(op as (typeof names)[number])).toSorted((a, b) => a - b),
    order.map((op) => names.indexOf(op as (typeof names)[number])),
  );
});

test("joined namespaces: the user namespace last, a fork into the pid namespace, nothing at clone", () => {
  const namespaces = [
    { type: "mount", path: "/ns/mnt" },
    { type: "pid", path: "/ns/pid" },
    { type: "user", path: "/ns/user" },
    { type: "network", path: "/ns/net" },
  ];
  const plan = launch(smallSpec({ linux: { namespaces } }));
  assert.equal(plan.cloneFlags, 0);
  assert.equal(plan.idMaps, null);
  assert.deepEqual(pick(plan, "join_namespaces"), [
    {
      op: "join_namespaces",
      types: [NEWNET, NEWPID, NEWNS, NEWUSER],
      sources: ["/ns/net", "/ns/pid", "/ns/mnt", "/ns/user"],
    },
  ]);
  assert.deepEqual(names(plan).slice(0, 2), ["join_namespaces", "fork"]);
  assert.equal(pick(plan, "unshare").length, 0);
  assert.equal(pick(plan, "bring_loopback_up").length, 0);
});

test("a new pid namespace below a joined user namespace is made by the fork", () => {
  const namespaces = [{ type: "user", path: "/ns/user" }, { type: "pid" }, { type: "mount" }];
  const plan = launch(smallSpec({ linux: { namespaces } }));
  assert.equal(plan.cloneFlags, 0);
  assert.equal(pick(plan, "fork")[0]?.flags, NEWPID);
});

test("a new user namespace comes after what is joined, and a fork after it, for the id maps", () => {
  for (const [pid, flags] of [
    [[{ type: "pid" }], NEWPID],
    [[], 0],
  ] as const) {
    const namespaces = [{ type: "user" }, { type: "network", path: "/ns/net" }, { type: "mount" }, ...pid];
    const plan = launch(smallSpec({ linux: { namespaces, ...maps } }));
    assert.equal(plan.cloneFlags, 0);
    assert.deepEqual(names(plan).slice(0, 4), ["join_namespaces", "unshare", "fork", "unshare"]);
    assert.deepEqual(
      pick(plan, "unshare").map((one) => one.flags),
      [NEWUSER, NEWNS],
    );
    assert.equal(pick(plan, "fork")[0]?.flags, flags);
    assert.notEqual(plan.idMaps, null);
  }
});

test("a new time namespace is entered by a fork, after its offsets are set", () => {
  const timeOffsets = { monotonic: { secs: -5, nanosecs: 7 }, boottime: { secs: 3 } };
  const namespaces = [{ type: "pid" }, { type: "time" }, { type: "mount" }];
  const plan = launch(smallSpec({ linux: { namespaces, timeOffsets } }));
  assert.equal(plan.cloneFlags, 0);
  assert.deepEqual(names(plan).slice(0, 4), ["unshare", "time_offsets", "fork", "unshare"]);
  assert.equal(pick(plan, "time_offsets")[0]?.text, "monotonic -5 7\nboottime 3 0");
  assert.deepEqual([pick(plan, "unshare")[0]?.flags, pick(plan, "fork")[0]?.flags], [NEWTIME, NEWPID]);
  const inUser = launch(smallSpec({ linux: { namespaces: [...namespaces, { type: "user" }], ...maps } }));
  assert.equal(inUser.cloneFlags, NEWUSER);
});

test("devices: nodes, or the host's nodes in a user namespace; config.json's instead of the default", () => {
  const devices = [{ path: "/dev/null", type: "c", major: 1, minor: 3, fileMode: 0o20600, uid: 5 }];
  const own = launch(smallSpec({ linux: { devices } }));
  const nulls = pick(own, "make_device").filter(({ target }) => target === "/dev/null");
  assert.equal(nulls.length, 1);
  assert.equal(nulls[0]?.mode, 0o600);
  assert.equal(nulls[0]?.uid, 5);
  const inUserns = launch(smallSpec({ linux: { namespaces: [{ type: "user" }, { type: "mount" }], ...maps } }));
  assert.equal(pick(inUserns, "make_device").length, 0);
  assert.equal(pick(inUserns, "bind_device").length, 6);
  const nested = launch(smallSpec(), { facts: { ...v1Facts(), initialUserNamespace: false } });
  assert.equal(pick(nested, "bind_device").length, 6);
});

test("a bound /dev is left alone", () => {
  const plan = launch(smallSpec({ mounts: [{ destination: "/dev/", source: "/dev", options: ["rbind"] }] }));
  assert.equal(pick(plan, "make_device").length + pick(plan, "make_symlink").length, 0);
});

test("hooks: host hooks only where there are some; inner ones with the state, the pid first", () => {
  assert.equal(pick(launch(smallSpec()), "host_hooks").length, 0);
  const hooks = {
    prestart: [{ path: "/a" }],
    createContainer: [{ path: "/b", timeout: 3 }],
    startContainer: [{ path: "/c", args: ["c", "d"], env: ["E=f"] }],
  };
  const plan = launch(smallSpec({ hooks, annotations: { note: "@PID@" } }));
  const names = plan.operations.map(({ op }) => op);
  assert.ok(names.indexOf("host_hooks") < names.indexOf("run_hook"));
  const [create, start] = pick(plan, "run_hook");
  assert.deepEqual([create?.timeoutMs, create?.args, create?.env], [3000, ["/b"], []]);
  assert.deepEqual([start?.args, start?.env], [["c", "d"], ["E=f"]]);
  assert.ok(create?.input.startsWith('{"pid":@PID@,'));
  assert.deepEqual(JSON.parse(create?.input.replace("@PID@", "12") ?? ""), {
    pid: 12,
    ociVersion: "1.3.0",
    id: "meter-7",
    status: "creating",
    bundle: "/bundle",
    annotations: { note: "@PID@" },
  });
  assert.ok(names.lastIndexOf("run_hook") > names.indexOf("ready"));
});

test("process: groups, umask, search path, environment", () => {
  const plan = launch(
    smallSpec({
      process: { user: { uid: 7, gid: 8, additionalGids: [9] }, env: ["A=1", "PATH=/bin", "A=2"], args: ["x", "y"] },
    }),
  );
  const [user] = pick(plan, "set_user");
  assert.deepEqual([user?.uid, user?.gid, user?.groups, user?.umask], [7, 8, [9], 0o022]);
  assert.equal(pick(plan, "find_program")[0]?.searchPath, "/bin");
  assert.deepEqual(pick(plan, "exec")[0]?.env, ["A=2", "PATH=/bin"]);
  assert.deepEqual(pick(plan, "set_home"), [{ op: "set_home", uid: 7 }]);
  assert.deepEqual(pick(launch(smallSpec({ process: { env: ["HOME=/x"] } })), "set_home"), []);
  assert.deepEqual(pick(plan, "exec")[0]?.args, ["x", "y"]);
});

test("ambient capabilities that can't be raised are left out with a warning", () => {
  const capabilities = {
    permitted: ["CAP_KILL", "CAP_SYS_TIME"],
    inheritable: ["CAP_KILL"],
    ambient: ["CAP_KILL", "CAP_SYS_TIME"],
  };
  const plan = launch(smallSpec({ process: { capabilities } }));
  assert.equal(pick(plan, "set_capabilities")[0]?.ambient, 1 << 5);
  assert.match(plan.warnings[0]!, /CAP_SYS_TIME/);
  assert.equal(pick(plan, "limit_capability_bounds")[0]?.bounding, 0);
});

test("scheduler, I/O priority, limits", () => {
  const plan = launch(
    smallSpec({
      process: {
        scheduler: { policy: "SCHED_OTHER", nice: -5, flags: ["SCHED_FLAG_RESET_ON_FORK"] },
        ioPriority: { class: "IOPRIO_CLASS_IDLE", priority: 0 },
        rlimits: [{ type: "RLIMIT_NOFILE", soft: 1024, hard: 18446744073709551615n }],
      },
    }),
  );
  assert.equal(pick(plan, "set_scheduler")[0]?.nice, 4294967291);
  assert.equal(pick(plan, "set_io_priority")[0]?.value, 3 << 13);
  assert.deepEqual(plan.resourceLimits, [
    { type: "RLIMIT_NOFILE", resource: 7, soft: 1024n, hard: 18446744073709551615n },
  ]);
});

test("for the stack's limit init says when it runs, and without a process it exits instead of starting one", () => {
  const limits = (type: string) => ({ process: { rlimits: [{ type, soft: 1, hard: 2 }] } });
  const names = launch(smallSpec(limits("RLIMIT_STACK"))).operations.map(({ op }) => op);
  assert.ok(names.includes("announce") && names.indexOf("announce") < names.indexOf("wait_go"));
  assert.deepEqual(pick(launch(smallSpec(limits("RLIMIT_NOFILE"))), "announce"), []);
  const { spec } = decodeSpec({ ociVersion: "1.3.0", root: { path: "rootfs" } });
  const idle = launch(spec).operations.map(({ op }) => op);
  assert.deepEqual(idle.slice(-3), ["ready", "close_descriptors", "exit"]);
  assert.ok(!idle.includes("find_program"));
});

test("labels need their security module", () => {
  const none = { ...v1Facts(), securityModules: [] };
  const unenforced = (spec: Spec) => listUnenforcedLabels(spec.process, spec.linux ?? {}, none);
  const labelled = smallSpec({
    process: { apparmorProfile: "edge", selinuxLabel: "a:b:c" },
    linux: { mountLabel: "a:b:d" },
  });
  assert.deepEqual(unenforced(labelled), [
    "config.json: $.process.apparmorProfile: AppArmor is not enabled on this host",
    "config.json: $.process.selinuxLabel: SELinux is not enabled on this host",
    "config.json: $.linux.mountLabel: SELinux is not enabled on this host",
  ]);
  assert.deepEqual(pick(launch(labelled, { facts: none }), "set_lsm_label"), []);
  assert.deepEqual(unenforced(smallSpec({ process: { apparmorProfile: "unconfined" } })), []);
  const [label] = pick(launch(smallSpec({ process: { apparmorProfile: "edge" } })), "set_lsm_label");
  assert.deepEqual(label, { op: "set_lsm_label", attribute: "apparmor/exec", label: "exec edge" });
});

test("network interfaces are moved when namespaces are there, before hooks and sysctls", () => {
  const linux = {
    namespaces: [{ type: "network" }, { type: "mount" }],
    netDevices: { eth0: {}, eth1: { name: "wan%d" } },
    sysctl: { "net.ipv4.conf.eth0.forwarding": "1" },
  };
  const plan = launch(smallSpec({ linux, hooks: { createRuntime: [{ path: "/bin/true" }] } }));
  assert.deepEqual(plan.interfaces, [
    { name: "eth0", newName: "eth0" },
    { name: "eth1", newName: "wan%d" },
  ]);
  const order = ["wait_cgroups", "host_interfaces", "host_hooks", "set_sysctl"];
  assert.deepEqual(
    names(plan).filter((name) => order.includes(name)),
    order,
  );
});

test("refused: systemd's cgroups, a private root without pivot_root, a read-only root without mounts", () => {
  assert.throws(() => launch(smallSpec(), { options: { cgroupManager: "systemd" } }), /systemd/);
  const spec = smallSpec({ linux: { rootfsPropagation: "rprivate" } });
  assert.throws(() => launch(spec, { options: { noPivot: true } }), /rootfsPropagation/);
  const bare = smallSpec({ linux: { namespaces: [] }, root: { path: "rootfs", readonly: true } });
  assert.throws(() => launch(bare), /root\.readonly/);
});

test("in a joined cgroup namespace the host side moves the process: the kernel lets nobody out of it", () => {
  const withCgroup = (namespace: object) =>
    pick(launch(smallSpec({ linux: { namespaces: [{ type: "mount" }, namespace] } })), "join_cgroup").length;
  assert.equal(withCgroup({ type: "cgroup", path: "/proc/7/ns/cgroup" }), 0);
  assert.ok(withCgroup({ type: "cgroup" }) > 0);
});

test("exec joins what the container does not share, through the host's procfs", () => {
  const spec = smallSpec({
    linux: { namespaces: [{ type: "mount" }, { type: "pid" }, { type: "network", path: "/x" }] },
  });
  const plan = planExec({
    spec,
    process: { ...spec.process, args: ["id"], terminal: true },
    id: "meter-7",
    initPid: 99,
    cgroups: ["/sys/fs/cgroup/pids/meter-7"],
    facts: v1Facts(),
    options: { noNewKeyring: true, preserveFds: 2, privileged: true },
  });
  assert.deepEqual(pick(plan, "join_namespaces")[0]?.sources, [
    "/proc/99/ns/net",
    "/proc/99/ns/pid",
    "/proc/99/ns/mnt",
  ]);
  assert.deepEqual(plan.cgroups, []);
  assert.deepEqual(plan.operations[0], { op: "join_cgroup", source: "/sys/fs/cgroup/pids/meter-7" });
  assert.equal(pick(plan, "open_terminal")[0]?.console, 0);
  assert.equal(pick(plan, "close_descriptors")[0]?.first, 5);
  assert.equal(pick(plan, "session_keyring").length, 0);
});

test("the text form names flags, and can't be forged by what is in the plan", () => {
  const text = formatPlan(
    launch(smallSpec({ mounts: [{ destination: "/a\nexec", source: "/x y", options: ["rbind", "ro", "rslave"] }] })),
  );
  assert.ok(
    text.includes(
      'mount_bind source="/x y" target="/a\\nexec" recursive=yes attributesSet=RDONLY propagation=REC|SLAVE\n',
    ),
    text,
  );
  assert.ok(text.includes("\nclone NEWPID\n"));
  assert.ok(text.includes("\nmake_device target=/dev/null type=c major=1 minor=3 mode=0666 uid=0 gid=0\n"));
});
