// SPDX-License-Identifier: Apache-2.0
// Mounts over a checkpoint and a restore: as they were, each with its own source and its own rights, whatever the
// container has made of its directories in between.

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Change, Config } from "./support/config.ts";
import { Counter, succeed, useCriu } from "./support/criu.ts";
import { parseMountinfo } from "./support/inside.ts";
import { execute } from "./support/process.ts";
import { lacking } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

useCriu();
const ws = useWorkspace();
const edgerunOnly = lacking({ runc: "restores less", crun: "Debian 12's is built without CRIU" });

/** What the container's mounts are, whatever their numbers. */
function mountsOf(pid: number): string[] {
  return parseMountinfo(readFileSync(`/proc/${pid}/mountinfo`, "utf8"))
    .map(({ root, target, options, type, superOptions }) => {
      const place = ["proc", "sysfs", "tmpfs", "devpts", "mqueue"].includes(type) ? type : `${type} ${root}`;
      return `${target}: ${place} ${options.join(",")} ${superOptions.join(",")}`;
    })
    .sort();
}

const bind = (source: string, destination: string, ...options: string[]) => ({
  destination,
  type: "bind",
  source,
  options: ["bind", ...options],
});

/** Goes through a checkpoint and a restore; returns the mounts before and after. */
function goThrough(counter: Counter, between = () => {}): { before: string[]; after: string[] } {
  const before = mountsOf(counter.container.pid);
  succeed(counter.checkpoint());
  const last = counter.count;
  between();
  succeed(counter.restore());
  counter.assertGoesOn(last);
  return { before, after: mountsOf(counter.container.pid) };
}

test("every mount is as it was: read-only, hidden, nested, recursive, behind a link", edgerunOnly, () => {
  const rootfs = ws.newRootfs();
  mkdirSync(join(rootfs, "real"));
  symlinkSync("real", join(rootfs, "link"));
  const [rw, ro, tree, nested] = [ws.newDirectory(), ws.newDirectory(), ws.newDirectory(), ws.newDirectory()];
  mkdirSync(join(tree, "below"));
  mkdirSync(join(ro, "nested"));
  const file = ws.newFile("a file\n");
  succeed(execute("mount", ["-t", "tmpfs", "-o", "mode=700", "edgerun-test", join(tree, "below")]));
  try {
    writeFileSync(join(tree, "below/deep"), "deep\n");
    const change: Change = (config) => {
      config.root = { path: rootfs, readonly: true };
      config.mounts.push(
        bind(rw, "/rw", "nosuid", "noexec"),
        bind(ro, "/ro", "ro"),
        bind(nested, "/ro/nested"),
        bind(file, "/etc/file", "ro"),
        bind(rw, "/link/x", "ro"),
        { destination: "/tree", type: "none", source: tree, options: ["rbind"] },
        { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["size=1m", "mode=1777", "nodev"] },
      );
    };
    const counter = new Counter(ws, change, "echo kept >/tmp/kept; chmod 640 /tmp/kept; touch /rw/made").run();
    const c = counter.container;
    const { before, after } = goThrough(counter);
    assert.deepEqual(after, before);
    assert.equal(
      c.output("cat /tmp/kept; stat -c %a /tmp/kept; cat /etc/file /tree/below/deep"),
      "kept\n640\na file\ndeep",
    );
    for (const path of ["/x", "/ro/x", "/link/x/x", "/etc/file", "/proc/sys/kernel/domainname"]) {
      assert.match(c.exec(["touch", path]).stderr, /Read-only file system/, path);
    }
    c.output("touch /rw/x /ro/nested/x /tree/x");
    assert.equal(c.output("cat /proc/keys /proc/timer_list; ls /sys/firmware"), "");
  } finally {
    ws.deleteContainers();
    execute("umount", [join(tree, "below")]);
  }
});

test("bind mounts whose places the container has exchanged keep their sources and rights", edgerunOnly, () => {
  const rootfs = ws.newRootfs();
  const [writable, readOnly] = [ws.newDirectory(), ws.newDirectory()];
  const change: Change = (config) => {
    config.root = { path: rootfs, readonly: false };
    config.mounts.push(bind(writable, "/a/x"), bind(readOnly, "/b/x", "ro"));
  };
  const counter = new Counter(ws, change, "mv /a /t; mv /b /a; mv /t /b").run();
  const { before, after } = goThrough(counter);
  assert.deepEqual(after, before);
  const c = counter.container;
  assert.match(c.exec(["touch", "/a/x/f"]).stderr, /Read-only file system/);
  c.output("touch /b/x/f");
  assert.equal(execute("ls", [readOnly]).stdout, "");
  assert.equal(execute("ls", [writable]).stdout, "f\n");
});

test("into a root file system without the mount points, as an image has it", edgerunOnly, () => {
  const rootfs = ws.newRootfs();
  const counter = new Counter(ws, (config) => {
    config.root.path = rootfs;
    config.mounts.push(bind(ws.newDirectory(), "/deep/down/mount"), bind(ws.newFile("x\n"), "/deep/file"));
  }).run();
  const { before, after } = goThrough(counter, () => {
    for (const name of ["data", "deep", "dev", "proc", "sys"]) rmSync(join(rootfs, name), { recursive: true });
  });
  assert.deepEqual(after, before);
  assert.equal(counter.container.output("cat /deep/file"), "x");
});

test("another source for a mount is what config.json says at the restore", edgerunOnly, () => {
  const [first, second] = [ws.newFile("first\n"), ws.newFile("second\n")];
  const counter = new Counter(ws, (config) => {
    config.mounts.push(bind(first, "/etc/file", "ro"));
  }).run();
  const c = counter.container;
  goThrough(counter, () => {
    const file = join(c.directory, "config.json");
    writeFileSync(file, readFileSync(file, "utf8").replace(JSON.stringify(first), JSON.stringify(second)));
  });
  assert.equal(c.output("cat /etc/file"), "second");
});

/** The restore must fail with one line that matches, and leave nothing. */
function assertRefused(counter: Counter, text: RegExp): void {
  const result = counter.restore();
  assert.equal(result.status, 1);
  assert.match(result.stderr, text);
  assert.match(result.stderr, /^edgerun: [^\n]+\n$/, "one line");
  ws.assertHostUnchanged();
}

const links: [string, (ws: string) => string, RegExp][] = [
  ["the host's files", (directory) => directory, /criu failed: type RESTORE|"\/secret" is missing/],
  ["another place", () => "/etc", /criu failed: type RESTORE|"\/secret" is missing/],
];
for (const [what, target, text] of links) {
  test(`a mount point that became a link to ${what} is not followed`, edgerunOnly, () => {
    const rootfs = ws.newRootfs();
    const change: Change = (config) => {
      config.root = { path: rootfs, readonly: false };
      config.mounts.push(bind(ws.newDirectory(), "/secret", "ro"));
    };
    const counter = new Counter(ws, change).run();
    succeed(counter.checkpoint());
    renameSync(join(rootfs, "secret"), join(rootfs, "moved"));
    symlinkSync(target(ws.newDirectory()), join(rootfs, "secret"));
    assertRefused(counter, text);
  });
}

const changes: [string, (text: string) => string, RegExp][] = [
  [
    "other attributes",
    (text) => text.replace(/("point":"\/data","options":")rw/, "$1ro"),
    /"\/data" is now ext4 .*\(rw,relatime\)/,
  ],
  ["another origin", (text) => text.replace(/"target":"\/data"/, '"target":""'), /No mapping for \d+/],
  [
    "a mount less",
    (text) => text.replace(/\{"point":"\/dev\/shm"[^}]*\},/, ""),
    /"\/dev\/shm" is one that was not there/,
  ],
];
for (const [what, change, text] of changes) {
  test(`restored mounts are compared with those of the checkpoint: ${what}`, edgerunOnly, () => {
    const counter = new Counter(ws).run();
    succeed(counter.checkpoint());
    const file = join(counter.images, "edgerun.json");
    const before = readFileSync(file, "utf8");
    writeFileSync(file, change(before));
    assert.notEqual(readFileSync(file, "utf8"), before);
    assertRefused(counter, text);
    writeFileSync(file, before);
    succeed(counter.restore());
  });
}

test("a mount that is gone from config.json is named", edgerunOnly, () => {
  const counter = new Counter(ws).run();
  succeed(counter.checkpoint());
  const file = join(counter.container.directory, "config.json");
  const config: Config = JSON.parse(readFileSync(file, "utf8"));
  config.mounts = config.mounts.filter(({ destination }) => destination !== "/data");
  writeFileSync(file, JSON.stringify(config));
  assertRefused(counter, /config\.json: \$\.mounts: nothing to mount at "\/data"/);
});

/** The checkpoint must fail with one line that matches; the container goes on. */
function assertNotSaved(counter: Counter, text: RegExp): void {
  const result = counter.checkpoint();
  assert.equal(result.status, 1);
  assert.match(result.stderr, text);
  assert.match(result.stderr, /^edgerun: [^\n]+\n$/, "one line");
  counter.advance();
  assert.equal(counter.container.status(), "running");
}

test("a source that was replaced meanwhile can't be told from another one", edgerunOnly, () => {
  const file = ws.newFile("old\n");
  const counter = new Counter(ws, (config) => {
    config.mounts.push(bind(file, "/etc/file"));
  }).run();
  renameSync(ws.newFile("new\n"), file);
  assertNotSaved(
    counter,
    /cannot checkpoint: mount "\/etc\/file" shows ext4 \S+ "[^"]*\/\/deleted", which is none of config\.json's/,
  );
});

test("a name that CRIU would take apart is refused", edgerunOnly, () => {
  const rootfs = ws.newRootfs();
  const change: Change = (config) => {
    config.root = { path: rootfs, readonly: false };
    config.mounts.push(bind(ws.newDirectory(), "/a/x"));
  };
  assertNotSaved(
    new Counter(ws, change, "mv /a '/a]:x'").run(),
    /cannot checkpoint: mount "\/a\]:x\/x" has a "\]" in its path/,
  );
});

test("mounts that were added to the running container are none of config.json's", edgerunOnly, () => {
  const rootfs = ws.newRootfs();
  const counter = new Counter(ws, (config) => {
    config.root = { path: rootfs, readonly: false };
  }).run();
  const c = counter.container;
  const list = ws.newFile(JSON.stringify([bind(ws.newDirectory(), "/added")]));
  c.succeed("mounts", "add", c.id, list);
  assertNotSaved(counter, /cannot checkpoint: mount "\/added" shows/);
  c.succeed("mounts", "remove", c.id, list);
  succeed(counter.checkpoint());
});
