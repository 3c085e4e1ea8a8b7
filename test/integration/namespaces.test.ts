// SPDX-License-Identifier: Apache-2.0
// linux.namespaces: new ones, those of another container by path, and the host's.

import assert from "node:assert/strict";
import { readFileSync, readlinkSync } from "node:fs";
import { test } from "node:test";
import { type Config, dropNamespace, type Mount, setNamespace, setUserNamespace } from "./support/config.ts";
import { parseMountinfo, statusFields } from "./support/inside.ts";
import { sinceLinux } from "./support/kernel.ts";
import { execute, launch, waitFor } from "./support/process.ts";
import { lacking, runtimePath } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
/** OCI type and the file's name in /proc/PID/ns. */
const namespaces = [
  ["pid", "pid"],
  ["network", "net"],
  ["ipc", "ipc"],
  ["uts", "uts"],
  ["mount", "mnt"],
  ["cgroup", "cgroup"],
  ["time", "time"],
  ["user", "user"],
] as const;
const hostId = 200_000;
const rootOfUsers = ws.newRootfs();
const inUserNamespace = (config: Config) => {
  config.root = { path: rootOfUsers, readonly: false };
  setUserNamespace(config, hostId);
};
const sinceRuntimeSpec11 = { runc: "1.1 has no time namespaces", crun: "1.8 has no time namespaces" };
const hostNamespace = (file: string) => readlinkSync(`/proc/self/ns/${file}`);
const ownNamespace = (file: string) => `readlink /proc/self/ns/${file}`;

for (const [type, file] of namespaces) {
  const options = type === "time" ? lacking(sinceRuntimeSpec11) : {};

  test(`a new ${type} namespace is not the host's`, options, () => {
    const rootfs = ws.newRootfs();
    const inside = ws.output(ownNamespace(file), (config) => {
      if (type === "user") {
        config.root = { path: rootfs, readonly: false };
        setUserNamespace(config, 0);
      } else setNamespace(config, type);
    });
    assert.match(inside, new RegExp(`^${file}:\\[\\d+\\]$`));
    assert.notEqual(inside, hostNamespace(file));
  });

  if (type === "mount") continue; // without one, the container's /proc would be mounted on the host
  test(`without a ${type} namespace the container is in the host's`, () => {
    assert.equal(
      ws.output(ownNamespace(file), (config) => {
        dropNamespace(config, type);
        if (type === "uts") delete config.hostname;
      }),
      hostNamespace(file),
    );
  });
}

for (const [type, file] of namespaces) {
  // Joining a user or mount namespace changes who may do the rest; tested apart.
  if (type === "user" || type === "mount") continue;
  test(`a ${type} namespace is joined by path`, type === "time" ? lacking(sinceRuntimeSpec11) : {}, () => {
    const first = ws.running((config) => setNamespace(config, type));
    const path = `/proc/${first.pid}/ns/${file}`;
    assert.equal(
      ws.output(ownNamespace(file), (config) => setNamespace(config, type, path)),
      readlinkSync(path),
    );
  });

  test(`a ${type} namespace of the host is joined below a new user namespace`, joinedBelow(type), () => {
    const first = ws.running((config) => setNamespace(config, type));
    const path = `/proc/${first.pid}/ns/${file}`;
    const inside = ws.output(`${ownNamespace(file)}; cat /proc/self/uid_map`, (config) => {
      setUserNamespace(config, hostId);
      setNamespace(config, type, path);
      // What shows a namespace is mounted only by who owns it: the host's /proc, and nothing else.
      const bound: Mount = { destination: "/proc", type: "bind", source: "/proc", options: ["rbind"] };
      config.mounts = [bound, ...config.mounts.filter(({ destination }) => /^\/dev(\/pts)?$/.test(destination))];
      config.linux.maskedPaths = [];
      config.linux.readonlyPaths = [];
      if (type === "uts") delete config.hostname;
    });
    assert.deepEqual(inside.split(/\s+/), [readlinkSync(path), "0", `${hostId}`, "65536"]);
  });
}

function joinedBelow(type: string): { skip?: string } {
  return lacking(type === "time" ? sinceRuntimeSpec11 : {});
}

test("a user namespace is joined by path, and new ones are made below it", () => {
  const first = ws.running(inUserNamespace);
  const script = `${ownNamespace("user")}; ${ownNamespace("net")}; cat /proc/self/uid_map; echo $$`;
  const [user, net, ...rest] = ws
    .output(script, (config) => {
      inUserNamespace(config);
      setNamespace(config, "user", `/proc/${first.pid}/ns/user`);
    })
    .split(/\s+/);
  assert.equal(user, readlinkSync(`/proc/${first.pid}/ns/user`));
  assert.notEqual(net, readlinkSync(`/proc/${first.pid}/ns/net`));
  assert.deepEqual(rest, ["0", `${hostId}`, "65536", "1"]);
});

test("every namespace of another container is joined, but that of mounts", () => {
  const first = ws.running((config) => {
    inUserNamespace(config);
    setNamespace(config, "cgroup");
  });
  const files = namespaces.filter(([type]) => type !== "mount" && type !== "time");
  const script = files.map(([, file]) => ownNamespace(file)).join(";");
  const inside = ws.output(script, (config) => {
    inUserNamespace(config);
    delete config.hostname;
    for (const [type, file] of files) setNamespace(config, type, `/proc/${first.pid}/ns/${file}`);
  });
  assert.deepEqual(
    inside.split("\n"),
    files.map(([, file]) => readlinkSync(`/proc/${first.pid}/ns/${file}`)),
  );
});

test("a mount namespace is joined by path", lacking({ runc: "1.1 can't make a root there" }), async () => {
  const holder = launch("unshare", ["--mount", "--propagation", "private", "sleep", "1000"]);
  try {
    const path = `/proc/${holder.pid}/ns/mnt`;
    waitFor("the mount namespace", () => readlinkSync(path) !== hostNamespace("mnt"));
    const wanted = readlinkSync(path);
    assert.equal(
      ws.output(ownNamespace("mnt"), (config) => setNamespace(config, "mount", path)),
      wanted,
    );
  } finally {
    holder.child.kill("SIGKILL");
    await holder.end();
  }
});

test("a process in a joined pid namespace is seen there", () => {
  const first = ws.running();
  const second = ws.running((config) => setNamespace(config, "pid", `/proc/${first.pid}/ns/pid`));
  const number = statusFields(readFileSync(`/proc/${second.pid}/status`, "utf8"))
    .NSpid!.split("\t")
    .at(-1);
  assert.equal(first.output(`grep Name /proc/${number}/status`), "Name:\tsh");
});

test("the program is pid 1 of a new pid namespace", () => {
  assert.equal(ws.output("echo $$"), "1");
});

test("a path to a namespace of another type is refused", () => {
  const c = ws.bundle((config) => setNamespace(config, "network", "/proc/self/ns/uts"));
  assert.notEqual(c.run().status, 0);
  ws.assertNothingLeft();
});

test("a path that is no namespace is refused", () => {
  const c = ws.bundle((config) => setNamespace(config, "network", "/etc/passwd"));
  assert.notEqual(c.run().status, 0);
  ws.assertNothingLeft();
});

test("a namespace path that is missing is refused", () => {
  const c = ws.bundle((config) => setNamespace(config, "network", "/no/such/namespace"));
  assert.notEqual(c.run().status, 0);
  ws.assertNothingLeft();
});

test("a namespace that is named twice is refused", lacking({ crun: "takes it" }), () => {
  const c = ws.bundle((config) => config.linux.namespaces.push({ type: "uts" }));
  assert.notEqual(c.run().status, 0);
  ws.assertNothingLeft();
});

test("an unknown namespace type is refused", () => {
  const c = ws.bundle((config) => config.linux.namespaces.push({ type: "galaxy" }));
  assert.notEqual(c.run().status, 0);
  ws.assertNothingLeft();
});

test("a new network namespace has its loopback device up and nothing else", () => {
  assert.equal(ws.output("cut -d: -f1 /proc/net/dev | tail -n +3 | tr -d ' '").includes("lo"), true);
  assert.match(ws.output("ip -o link show lo"), /LOOPBACK,UP/);
});

test("a new cgroup namespace shows the container's cgroup as the root", () => {
  const lines = ws.output("cat /proc/self/cgroup", (config) => setNamespace(config, "cgroup")).split("\n");
  assert.deepEqual(
    [...new Set(lines.filter((line) => /:(memory|cpu|pids)?:/.test(line)).map((line) => line.split(":")[2]))],
    ["/"],
  );
});

test("System V shared memory of the host is not seen", () => {
  assert.equal(ws.output("tail -n +2 /proc/sysvipc/shm | wc -l"), "0");
});

test("hostname is set in the new uts namespace and the host keeps its own", () => {
  const before = ws.output("hostname", (config) => {
    dropNamespace(config, "uts");
    delete config.hostname;
  });
  assert.equal(
    ws.output("hostname", (config) => {
      config.hostname = "meter-7";
    }),
    "meter-7",
  );
  assert.equal(
    ws.output("hostname", (config) => {
      dropNamespace(config, "uts");
      delete config.hostname;
    }),
    before,
  );
});

test("hostname without a uts namespace is refused", lacking({ crun: "1.8 sets nothing, silently" }), () => {
  const c = ws.bundle((config) => dropNamespace(config, "uts"));
  assert.notEqual(c.run().status, 0);
});

test("domainname is set", lacking({ runc: "1.1 has no domainname" }), () => {
  assert.equal(
    ws.output("cat /proc/sys/kernel/domainname", (config) => {
      config.domainname = "grid.example.com";
    }),
    "grid.example.com",
  );
});

/** In a new time namespace with these offsets. */
const withOffsets = (offsets: Record<string, { secs?: number; nanosecs?: number }>) => (config: Config) => {
  setNamespace(config, "time");
  Object.assign(config.linux, { timeOffsets: offsets });
};

test("time offsets shift the container's clocks", lacking(sinceRuntimeSpec11), () => {
  const script = "cat /proc/self/timens_offsets; cut -d. -f1 /proc/uptime; echo $$";
  const offsets = { monotonic: { secs: -2, nanosecs: 5 }, boottime: { secs: 1_000_000, nanosecs: 6 } };
  const [monotonic, boottime, uptime, pid] = ws.output(script, withOffsets(offsets)).split("\n");
  assert.deepEqual(monotonic!.split(/\s+/), ["monotonic", "-2", "5"]);
  assert.deepEqual(boottime!.split(/\s+/), ["boottime", "1000000", "6"]);
  assert.ok(Number(uptime) > 1_000_000, uptime);
  assert.equal(pid, "1", "it is still the first process of its pid namespace");
});

test("time offsets in a user namespace", lacking(sinceRuntimeSpec11), () => {
  const uptime = ws.output("cut -d. -f1 /proc/uptime", (config) => {
    inUserNamespace(config);
    withOffsets({ boottime: { secs: 1_000_000 } })(config);
  });
  assert.ok(Number(uptime) > 1_000_000, uptime);
});

test("exec, and a container that joins the time namespace, see the same clocks", lacking(sinceRuntimeSpec11), () => {
  const c = ws.running(withOffsets({ boottime: { secs: 1_000_000 } }));
  assert.ok(Number(c.output("cut -d. -f1 /proc/uptime")) > 1_000_000);
  const path = `/proc/${c.pid}/ns/time`;
  assert.ok(Number(ws.output("cut -d. -f1 /proc/uptime", (config) => setNamespace(config, "time", path))) > 1_000_000);
});

test("time offsets that would stop the clock before zero are refused", lacking(sinceRuntimeSpec11), () => {
  const c = ws.bundle(withOffsets({ monotonic: { secs: -1_000_000_000 } }));
  const pattern = /time namespace offsets: (numerical )?result (out of range|not representable)/i;
  c.fail(pattern, ["create", "--bundle", c.directory, c.id]);
  ws.assertNothingLeft();
});

for (const type of ["time", "user"]) {
  test(`more ${type} namespaces than there may be`, lacking({ runc: "says less", crun: "says less" }), () => {
    const c = ws.bundle(type === "user" ? inUserNamespace : withOffsets({}));
    // The limit is one of a user namespace, whose root may set it.
    const script = `echo 0 > /proc/sys/user/max_${type}_namespaces; exec "$@"`;
    const create = [runtimePath, ...ws.globalFlags, "create", "--bundle", c.directory, c.id];
    const result = execute("unshare", ["--user", "--map-root-user", "sh", "-c", script, "sh", ...create]);
    assert.match(result.stderr, /namespaces 0x[0-9a-f]+: a limit in \/proc\/sys\/user is reached: no space left/i);
    ws.assertNothingLeft();
  });
}

const withoutMountNamespace = {
  ...sinceLinux(6, 15, "nothing can be mounted in a tree that is not attached"),
  ...lacking({
    runc: "1.1 runs the program in the host's root, and leaves a mount",
    crun: "leaves its mounts on the host",
  }),
};

test("without a mount namespace the container has its mounts, and the host none of them", withoutMountNamespace, () => {
  const change = (config: Config) => {
    dropNamespace(config, "mount");
    delete config.linux.maskedPaths;
    delete config.linux.readonlyPaths;
    config.root.readonly = false;
  };
  const c = ws.running(change);
  assert.equal(readlinkSync(`/proc/${c.state().pid}/ns/mnt`), hostNamespace("mnt"));
  assert.equal(c.output("cat /proc/1/comm; stat -f -c %T /dev /proc /dev/shm"), "sh\ntmpfs\nproc\ntmpfs");
  const targets = parseMountinfo(readFileSync("/proc/self/mountinfo", "utf8")).map(({ target }) => target);
  assert.deepEqual(
    targets.filter((target) => target.startsWith(ws.directory)),
    [],
  );
});
