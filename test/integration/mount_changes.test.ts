// SPDX-License-Identifier: Apache-2.0
// mounts add and remove: mounts of a running container, whose processes may do against it what they can.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Change, dropNamespace, type Mount, setCapabilities, setUserNamespace } from "./support/config.ts";
import type { Container } from "./support/container.ts";
import { EnrolledHost } from "./support/enrolled.ts";
import { needsStrace, recordCalls, runFailingAt, runKilledAt, spread } from "./support/fault.ts";
import { callHost, type HostName, hostNames, twoHosts } from "./support/hosts.ts";
import { parseMountinfo } from "./support/inside.ts";
import { waitFor } from "./support/process.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const owned = await EnrolledHost.make(ws);

function testBoth(name: string, body: (host: HostName) => void | Promise<void>): void {
  for (const host of hostNames) test(`${name} (${host})`, twoHosts, () => body(host));
}

/** A directory outside with a file in it. */
function volume(text = "outside"): string {
  const directory = ws.newDirectory();
  writeFileSync(join(directory, "file"), text);
  return directory;
}
const bind = (source: string, destination: string, ...options: string[]): Mount => ({
  destination,
  type: "bind",
  source,
  options: ["bind", ...options],
});
const tmpfs = (destination: string, ...options: string[]): Mount => ({
  destination,
  type: "tmpfs",
  source: "tmpfs",
  options,
});
const list = (...mounts: Mount[]): string => ws.newFile(JSON.stringify(mounts));

/** A running container whose root can be written to, with some places to mount on. */
function running(change?: Change): Container {
  const rootfs = ws.newRootfs();
  for (const name of ["a", "b", "parent/inner"]) mkdirSync(join(rootfs, "data", name), { recursive: true });
  return ws.running((config) => {
    config.root = { path: rootfs, readonly: false };
    change?.(config);
  });
}

const change = (host: HostName, action: string, c: Container, file: string) =>
  callHost(ws, host, ["mounts", action, c.id, file]);
function succeed(host: HostName, action: string, c: Container, file: string): void {
  assert.deepEqual(change(host, action, c, file), { status: 0, signal: null, stdout: "", stderr: "" });
}
function refuse(host: HostName, action: string, c: Container, file: string, text: RegExp): void {
  const { status, stdout, stderr } = change(host, action, c, file);
  assert.match(stderr, text);
  assert.match(stderr, /^edgerun: [^\n]+\n$/, "one line");
  assert.deepEqual([status, stdout], [1, ""]);
}

const mountsOf = (c: Container) => parseMountinfo(c.output("cat /proc/self/mountinfo"));
const targetsOf = (c: Container) => mountsOf(c).map(({ target }) => target);

testBoth("a directory, a file and a tmpfs are added, and removed again", (host) => {
  const c = running();
  const before = targetsOf(c);
  const source = volume();
  const file = list(
    bind(source, "/data/a", "ro"),
    bind(join(source, "file"), "/data/new/file"),
    tmpfs("/data/b", "size=1m", "mode=700", "noexec"),
    tmpfs("/data/parent", "ro"),
  );
  succeed(host, "add", c, file);
  assert.equal(c.output("cat /data/a/file /data/new/file; stat -c %a /data/b"), "outsideoutside700");
  const added = mountsOf(c).slice(-4);
  assert.deepEqual(
    added.map(({ target, type }) => [target, type === "tmpfs"]),
    [
      ["/data/a", false],
      ["/data/new/file", false],
      ["/data/b", true],
      ["/data/parent", true],
    ],
  );
  const has = (index: number, option: string) => added[index]!.options.includes(option);
  assert.deepEqual([has(0, "ro"), has(1, "rw"), has(2, "noexec"), has(3, "ro")], [true, true, true, true]);
  c.output("echo x > /data/new/file; ! echo x > /data/a/file; ! echo x > /data/parent/file; echo x > /data/b/x");
  assert.equal(readFileSync(join(source, "file"), "utf8"), "x\n");
  succeed(host, "remove", c, file);
  assert.deepEqual(targetsOf(c), before);
});

testBoth("nothing of it shows on the host, and deleting the container leaves nothing", (host) => {
  const c = running();
  succeed(host, "add", c, list(bind(volume(), "/data/a"), tmpfs("/data/b")));
  assert.doesNotMatch(readFileSync("/proc/self/mountinfo", "utf8"), /\/data\/[ab] /);
  c.succeed("delete", "--force", c.id);
  ws.assertHostUnchanged();
});

testBoth("some of them are removed, the others stay", (host) => {
  const c = running();
  succeed(host, "add", c, list(bind(volume(), "/data/a"), tmpfs("/data/b")));
  succeed(host, "remove", c, list(bind("/anything", "/data/a")));
  assert.equal(existsSync(join(ws.stateRoot, c.id, "mounts.json")), true);
  assert.deepEqual(
    targetsOf(c).filter((target) => target.startsWith("/data")),
    ["/data/b"],
  );
  succeed(host, "add", c, list(tmpfs("/data/a")));
  succeed(host, "remove", c, list(tmpfs("/data/a"), tmpfs("/data/b")));
  assert.deepEqual(
    targetsOf(c).filter((target) => target.startsWith("/data")),
    [],
  );
});

testBoth("in a user namespace: who the container's root is makes what is missing", (host) => {
  const c = ws.running((config) => setUserNamespace(config, 200_000));
  const before = targetsOf(c);
  const file = list(bind(volume(), "/dev/shm/made/here"), tmpfs("/dev/shm/also", "size=1m"));
  succeed(host, "add", c, file);
  assert.equal(c.output("cat /dev/shm/made/here/file; stat -c ' %u' /dev/shm/made /dev/shm/also"), "outside 0\n 0");
  succeed(host, "remove", c, file);
  assert.deepEqual(targetsOf(c), before);
});

testBoth("a container that is created, or paused, gets them too", (host) => {
  const created = ws.created();
  succeed(host, "add", created, list(bind(volume(), "/dev/shm/x")));
  created.start();
  assert.equal(created.output("cat /dev/shm/x/file"), "outside");
  created.succeed("pause", created.id);
  succeed(host, "remove", created, list(tmpfs("/dev/shm/x")));
  created.succeed("resume", created.id);
  assert.equal(created.exec(["cat", "/dev/shm/x/file"]).status, 1);
});

// --- all of it, or nothing

testBoth("when one can't be mounted, none is", (host) => {
  const c = running();
  const before = targetsOf(c);
  const good = bind(volume(), "/data/a");
  refuse(host, "add", c, list(good, bind("/no/such/source", "/data/b")), /"\/no\/such\/source"/);
  refuse(host, "add", c, list(good, bind(volume(), "/bin/busybox/x")), /"\/bin\/busybox.*not a directory/);
  refuse(host, "add", c, list(good, tmpfs("/data/b", "size=many")), /tmpfs.*size=many/);
  refuse(host, "add", c, list(good, bind(volume(), "/data/link/../../../proc/sys")), /inside \/proc/);
  assert.deepEqual(targetsOf(c), before);
  succeed(host, "add", c, list(good));
});

/** What the record says of a container's added mounts must be what there is. */
function assertConsistent(c: Container, where: string): void {
  const record = join(ws.stateRoot, c.id, "mounts.json");
  const recorded: { destination: string }[] = existsSync(record) ? JSON.parse(readFileSync(record, "utf8")) : [];
  const recordedTargets = recorded.map(({ destination }) => destination).sort();
  const find = () =>
    targetsOf(c)
      .filter((target) => target.startsWith("/data"))
      .sort();
  // Whoever was left takes back what nobody recorded.
  waitFor(`mounts and record to agree after ${where}`, () => {
    const targets = find();
    // A record without its mounts is one that was not committed: remove clears it.
    return targets.length === 0 || targets.join() === recordedTargets.join();
  });
}

test("add, killed at any system call, leaves what is recorded, or nothing", { ...twoHosts, ...needsStrace }, () => {
  const c = ws.keep(running());
  const file = list(bind(volume(), "/data/a"), tmpfs("/data/b"));
  const args = ["mounts", "add", c.id, file];
  const points = recordCalls(ws, args, false);
  succeed("device", "remove", c, file);
  for (const point of spread(points, 20)) {
    const where = `a kill at ${point.name} #${point.occurrence}`;
    runKilledAt(ws, point, args);
    assertConsistent(c, where);
    change("device", "remove", c, file);
    assert.deepEqual(
      targetsOf(c).filter((target) => target.startsWith("/data")),
      [],
      where,
    );
  }
});

test("add, with any system call failing, has added all or nothing", { ...twoHosts, ...needsStrace }, () => {
  const c = ws.keep(running());
  const file = list(bind(volume(), "/data/a"), tmpfs("/data/b"));
  const args = ["mounts", "add", c.id, file];
  const points = recordCalls(ws, args, true);
  succeed("device", "remove", c, file);
  let refused = 0;
  for (const point of spread(points, 30)) {
    const where = `${point.name} #${point.occurrence}${point.inInit ? " of init" : ""}`;
    const result = runFailingAt(ws, point, "EIO", args);
    const targets = targetsOf(c).filter((target) => target.startsWith("/data"));
    assert.deepEqual(targets, result.status === 0 ? ["/data/a", "/data/b"] : [], `${where}: ${result.stderr}`);
    if (result.status !== 0) refused++;
    change("device", "remove", c, file);
  }
  assert.ok(refused > 5, `${refused} were refused`);
});

// --- against hostile processes

testBoth("links of the container lead nowhere but into the container", (host) => {
  const rootfs = ws.newRootfs();
  const outside = mkdtempSync(join(ws.directory, "outside-"));
  symlinkSync(`../../../../../..${outside}`, join(rootfs, "link"));
  symlinkSync("/proc/sys", join(rootfs, "proclink"));
  const c = ws.running((config) => {
    config.root = { path: rootfs, readonly: false };
  });
  succeed(host, "add", c, list(bind(volume(), "/link/made")));
  assert.equal(c.output(`cat ${outside}/made/file`), "outside");
  assert.deepEqual(readdirSync(outside), []);
  refuse(host, "add", c, list(tmpfs("/proclink")), /"\/proclink" cannot be mounted because it is inside \/proc/);
  refuse(host, "add", c, list(tmpfs("/proc/self/attr")), /inside \/proc/);
  refuse(host, "add", c, list(tmpfs("/")), /can't replace the root/);
});

testBoth("a mount that the container has moved away with its parent is removed all the same", (host) => {
  const c = running();
  const file = list(bind(volume(), "/data/parent/inner"));
  succeed(host, "add", c, file);
  c.output("mv /data/parent /data/hidden; mkdir -p /data/parent/inner");
  assert.equal(c.output("cat /data/hidden/inner/file"), "outside");
  succeed(host, "remove", c, file);
  assert.equal(c.exec(["cat", "/data/hidden/inner/file"]).status, 1);
});

const mountsItself: Change = (config) => {
  setCapabilities(config, ["CAP_SYS_ADMIN", "CAP_DAC_OVERRIDE"]);
  config.process.noNewPrivileges = false;
};

testBoth("one that the container has unmounted is gone already", (host) => {
  const c = running(mountsItself);
  const file = list(bind(volume(), "/data/a"), tmpfs("/data/b"));
  succeed(host, "add", c, file);
  c.output("umount /data/a");
  succeed(host, "remove", c, file);
  assert.deepEqual(
    targetsOf(c).filter((target) => target.startsWith("/data")),
    [],
  );
});

testBoth("one that the container has mounted over is not mistaken for what hides it", (host) => {
  const c = running(mountsItself);
  const file = list(bind(volume(), "/data/a"), tmpfs("/data/b"));
  succeed(host, "add", c, file);
  c.output("mount -t tmpfs mine /data/a");
  refuse(host, "remove", c, file, /"\/data\/a" is not the one that was added/);
  assert.equal(targetsOf(c).filter((target) => target.startsWith("/data")).length, 3, "none was removed");
  c.output("umount /data/a");
  succeed(host, "remove", c, file);
});

// --- refusals

testBoth("only what was added can be removed", (host) => {
  const c = running();
  refuse(host, "remove", c, list(tmpfs("/dev/shm")), /no mount was added at "\/dev\/shm"/);
  succeed(host, "add", c, list(tmpfs("/data/a")));
  refuse(host, "remove", c, list(tmpfs("/data/a"), tmpfs("/proc")), /no mount was added at "\/proc"/);
  refuse(host, "add", c, list(tmpfs("/data//a/")), /a mount was added at ".data..a." before/);
  assert.ok(targetsOf(c).includes("/data/a"));
});

testBoth("a container without mounts of its own can't have any", (host) => {
  const c = ws.running((config) => {
    dropNamespace(config, "mount");
    config.mounts = [];
    config.linux.maskedPaths = [];
    config.linux.readonlyPaths = [];
    config.root.readonly = false;
  });
  refuse(host, "add", c, list(tmpfs(join(ws.directory, "x"))), /: \$: the container has no mount namespace of its own/);
});

testBoth("a container that has stopped, or is not there", (host) => {
  const c = running();
  c.stop();
  refuse(host, "add", c, list(tmpfs("/data/a")), /container not running/);
  refuse(host, "remove", c, list(tmpfs("/data/a")), /container not running/);
  const { stderr } = callHost(ws, host, ["mounts", "add", ws.newId(), list(tmpfs("/data/a"))]);
  assert.match(stderr, /container does not exist/);
});

// document, message
const bad: [string, RegExp][] = [
  ["", /:1:1: expected a value/],
  ["{}", /: \$: expected a list, found an object/],
  ["[]", /: \$: must not be empty/],
  ["[7]", /: \$\[0\]: expected an object, found 7/],
  ['[{"type":"tmpfs"}]', /: \$\[0\]\.destination: required, but missing/],
  ['[{"destination":"/x","type":7}]', /: \$\[0\]\.type: expected a string, found 7/],
  ['[{"destination":"/x","type":"proc","source":"proc"}]', /: \$\[0\]\.type: only bind mounts and tmpfs can be added/],
  ['[{"destination":"/x"}]', /: \$\[0\]\.type: only bind mounts and tmpfs can be added, not ""/],
  ['[{"destination":"/x","type":"bind"}]', /: \$\[0\]\.source: a bind mount needs a source/],
  ['[{"destination":"/x","type":"tmpfs","options":["remount"]}]', /: \$\[0\]\.options: only new mounts can be added/],
  [
    '[{"destination":"/x","type":"tmpfs"},{"destination":"/x/","type":"tmpfs"}]',
    /: \$\[1\]\.destination: "\/x" is there twice/,
  ],
  ['[{"destination":"/x","type":"tmpfs","options":["slave","shared"]}]', /take more than one step/],
];
for (const [text, message] of bad) {
  testBoth(`bad input: ${text}`, (host) => {
    shared ??= ws.keep(running());
    const c = shared;
    const before = targetsOf(c);
    const file = ws.newFile(text);
    refuse(host, "add", c, file, message);
    assert.ok(change(host, "add", c, file).stderr.includes(file) || text.includes("slave"));
    assert.deepEqual(targetsOf(c), before);
  });
}
let shared: Container | undefined;

testBoth("bad input: files and arguments", (host) => {
  const c = running();
  refuse(host, "add", c, "/no/such/file", /"\/no\/such\/file": No such file or directory/);
  refuse(host, "add", c, ws.directory, /not a regular file|Is a directory/);
  refuse(host, "list", c, list(tmpfs("/x")), /unknown command "mounts list": want add or remove/);
  const { status, stdout, stderr } = callHost(ws, host, ["mounts", "add", c.id]);
  assert.equal(stderr, 'edgerun: "mounts" requires exactly 3 argument(s)\n');
  assert.ok(stdout.startsWith("Incorrect Usage.\n\nNAME:\n   edgerun mounts - "));
  assert.equal(status, 1);
});

// --- on an enrolled host

testBoth("enrolled: what is granted is added as far as it is granted", async (host) => {
  const source = volume();
  const c = await owned.created(host, { mounts: [{ source, destination: "/dev/shm/granted", access: "ro" }] });
  assert.equal(owned.call(host, ["start", c.id]).status, 0);
  const file = list(bind(source, "/dev/shm/granted"), tmpfs("/dev/shm/tmp", "size=1g"));
  const result = owned.call(host, ["mounts", "add", c.id, file]);
  assert.deepEqual([result.status, result.stderr], [0, ""]);
  const [granted, bounded] = mountsOf(c).slice(-2);
  for (const option of ["ro", "nosuid", "nodev"]) assert.ok(granted!.options.includes(option), option);
  assert.equal(c.output("cat /dev/shm/granted/file; df -k /dev/shm/tmp | awk 'END { print $2 }'"), "outside65536");
  assert.ok(bounded!.options.includes("nodev"));
  assert.equal(owned.call(host, ["mounts", "remove", c.id, file]).status, 0);
});

testBoth("enrolled: what is not granted is denied, and nothing is added", async (host) => {
  const source = volume();
  const c = await owned.created(host, { mounts: [{ source, destination: "/dev/shm/granted", access: "rw" }] });
  assert.equal(owned.call(host, ["start", c.id]).status, 0);
  const before = targetsOf(c);
  for (const denied of [bind(source, "/dev/shm/elsewhere"), bind("/etc", "/dev/shm/granted"), tmpfs("/sys/x")]) {
    const file = list(bind(source, "/dev/shm/granted"), denied);
    const { status, stderr } = owned.call(host, ["mounts", "add", c.id, file]);
    assert.match(stderr, /^edgerun: the manifest does not allow [^\n]*\n$/);
    assert.equal(status, 1);
  }
  assert.deepEqual(targetsOf(c), before);
});
