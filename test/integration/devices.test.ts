// SPDX-License-Identifier: Apache-2.0
// /dev: the devices that every container has, those of linux.devices, and the links.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config, Device } from "./support/config.ts";
import { lacking } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const allow = (config: Config, type: string, major: number, minor: number) => {
  config.linux.resources!.devices!.push({ allow: true, type, major, minor, access: "rwm" });
};
const add = (device: Device) => (config: Config) => {
  config.linux.devices = [device];
};
/** "type major:minor mode uid gid" of a node. */
const describe = (path: string) => `stat -c '%F %t:%T %a %u %g' ${path}`;

for (const [path, numbers] of [
  ["/dev/null", "1:3"],
  ["/dev/zero", "1:5"],
  ["/dev/full", "1:7"],
  ["/dev/random", "1:8"],
  ["/dev/urandom", "1:9"],
  ["/dev/tty", "5:0"],
] as const) {
  test(`${path} is the character device ${numbers}, mode 666`, () => {
    assert.equal(ws.output(describe(path)), `character special file ${numbers} 666 0 0`);
  });
}

test("/dev holds nothing but the defaults", () => {
  // /dev/core is a link to /proc/kcore, which not every kernel has; /dev/console is there only with a terminal.
  const names = ws
    .output("ls /dev")
    .split("\n")
    .filter((name) => name !== "core" && name !== "console");
  const links = ["fd", "ptmx", "stderr", "stdin", "stdout"];
  const nodes = ["full", "null", "random", "tty", "urandom", "zero"];
  assert.deepEqual(names, [...links, ...nodes, "mqueue", "pts", "shm"].sort());
});

for (const [path, target] of [
  ["/dev/fd", "/proc/self/fd"],
  ["/dev/stdin", "/proc/self/fd/0"],
  ["/dev/stdout", "/proc/self/fd/1"],
  ["/dev/stderr", "/proc/self/fd/2"],
  ["/dev/ptmx", "pts/ptmx"],
] as const) {
  test(`${path} is a link to ${target}`, () => {
    assert.equal(ws.output(`readlink ${path}`), target);
  });
}

test("the default devices can be used", () => {
  assert.equal(
    ws.output("echo x > /dev/null; head -c 4 /dev/zero | od -An -tx1; head -c 2 /dev/urandom | wc -c"),
    " 00 00 00 00\n2",
  );
});

test("/dev/full is full", () => {
  assert.notEqual(ws.runScript("echo x > /dev/full").status, 0);
});

test("an extra character device has the numbers, mode and owner that were asked for", () => {
  const shown = ws.output(
    describe("/dev/meter"),
    add({ path: "/dev/meter", type: "c", major: 1, minor: 5, fileMode: 0o640, uid: 12, gid: 34 }),
  );
  assert.equal(shown, "character special file 1:5 640 12 34");
});

test("an extra block device", () => {
  assert.match(
    ws.output(describe("/dev/disk"), add({ path: "/dev/disk", type: "b", major: 7, minor: 200, fileMode: 0o600 })),
    /^block special file 7:c8 600/,
  );
});

test("a fifo", () => {
  assert.match(
    ws.output(describe("/dev/pipe"), add({ path: "/dev/pipe", type: "p", fileMode: 0o622 })),
    /^fifo 0:0 622/,
  );
});

test("a device in a directory that is missing", () => {
  assert.match(
    ws.output(describe("/dev/bus/meter/001"), add({ path: "/dev/bus/meter/001", type: "c", major: 1, minor: 5 })),
    /^character special file 1:5/,
  );
});

test("a device is not opened unless the resources allow it", () => {
  const device = add({ path: "/dev/memory", type: "c", major: 1, minor: 11, fileMode: 0o666 });
  const denied = ws.runScript("head -c 0 /dev/memory", device);
  assert.notEqual(denied.status, 0);
  assert.match(denied.stderr, /Operation not permitted/);
});

test("a device that the resources allow is opened", () => {
  const result = ws.runScript("head -c 1 /dev/loud", (config) => {
    add({ path: "/dev/loud", type: "c", major: 1, minor: 9, fileMode: 0o666 })(config);
    allow(config, "c", 1, 9);
  });
  assert.equal(result.status, 0, result.stderr);
});

test("a device type that does not exist is refused", lacking({ crun: "makes a character device" }), () => {
  const c = ws.bundle(add({ path: "/dev/odd", type: "q", major: 1, minor: 5 }));
  assert.notEqual(c.create().status, 0);
  ws.assertNothingLeft();
});

test("a device path that is relative is refused", lacking({ runc: "joins it to the root" }), () => {
  const c = ws.bundle(add({ path: "dev/odd", type: "c", major: 1, minor: 5 }));
  assert.notEqual(c.create().status, 0);
  ws.assertNothingLeft();
});

test("new device nodes are refused without CAP_MKNOD", () => {
  assert.notEqual(ws.runScript("mknod /dev/shm/x c 1 3").status, 0);
});

test("each container has its own ptys", () => {
  assert.equal(ws.output("ls /dev/pts"), "ptmx");
});
