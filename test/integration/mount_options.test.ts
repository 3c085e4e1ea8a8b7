// SPDX-License-Identifier: Apache-2.0
// mounts[].options: every word of the specification's list, read back from the kernel (config.md "Linux mount options").

import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Config, Mount } from "./support/config.ts";
import { type MountEntry, parseMountinfo } from "./support/inside.ts";
import { execute } from "./support/process.ts";
import { lacking } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const source = ws.newDirectory();
mkdirSync(join(source, "below"));

const add =
  (...mounts: Mount[]) =>
  (config: Config) => {
    config.mounts.push(...mounts);
  };

/** The mounts on /tmp and below it that a container with one more mount there has. */
function mountsWith(mount: Partial<Mount>): MountEntry[] {
  const text = ws.output("cat /proc/self/mountinfo", add({ destination: "/tmp", ...mount }));
  return parseMountinfo(text).filter(({ target }) => target === "/tmp" || target.startsWith("/tmp/"));
}

function tmpfs(...options: string[]): MountEntry {
  return mountsWith({ type: "tmpfs", source: "tmpfs", options })[0]!;
}

function bind(...options: string[]): MountEntry {
  return mountsWith({ type: "bind", source, options: ["bind", ...options] })[0]!;
}

const accessTimes = ["noatime", "relatime"];

/** A word, the flag of mountinfo that it is about, and whether that is then there. */
const attributes: [word: string, flag: string, isThere: boolean][] = [
  ["ro", "ro", true],
  ["rw", "ro", false],
  ["nosuid", "nosuid", true],
  ["suid", "nosuid", false],
  ["nodev", "nodev", true],
  ["dev", "nodev", false],
  ["noexec", "noexec", true],
  ["exec", "noexec", false],
  ["nodiratime", "nodiratime", true],
  ["diratime", "nodiratime", false],
  ["noatime", "noatime", true],
  ["atime", "noatime", false],
  ["relatime", "relatime", true],
  ["strictatime", "relatime", false],
  ["norelatime", "noatime", false],
  ["nostrictatime", "relatime", true],
  ["nosymfollow", "nosymfollow", true],
  ["symfollow", "nosymfollow", false],
];

/** What a word takes back. */
function opposite(word: string, flag: string, isThere: boolean): string[] {
  if (isThere) return [];
  return word === "strictatime" ? ["relatime"] : [flag];
}

const symfollow = { crun: "1.8 hands it to the file system" };

for (const [word, flag, isThere] of attributes) {
  const clears = isThere ? {} : { crun: "clears no flags" };
  const peers = word.endsWith("symfollow") ? symfollow : clears;
  // runc sees no difference between "not this mode of access times" and none.
  const mode = word === "nostrictatime" || word === "norelatime" ? { runc: "1.1 leaves the mode as it was" } : {};
  test(`${word} of a bind mount`, lacking({ ...peers, ...mode }), () => {
    const { options } = bind(...opposite(word, flag, isThere), word);
    assert.equal(options.includes(flag), isThere, options.join());
  });
  test(`${word} of a tmpfs`, lacking({ ...peers, ...mode }), () => {
    const { options } = tmpfs(...opposite(word, flag, isThere), word);
    assert.equal(options.includes(flag), isThere, options.join());
  });
}

test("strictatime leaves no mode of access times", () => {
  const { options } = bind("strictatime");
  assert.deepEqual(
    options.filter((option) => accessTimes.includes(option)),
    [],
  );
});

/** Runs with a mount below the source that has these options. */
function withSubmount<T>(options: string, use: () => T): T {
  const below = join(source, "below");
  assert.equal(execute("mount", ["-t", "tmpfs", "-o", options, "tmpfs", below]).status, 0);
  try {
    return use();
  } finally {
    execute("umount", [below]);
  }
}

for (const [word, flag, isThere] of attributes) {
  const runc = /^(atime|norelatime|nostrictatime)$/.test(word) ? "1.1 clears only a part of the mode" : undefined;
  const lacks = { crun: "1.8 knows r... only in part", ...(runc === undefined ? {} : { runc }) };
  test(`r${word} is also for the mounts below`, lacking(lacks), () => {
    const before = isThere ? "defaults" : word === "strictatime" ? "relatime" : flag;
    const [own, below] = withSubmount(before, () =>
      mountsWith({ type: "bind", source, options: ["rbind", ...opposite(word, flag, isThere), `r${word}`] }),
    );
    assert.equal(own!.options.includes(flag), isThere, own!.options.join());
    assert.equal(below!.options.includes(flag), isThere, below!.options.join());
  });
}

test("without r it is not for the mounts below", () => {
  const [own, below] = withSubmount("defaults", () =>
    mountsWith({ type: "bind", source, options: ["rbind", "ro", "nosuid"] }),
  );
  assert.deepEqual([own!.options.includes("ro"), below!.options.includes("ro")], [true, false]);
  assert.equal(below!.options.includes("nosuid"), false);
});

for (const word of ["sync", "dirsync", "lazytime"]) {
  test(`${word} is an option of the super block`, word === "lazytime" ? lacking(symfollow) : {}, () => {
    assert.ok(tmpfs(word).superOptions.includes(word));
  });
}

for (const [word, back] of [
  ["sync", "async"],
  ["lazytime", "nolazytime"],
] as const) {
  test(`${back} takes ${word} back`, lacking({ crun: "clears no flags" }), () => {
    assert.equal(tmpfs(word, back).superOptions.includes(word), false);
  });
}

test("defaults asks for nothing", lacking({ runc: "1.1 hands it to the file system" }), () => {
  assert.deepEqual(tmpfs("defaults").options, tmpfs().options);
});

/** Does the kernel log that what is mounted as ext4 is none? */
function isLogged(word: string): boolean {
  const device = execute("losetup", ["--find", "--show", ws.newFile("x".repeat(1 << 20))]).stdout.trim();
  const countLines = () => execute("dmesg", []).stdout.split("VFS: Can't find ext4 filesystem").length;
  try {
    const before = countLines();
    const c = ws.bundle(add({ destination: "/tmp", type: "ext4", source: device, options: [word] }));
    assert.notEqual(c.create().status, 0);
    return countLines() > before;
  } finally {
    execute("losetup", ["--detach", device]);
  }
}

test("silent keeps the kernel from logging why it mounts nothing, loud does not", lacking(symfollow), () => {
  assert.deepEqual([isLogged("loud"), isLogged("silent")], [true, false]);
});

/** The flags of mount(2) as the kernel was given them, for a tmpfs with these options. */
function mountCalls(...options: string[]): string {
  const trace = ws.newFile();
  const c = ws.script("true", add({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options }));
  const run = [process.env.RUNTIME ?? "build/edgerun", ...ws.globalFlags, "run", "--bundle", c.directory, c.id];
  const result = execute("strace", ["-f", "-e", "trace=mount", "-o", trace, ...run]);
  assert.equal(result.status, 0, result.stderr);
  return readFileSync(trace, "utf8");
}

// Nothing in /proc tells SB_I_VERSION of a super block.
test("iversion is asked of the kernel, noiversion takes it back", lacking(symfollow), () => {
  assert.match(mountCalls("iversion", "nosuid"), /"tmpfs", MS_NOSUID\|MS_I_VERSION.* = 0/);
  assert.doesNotMatch(mountCalls("iversion", "noiversion"), /MS_I_VERSION/);
});

for (const [word, shown] of [
  ["private", /^$/],
  ["rprivate", /^$/],
  ["slave", /^master:\d+$/],
  ["rslave", /^master:\d+$/],
  // It receives what is mounted on the host, as before, and is shared from here on.
  ["shared", /^shared:\d+ master:\d+$/],
  ["rshared", /^shared:\d+ master:\d+$/],
  ["unbindable", /^unbindable$/],
  ["runbindable", /^unbindable$/],
] as const) {
  test(`${word}, of a mount of a shared one`, lacking({ crun: "1.8 leaves some of them private" }), () => {
    execute("mount", ["-t", "tmpfs", "tmpfs", source]);
    execute("mount", ["--make-shared", source]);
    mkdirSync(join(source, "below"));
    execute("mount", ["-t", "tmpfs", "tmpfs", join(source, "below")]);
    try {
      const text = ws.output("cat /proc/self/mountinfo", (config) => {
        config.linux.rootfsPropagation = "rslave";
        config.mounts.push({ destination: "/tmp", type: "bind", source, options: ["rbind", word] });
      });
      const find = (path: string) =>
        parseMountinfo(text)
          .find(({ target }) => target === path)!
          .propagation.join(" ");
      assert.match(find("/tmp"), shown);
      assert.match(find("/tmp/below"), word.startsWith("r") ? shown : /^master:\d+$/);
    } finally {
      execute("umount", [join(source, "below")]);
      execute("umount", [source]);
    }
  });
}

test("remount changes the attributes of a mount that is there, and leaves the others", () => {
  const text = ws.output(
    "cat /proc/self/mountinfo",
    add(
      { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "noexec"] },
      { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["remount", "exec", "nodev"] },
    ),
  );
  const { options } = parseMountinfo(text).find(({ target }) => target === "/tmp")!;
  assert.deepEqual([options.includes("noexec"), options.includes("nodev")], [false, true]);
});

test("remount changes options of the file system", () => {
  const text = ws.output(
    "cat /proc/self/mountinfo",
    add(
      { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["size=64k", "mode=700"] },
      { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["remount", "size=128k", "sync"] },
    ),
  );
  const { superOptions } = parseMountinfo(text).find(({ target }) => target === "/tmp")!;
  assert.ok(superOptions.includes("size=128k") && superOptions.includes("sync"), superOptions.join());
});

test("one entry may hold several options", () => {
  const { superOptions } = tmpfs("size=64k,mode=0750");
  assert.ok(superOptions.includes("size=64k") && superOptions.includes("mode=750"), superOptions.join());
});
