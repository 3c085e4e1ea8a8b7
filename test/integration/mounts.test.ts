// SPDX-License-Identifier: Apache-2.0
// mounts: what the kernel shows in /proc/self/mountinfo inside.

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Config, type Mount, setCapabilities } from "./support/config.ts";
import { type MountEntry, parseMountinfo } from "./support/inside.ts";
import { execute } from "./support/process.ts";
import { expected, lacking } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();

const add =
  (...mounts: Mount[]) =>
  (config: Config) => {
    config.mounts.push(...mounts);
  };
const bind = (source: string, destination: string, ...options: string[]): Mount => ({
  destination,
  type: "bind",
  source,
  options: ["bind", ...options],
});

/** The container's mounts. */
function mountsOf(change?: (config: Config) => void): MountEntry[] {
  return parseMountinfo(ws.output("cat /proc/self/mountinfo", change));
}

/** The last mount on a target: the one that is seen. */
function mountAt(target: string, change: (config: Config) => void): MountEntry {
  const mount = mountsOf(change).findLast((entry) => entry.target === target);
  assert.ok(mount, `no mount on ${target}`);
  return mount;
}

/** A directory outside with a file in it. */
function volume(): string {
  const directory = ws.newDirectory();
  writeFileSync(join(directory, "reading"), "42\n");
  return directory;
}

test("the default mounts are there, in order, with their flags", () => {
  const table = mountsOf().filter((mount) => /^\/(proc|sys|dev)(\/(pts|shm|mqueue))?$/.test(mount.target));
  assert.deepEqual(
    table.map((mount) => [mount.target, mount.type]),
    [
      ["/proc", "proc"],
      ["/dev", "tmpfs"],
      ["/dev/pts", "devpts"],
      ["/dev/shm", "tmpfs"],
      ["/dev/mqueue", "mqueue"],
      ["/sys", "sysfs"],
    ],
  );
  const flags = Object.fromEntries(table.map((mount) => [mount.target, mount.options]));
  assert.deepEqual(flags["/dev/shm"], ["rw", "nosuid", "nodev", "noexec", "relatime"]);
  assert.deepEqual(flags["/sys"], ["ro", "nosuid", "nodev", "noexec", "relatime"]);
  assert.deepEqual(flags["/dev"], ["rw", "nosuid"]);
});

test("none of the host's mounts is seen", () => {
  const types = mountsOf().map((mount) => mount.target);
  assert.equal(types.filter((target) => target.includes("edgerun-test") || target === "/run").length, 0);
});

test("a read-only root can't be written, a writable one can", () => {
  assert.notEqual(ws.runScript("echo x > /etc/new").status, 0);
  const rootfs = ws.newRootfs();
  assert.equal(
    ws.runScript("echo x > /etc/new", (config) => {
      config.root = { path: rootfs, readonly: false };
    }).status,
    0,
  );
  assert.equal(readFileSync(join(rootfs, "etc/new"), "utf8"), "x\n");
});

test("a read-only root is ro in mountinfo", () => {
  assert.ok(mountAt("/", () => undefined).options.includes("ro"));
});

test("the host's root file system stays writable", () => {
  ws.output("true");
  writeFileSync(join(ws.rootfs, "tmp/still-writable"), "");
});

for (const flag of ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime"]) {
  test(`bind with ${flag}`, () => {
    assert.ok(mountAt("/tmp", add(bind(volume(), "/tmp", flag))).options.includes(flag));
  });
  test(`bind without ${flag}`, () => {
    assert.equal(mountAt("/tmp", add(bind(volume(), "/tmp"))).options.includes(flag), false);
  });
}

for (const [flag, shown] of [
  ["ro", "ro"],
  ["nosuid", "nosuid"],
  ["nodev", "nodev"],
  ["noexec", "noexec"],
  ["noatime", "noatime"],
  ["relatime", "relatime"],
] as const) {
  test(`tmpfs with ${flag}`, () => {
    assert.ok(
      mountAt("/tmp", add({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: [flag] })).options.includes(
        shown,
      ),
    );
  });
}

test("strictatime leaves neither relatime nor noatime", () => {
  const { options } = mountAt(
    "/tmp",
    add({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["strictatime"] }),
  );
  assert.equal(
    options.some((option) => option === "relatime" || option === "noatime"),
    false,
  );
});

test("a later option overrides an earlier one", lacking({ crun: "clears no flags" }), () => {
  const { options } = mountAt(
    "/tmp",
    add({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "ro", "suid", "rw"] }),
  );
  assert.deepEqual([options.includes("nosuid"), options.includes("ro")], [false, false]);
});

test("tmpfs takes size and mode", () => {
  const change = add({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["size=1048576", "mode=1770"] });
  assert.ok(mountAt("/tmp", change).superOptions.includes("size=1024k"));
  // runc gives it the mode of the directory below.
  assert.equal(ws.output("stat -c %a /tmp", change), expected({ runc: "1777", crun: "1770", edgerun: "1770" }));
});

test("a tmpfs is full at its size", () => {
  const change = add({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["size=65536"] });
  assert.notEqual(ws.runScript("dd if=/dev/zero of=/tmp/x bs=131072 count=1", change).status, 0);
  assert.equal(ws.runScript("dd if=/dev/zero of=/tmp/x bs=32768 count=1", change).status, 0);
});

test("a bind shows the host's directory", () => {
  const source = volume();
  assert.equal(ws.output("cat /tmp/reading; echo 43 > /tmp/reading", add(bind(source, "/tmp"))), "42");
  assert.equal(readFileSync(join(source, "reading"), "utf8"), "43\n");
});

test("a read-only bind can't be written", () => {
  const source = volume();
  assert.notEqual(ws.runScript("echo 43 > /tmp/reading", add(bind(source, "/tmp", "ro"))).status, 0);
  assert.equal(readFileSync(join(source, "reading"), "utf8"), "42\n");
});

test("noexec keeps a program from starting", () => {
  const source = volume();
  execute("cp", [join(ws.rootfs, "bin/busybox"), join(source, "true")]);
  assert.notEqual(ws.runScript("/tmp/true", add(bind(source, "/tmp", "noexec"))).status, 0);
  assert.equal(ws.runScript("/tmp/true", add(bind(source, "/tmp"))).status, 0);
});

test("a file is bound over a file", () => {
  const source = ws.newFile("nameserver 192.0.2.1\n");
  assert.equal(ws.output("cat /etc/passwd", add(bind(source, "/etc/passwd"))), "nameserver 192.0.2.1");
});

test("a missing directory target is made, with its parents", () => {
  const rootfs = ws.newRootfs();
  const change = (config: Config) => {
    config.root.path = rootfs;
    config.mounts.push(bind(volume(), "/srv/meter/data"));
  };
  assert.equal(ws.output("cat /srv/meter/data/reading", change), "42");
});

test("a missing file target is made", () => {
  const rootfs = ws.newRootfs();
  const change = (config: Config) => {
    config.root.path = rootfs;
    config.mounts.push(bind(ws.newFile("text"), "/srv/meter/file"));
  };
  assert.equal(ws.output("cat /srv/meter/file", change), "text");
  assert.equal(statSync(join(rootfs, "srv/meter/file")).size, 0);
});

test("a directory keeps its setgid bit when a target is made below it", () => {
  const rootfs = ws.newRootfs();
  mkdirSync(join(rootfs, "shared"));
  chmodSync(join(rootfs, "shared"), 0o2755);
  ws.output("true", (config) => {
    config.root.path = rootfs;
    config.mounts.push(bind(volume(), "/shared/a/b"));
  });
  assert.equal(statSync(join(rootfs, "shared")).mode & 0o7777, 0o2755);
});

test("a missing bind source is refused", () => {
  const c = ws.script("true", add(bind("/no/such/source", "/tmp")));
  c.fail(/no such file or directory/i, ["create", "--bundle", c.directory, c.id]);
  ws.assertNothingLeft();
});

test("a file can't be bound over a directory", () => {
  const c = ws.script("true", add(bind(ws.newFile("x"), "/tmp")));
  assert.notEqual(c.create().status, 0);
  ws.assertNothingLeft();
});

test("a relative bind source is below the bundle", () => {
  const c = ws.script("cat /tmp/reading", add(bind("data", "/tmp")));
  mkdirSync(join(c.directory, "data"));
  writeFileSync(join(c.directory, "data/reading"), "below\n");
  assert.equal(c.run().stdout, "below\n");
});

test("mounts are made in the order of the list", () => {
  const [outer, inner] = [volume(), ws.newDirectory()];
  mkdirSync(join(outer, "inner"));
  writeFileSync(join(inner, "seen"), "");
  assert.equal(
    ws.output("ls /tmp /tmp/inner", add(bind(outer, "/tmp"), bind(inner, "/tmp/inner"))),
    "/tmp:\ninner\nreading\n\n/tmp/inner:\nseen",
  );
});

test("a later mount hides an earlier one", () => {
  assert.equal(
    ws.output("ls /tmp", add(bind(volume(), "/tmp"), { destination: "/tmp", type: "tmpfs", source: "tmpfs" })),
    "",
  );
});

/** A directory with a tmpfs on `below`, that lives until the function returns. */
function withSubmount(use: (directory: string) => void): void {
  const directory = ws.newDirectory();
  mkdirSync(join(directory, "below"));
  assert.equal(execute("mount", ["-t", "tmpfs", "tmpfs", join(directory, "below")]).status, 0);
  try {
    writeFileSync(join(directory, "below/deep"), "");
    use(directory);
  } finally {
    execute("umount", [join(directory, "below")]);
  }
}

test("rbind shows the mounts below the source", () => {
  withSubmount((directory) => {
    const change = add({ destination: "/tmp", type: "bind", source: directory, options: ["rbind"] });
    assert.equal(ws.output("ls /tmp/below", change), "deep");
  });
});

test("bind shows no mounts below the source", () => {
  withSubmount((directory) => assert.equal(ws.output("ls /tmp/below", add(bind(directory, "/tmp"))), ""));
});

test("ro on an rbind leaves the mounts below writable", () => {
  withSubmount((directory) => {
    const change = add({ destination: "/tmp", type: "bind", source: directory, options: ["rbind", "ro"] });
    assert.equal(ws.runScript("touch /tmp/below/x", change).status, 0);
  });
});

test("rro on an rbind makes the mounts below read-only", () => {
  withSubmount((directory) => {
    const change = add({ destination: "/tmp", type: "bind", source: directory, options: ["rbind", "rro"] });
    assert.notEqual(ws.runScript("touch /tmp/below/x", change).status, 0);
  });
});

for (const [option, shown] of [
  ["private", /^$/],
  ["slave", /^master:\d+$/],
  ["shared", /^shared:\d+$/],
  ["unbindable", /^unbindable$/],
] as const) {
  test(`a ${option} mount`, option === "shared" ? lacking({ crun: "leaves it private" }) : {}, () => {
    const directory = ws.newDirectory();
    execute("mount", ["-t", "tmpfs", "tmpfs", directory]);
    execute("mount", ["--make-shared", directory]);
    try {
      const mount = mountAt("/tmp", (config) => {
        config.linux.rootfsPropagation = "rslave";
        config.mounts.push(bind(directory, "/tmp", option));
      });
      assert.match(
        mount.propagation.filter((tag) => !(option === "shared" && tag.startsWith("master"))).join(" "),
        shown,
      );
    } finally {
      execute("umount", [directory]);
    }
  });
}

test("a mount made outside appears in a slave mount", () => {
  const directory = ws.newDirectory();
  execute("mount", ["-t", "tmpfs", "tmpfs", directory]);
  execute("mount", ["--make-shared", directory]);
  mkdirSync(join(directory, "late"));
  try {
    const c = ws.running((config) => {
      config.linux.rootfsPropagation = "rslave";
      config.mounts.push({ destination: "/tmp", type: "bind", source: directory, options: ["rbind", "rslave"] });
    });
    execute("mount", ["-t", "tmpfs", "tmpfs", join(directory, "late")]);
    writeFileSync(join(directory, "late/arrived"), "");
    assert.equal(c.output("ls /tmp/late"), "arrived");
  } finally {
    execute("umount", [join(directory, "late")]);
    execute("umount", [directory]);
  }
});

test("a mount made inside does not appear outside", () => {
  const source = volume();
  mkdirSync(join(source, "inner"));
  const c = ws.script("mount -t tmpfs tmpfs /tmp/inner && touch /tmp/inner/x", (config) => {
    setCapabilities(config, ["CAP_SYS_ADMIN"]);
    config.mounts.push(bind(source, "/tmp"));
  });
  assert.equal(c.run().status, 0);
  assert.equal(existsSync(join(source, "inner/x")), false);
});

test("the root has the propagation that rootfsPropagation says", lacking({ runc: "1.1 leaves it private" }), () => {
  const shared = mountAt("/", (config) => {
    config.linux.rootfsPropagation = "shared";
  });
  assert.ok(
    shared.propagation.some((tag) => tag.startsWith("shared:")),
    shared.propagation.join(),
  );
  assert.deepEqual(
    mountAt("/", (config) => {
      config.linux.rootfsPropagation = "private";
    }).propagation,
    [],
  );
});

test("nosymfollow is set", lacking({ crun: "hands it to the file system" }), () => {
  assert.ok(mountAt("/tmp", add(bind(volume(), "/tmp", "nosymfollow"))).options.includes("nosymfollow"));
});

test("an unknown file system type is refused", () => {
  const c = ws.script("true", add({ destination: "/tmp", type: "nosuchfs", source: "none" }));
  c.fail(/no such device/i, ["create", "--bundle", c.directory, c.id]);
  ws.assertNothingLeft();
});

test("an unknown option is refused by the file system", () => {
  const c = ws.script(
    "true",
    add({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuchoption=1"] }),
  );
  c.fail(/invalid argument/i, ["create", "--bundle", c.directory, c.id]);
  ws.assertNothingLeft();
});

test("/sys/fs/cgroup is read-only and shows the container's own cgroups", () => {
  const mounts = mountsOf();
  const cgroups = mounts.filter(({ target, type }) => target.startsWith("/sys/fs/cgroup") && type.startsWith("cgroup"));
  assert.ok(cgroups.length > 0);
  for (const mount of cgroups) assert.ok(mount.options.includes("ro"), mount.target);
});
