// SPDX-License-Identifier: Apache-2.0
// What is in a mount, and what it is mounted on: tmpcopyup, files of every type, links, file systems on devices.

import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { test } from "node:test";
import { type Change, type Config, type Mount, setCapabilities, setUserNamespace } from "./support/config.ts";
import { parseMountinfo } from "./support/inside.ts";
import { execute } from "./support/process.ts";
import { lacking } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();

const tmpfs = (destination: string, ...options: string[]): Mount => ({
  destination,
  type: "tmpfs",
  source: "tmpfs",
  options,
});
const bind = (source: string, destination: string): Mount => ({
  destination,
  type: "bind",
  source,
  options: ["rbind"],
});
const on =
  (rootfs: string, ...mounts: Mount[]): Change =>
  (config: Config) => {
    config.root = { path: rootfs, readonly: false };
    setCapabilities(config, ["CAP_DAC_OVERRIDE"]);
    config.mounts.push(...mounts);
  };

/** A root file system with something of every kind in /srv. */
function richRootfs(): string {
  const rootfs = ws.newRootfs();
  const srv = join(rootfs, "srv");
  mkdirSync(join(srv, "deep/deeper"), { recursive: true });
  chmodSync(srv, 0o2751);
  writeFileSync(join(srv, "deep/deeper/file"), "content\n");
  writeFileSync(join(srv, "run"), "#!/bin/sh\necho ran\n");
  chmodSync(join(srv, "run"), 0o4755);
  chownSync(join(srv, "deep/deeper/file"), 1000, 1001);
  chmodSync(join(srv, "deep/deeper/file"), 0o640);
  symlinkSync("/etc/shadow", join(srv, "link"));
  lutimesSync(join(srv, "link"), 1_000_000, 1_000_000);
  truncateSync(writeNew(join(srv, "sparse")), 1 << 30);
  writeFileSync(join(srv, "sparse"), "end", { flag: "r+" });
  execute("mkfifo", [join(srv, "fifo")]);
  execute("mknod", [join(srv, "node"), "c", "1", "3"]);
  execute("setcap", ["cap_net_raw=ep", join(srv, "run")]);
  utimesSync(join(srv, "deep"), 2_000_000, 2_000_000);
  return rootfs;
}

function writeNew(path: string): string {
  writeFileSync(path, "");
  return path;
}

const noFifos = { runc: "1.1 can't copy a FIFO" };

test("tmpcopyup: the tmpfs starts with what the directory holds, and the directory keeps it", lacking(noFifos), () => {
  const rootfs = richRootfs();
  const script = "cat /srv/deep/deeper/file; echo changed > /srv/deep/deeper/file; cat /srv/deep/deeper/file";
  assert.equal(ws.output(script, on(rootfs, tmpfs("/srv", "tmpcopyup"))), "content\nchanged");
  assert.equal(readFileSync(join(rootfs, "srv/deep/deeper/file"), "utf8"), "content\n");
});

test(
  "tmpcopyup: modes, owners, links, holes, FIFOs, devices",
  lacking({ ...noFifos, crun: "1.8 fills holes, keeps no times" }),
  () => {
    const script = `cd /srv; stat -c '%n %F %a %u:%g' . deep/deeper/file run link fifo node
readlink link; stat -c '%s %b' sparse; stat -c '%Y' link deep; stat -c %t:%T node`;
    const crun = { "set-user-id": "4755", times: "" };
    assert.ok(crun);
    assert.deepEqual(ws.output(script, on(richRootfs(), tmpfs("/srv", "tmpcopyup"))).split("\n"), [
      ". directory 2751 0:0",
      "deep/deeper/file regular file 640 1000:1001",
      "run regular file 4755 0:0",
      "link symbolic link 777 0:0",
      "fifo fifo 644 0:0",
      "node character special file 644 0:0",
      "/etc/shadow",
      "1073741824 8",
      "1000000",
      "2000000",
      "1:3",
    ]);
  },
);

test("tmpcopyup keeps capabilities of files", lacking({ ...noFifos, crun: "1.8 loses them" }), () => {
  const rootfs = richRootfs();
  const c = ws.running(on(rootfs, tmpfs("/srv", "tmpcopyup")));
  assert.match(execute("getcap", [`/proc/${c.pid}/root/srv/run`]).stdout, /cap_net_raw=ep/);
});

test("tmpcopyup in a user namespace leaves devices out", lacking({ ...noFifos, crun: "fails at the device" }), () => {
  const rootfs = richRootfs();
  const change: Change = (config) => {
    on(rootfs, tmpfs("/srv", "tmpcopyup"))(config);
    setUserNamespace(config, 0);
  };
  assert.equal(ws.output("ls /srv", change), "deep\nfifo\nlink\nrun\nsparse");
});

test("tmpcopyup of more than the tmpfs holds is refused", () => {
  const rootfs = ws.newRootfs();
  mkdirSync(join(rootfs, "srv"));
  writeFileSync(join(rootfs, "srv/large"), Buffer.alloc(1 << 20, 1));
  const c = ws.bundle(on(rootfs, tmpfs("/srv", "tmpcopyup", "size=64k")));
  c.fail(/no space left on device/i, ["create", "--bundle", c.directory, c.id]);
  ws.assertNothingLeft();
  assert.equal(statSync(join(rootfs, "srv/large")).size, 1 << 20);
});

test("tmpcopyup of an empty or missing directory is an empty tmpfs", () => {
  assert.equal(
    ws.output("ls /tmp /new", on(ws.newRootfs(), tmpfs("/tmp", "tmpcopyup"), tmpfs("/new", "tmpcopyup"))),
    "/new:\n\n/tmp:",
  );
});

test("a tmpfs has the mode of the directory below it", lacking({ crun: "1.8 makes it for everybody" }), () => {
  const rootfs = ws.newRootfs();
  mkdirSync(join(rootfs, "srv"));
  chmodSync(join(rootfs, "srv"), 0o2710);
  assert.equal(ws.output("stat -c %a /srv", on(rootfs, tmpfs("/srv"))), "2710");
  assert.equal(ws.output("stat -c %a /srv", on(rootfs, tmpfs("/srv", "tmpcopyup"))), "2710");
});

test("a tmpfs on a directory that was missing is for everybody", () => {
  assert.equal(ws.output("stat -c %a /new", on(ws.newRootfs(), tmpfs("/new"))), "1777");
});

test("a FIFO, a socket and a device are bound as files", async () => {
  const fifo = ws.newFile();
  execute("mkfifo", [fifo]);
  const socket = ws.newFile();
  const server = createServer().listen(socket);
  await new Promise((resolve) => server.once("listening", resolve));
  try {
    const mounts = [bind(fifo, "/srv/fifo"), bind(socket, "/srv/socket"), bind("/dev/zero", "/srv/zero")];
    const output = ws.output("stat -c '%n %F' /srv/*; head -c 3 /srv/zero | wc -c", on(ws.newRootfs(), ...mounts));
    assert.equal(output, "/srv/fifo fifo\n/srv/socket socket\n/srv/zero character special file\n3");
  } finally {
    server.close();
  }
});

test("a target whose last part is a link: what it names is covered, within the root", () => {
  const rootfs = ws.newRootfs();
  mkdirSync(join(rootfs, "run"));
  symlinkSync("/run", join(rootfs, "var/run"));
  const volume = ws.newDirectory();
  writeFileSync(join(volume, "reading"), "42\n");
  assert.equal(ws.output("cat /run/reading /var/run/reading", on(rootfs, bind(volume, "/var/run"))), "42\n42");
});

for (const [what, value] of [
  ["an absolute link", "/run/lock"],
  ["a relative link", "../run/lock"],
  ["a link through links", "../srv/there"],
  ["a link out of the root", "../../../../../../run/lock"],
] as const) {
  test(`${what} that leads nowhere: what it names is made`, lacking({ crun: "1.8 fails at it" }), () => {
    const rootfs = ws.newRootfs();
    mkdirSync(join(rootfs, "srv"));
    symlinkSync("/run/lock", join(rootfs, "srv/there"));
    symlinkSync(value, join(rootfs, "var/lock"));
    const volume = ws.newDirectory();
    writeFileSync(join(volume, "reading"), "42\n");
    const script = "cat /run/lock/app/reading; cat /var/lock/app/reading";
    assert.equal(ws.output(script, on(rootfs, bind(volume, "/var/lock/app"))), "42\n42");
    assert.equal(readlinkSync(join(rootfs, "var/lock")), value);
    assert.ok(existsSync(join(rootfs, "run/lock/app")));
    assert.equal(existsSync("/run/lock/app"), false);
  });
}

test("a file is bound at a link that leads nowhere, as for /etc/resolv.conf", () => {
  const rootfs = ws.newRootfs();
  symlinkSync("../run/resolve/stub-resolv.conf", join(rootfs, "etc/resolv.conf"));
  const file = ws.newFile("nameserver 192.0.2.1\n");
  assert.equal(ws.output("cat /etc/resolv.conf", on(rootfs, bind(file, "/etc/resolv.conf"))), "nameserver 192.0.2.1");
  assert.equal(statSync(join(rootfs, "run/resolve/stub-resolv.conf")).size, 0);
});

test("links in a circle are refused", () => {
  const rootfs = ws.newRootfs();
  symlinkSync("b", join(rootfs, "srv-a"));
  symlinkSync("/srv-a", join(rootfs, "b"));
  for (const mount of [bind(ws.newDirectory(), "/srv-a/x"), bind(ws.newFile("x"), "/srv-a")]) {
    const c = ws.bundle(on(rootfs, mount));
    c.fail(/symbolic link/i, ["create", "--bundle", c.directory, c.id]);
  }
  ws.assertNothingLeft();
});

/** Directories for an overlay, the lower ones with a file each. */
function overlayLayers(count: number, name: string): { lower: string; upper: string; work: string } {
  const base = ws.newDirectory();
  const lower = [];
  for (let index = 0; index < count; index++) {
    const layer = join(base, `${index}-${name}`);
    mkdirSync(layer);
    writeFileSync(join(layer, `file-${index}`), "");
    lower.push(layer);
  }
  for (const directory of ["upper", "work"]) mkdirSync(join(base, directory));
  return { lower: lower.join(":"), upper: join(base, "upper"), work: join(base, "work") };
}

for (const [what, count, name] of [
  ["short options", 1, "l"],
  ["options of some kilobytes", 10, "layer-with-a-long-name-".repeat(8)],
] as const) {
  test(`an overlay with ${what}`, () => {
    const { lower, upper, work } = overlayLayers(count, name);
    assert.equal(lower.length > 255, count > 1);
    const options = [`lowerdir=${lower}`, `upperdir=${upper}`, `workdir=${work}`, "nodev", "private"];
    const output = ws.output("ls /tmp; echo x > /tmp/new; grep ' /tmp ' /proc/self/mountinfo", (config) => {
      config.mounts.push({ destination: "/tmp", type: "overlay", source: "overlay", options });
    });
    const lines = output.split("\n");
    assert.deepEqual(
      lines.slice(0, -1),
      [...Array(count).keys()].map((index) => `file-${index}`),
    );
    assert.ok(parseMountinfo(lines.at(-1)!)[0]!.options.includes("nodev"));
    assert.ok(existsSync(join(upper, "new")));
  });
}

test("options of more than a page are refused", () => {
  const options = [`lowerdir=/tmp:${"/tmp/".repeat(1000)}`];
  const c = ws.bundle((config) => {
    config.mounts.push({ destination: "/tmp", type: "overlay", source: "overlay", options });
  });
  assert.notEqual(c.create().status, 0);
  ws.assertNothingLeft();
});

const deviceRules = { crun: "its device rules hold for it, too" };

test("a file system on a device is mounted, read-only in its super block, too", lacking(deviceRules), () => {
  const image = ws.newFile("");
  truncateSync(image, 4 << 20);
  assert.equal(execute("mke2fs", ["-q", "-t", "ext4", image]).status, 0);
  const device = execute("losetup", ["--find", "--show", image]).stdout.trim();
  try {
    const mount = (...options: string[]): Change => {
      return (config) => config.mounts.push({ destination: "/tmp", type: "ext4", source: device, options });
    };
    assert.equal(ws.output("echo 42 > /tmp/reading; cat /tmp/reading", mount("noatime", "errors=remount-ro")), "42");
    const [line] = parseMountinfo(ws.output("grep ' /tmp ' /proc/self/mountinfo", mount("ro")));
    assert.deepEqual([line!.options.includes("ro"), line!.superOptions.includes("ro")], [true, true]);
  } finally {
    execute("losetup", ["--detach", device]);
  }
});
