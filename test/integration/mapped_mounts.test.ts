// SPDX-License-Identifier: Apache-2.0
// Mapped mounts (config.md: uidMappings, idmap, ridmap), and bind mounts whose sources only the host's root can reach.

import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Change, type Config, type Mount, setCapabilities, setUserNamespace } from "./support/config.ts";
import { sinceLinux } from "./support/kernel.ts";
import { execute } from "./support/process.ts";
import { lacking } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const hostId = 200_000;
const runc = "1.1 maps no mounts";
const rootfs = ws.newRootfs();
for (const name of ["", "tmp"]) chownSync(join(rootfs, name), hostId, hostId);

/** A directory with a file of the host's root and one of 1000:1001. */
function volume(): string {
  const directory = ws.newDirectory();
  for (const [name, uid, gid] of [
    ["root", 0, 0],
    ["user", 1000, 1001],
  ] as const) {
    writeFileSync(join(directory, name), "");
    chownSync(join(directory, name), uid, gid);
  }
  return directory;
}

const bind = (source: string, extra: Partial<Mount> = {}): Mount => ({
  destination: "/tmp",
  type: "bind",
  source,
  options: ["rbind"],
  ...extra,
});
const add =
  (...mounts: Mount[]): Change =>
  (config) => {
    setCapabilities(config, ["CAP_CHOWN", "CAP_DAC_OVERRIDE"]);
    config.mounts.push(...mounts);
  };
/** In a user namespace in which the host's 200000 is root. */
const mapped =
  (...mounts: Mount[]): Change =>
  (config: Config) => {
    add(...mounts)(config);
    config.root = { path: rootfs, readonly: false };
    setUserNamespace(config, hostId);
  };
const map = (hostID: number) => [{ containerID: 0, hostID, size: 65536 }];
const owners = "stat -c '%n %u:%g' /tmp/root /tmp/user";

test("uidMappings and gidMappings: ids are shown, and written, as mapped", lacking({ runc }), () => {
  const source = volume();
  const change = add(bind(source, { uidMappings: map(100_000), gidMappings: map(300_000) }));
  assert.equal(ws.output(owners, change), "/tmp/root 100000:300000\n/tmp/user 101000:301001");
  ws.output("touch /tmp/new && chown 100005:300006 /tmp/new", (config) => {
    change(config);
    config.process.user = { uid: 100_000, gid: 300_000 };
    const names = ["CAP_CHOWN"];
    config.process.capabilities = {
      bounding: names,
      permitted: names,
      effective: names,
      inheritable: names,
      ambient: names,
    };
  });
  assert.deepEqual([statSync(join(source, "new")).uid, statSync(join(source, "new")).gid], [5, 6]);
});

test("without a mapping they are as they are", () => {
  assert.equal(ws.output(owners, add(bind(volume()))), "/tmp/root 0:0\n/tmp/user 1000:1001");
  assert.equal(ws.output(owners, mapped(bind(volume()))), "/tmp/root 65534:65534\n/tmp/user 65534:65534");
});

test("idmap takes the container's user namespace: its root owns what the host's root owns", lacking({ runc }), () => {
  const source = volume();
  assert.equal(
    ws.output(`${owners}; touch /tmp/new`, mapped(bind(source, { options: ["bind", "idmap"] }))),
    "/tmp/root 0:0\n/tmp/user 1000:1001",
  );
  assert.equal(statSync(join(source, "new")).uid, 0);
});

test("own mappings of a mount in a user namespace", lacking({ runc, crun: "1.8 takes only the option" }), () => {
  const mappings = { uidMappings: map(hostId + 5), gidMappings: map(hostId + 7) };
  assert.equal(ws.output(owners, mapped(bind(volume(), mappings))), "/tmp/root 5:7\n/tmp/user 1005:1008");
});

test("the mappings as text, in crun's form", lacking({ runc }), () => {
  const option = "idmap=uids=0-100000-1#1000-7-1;gids=0-300000-1#1001-8-1";
  assert.equal(
    ws.output(owners, add(bind(volume(), { options: ["bind", option] }))),
    "/tmp/root 100000:300000\n/tmp/user 7:8",
  );
});

const tmpfsIsMapped = sinceLinux(6, 3, "tmpfs can't be mapped");
for (const [option, below] of [
  ["idmap", "65534"],
  ["ridmap", "0"],
] as const) {
  test(`${option}: a mount below is ${below === "0" ? "mapped, too" : "not mapped"}`, {
    ...(below === "0" ? tmpfsIsMapped : {}),
    ...lacking({ runc, crun: "1.8 has no ridmap" }),
  }, () => {
    const source = volume();
    const submount = join(source, "below");
    mkdirSync(submount);
    assert.equal(execute("mount", ["-t", "tmpfs", "tmpfs", submount]).status, 0);
    try {
      const change = mapped(bind(source, { options: ["rbind", option] }));
      assert.equal(ws.output("stat -c %u /tmp/root /tmp/below", change), `0\n${below}`);
    } finally {
      execute("umount", [submount]);
    }
  });
}

test("a file system that can't be mapped is named", lacking({ runc, crun: "says less" }), () => {
  const c = ws.bundle(
    add(bind("/proc/sys", { destination: "/tmp", uidMappings: map(100_000), gidMappings: map(100_000) })),
  );
  c.fail(/map the ids of bind mount source "\/proc\/sys": invalid argument/i, [
    "create",
    "--bundle",
    c.directory,
    c.id,
  ]);
  ws.assertNothingLeft();
});

test("mappings that overlap are refused", lacking({ runc }), () => {
  const overlap = [...map(100_000), { containerID: 5, hostID: 7, size: 1 }];
  const c = ws.bundle(add(bind(volume(), { uidMappings: overlap, gidMappings: overlap })));
  assert.notEqual(c.create().status, 0);
  ws.assertNothingLeft();
});

test("idmap without a user namespace or mappings is refused", lacking({ runc }), () => {
  const c = ws.bundle(add(bind(volume(), { options: ["bind", "idmap"] })));
  assert.notEqual(c.create().status, 0);
  ws.assertNothingLeft();
});

/** A file that only root can get to, in a directory that belongs to somebody else. */
function hiddenFile(): string {
  const directory = ws.newDirectory();
  writeFileSync(join(directory, "reading"), "42\n");
  chownSync(directory, 4321, 4321);
  chmodSync(directory, 0o700);
  return join(directory, "reading");
}

test("a source that only the host's root can reach", () => {
  const change = mapped(bind(hiddenFile(), { destination: "/tmp/reading" }));
  assert.equal(ws.output("cat /tmp/reading", change), "42");
});

test("a source that is missing is named", lacking({ runc: "1.1 loses the reason in a user namespace" }), () => {
  const c = ws.bundle(mapped(bind("/no/such/source")));
  c.fail(/no such file or directory/i, ["create", "--bundle", c.directory, c.id]);
  ws.assertNothingLeft();
});

test("more sources than fit into one message", () => {
  const file = ws.newFile("x");
  const mounts = [...Array(300).keys()].map((index) => bind(file, { destination: `/tmp/${index}` }));
  assert.equal(ws.output("cat /tmp/0 /tmp/249 /tmp/250 /tmp/299", mapped(...mounts)), "xxxx");
});

const unlocked = { crun: "opens sources outside of the container's mount namespace: nothing locks their flags" };

test("read-only on the host stays read-only for the root of a user namespace", lacking(unlocked), () => {
  const source = ws.newDirectory();
  execute("mount", ["-t", "tmpfs", "-o", "ro,nosuid", "tmpfs", source]);
  try {
    const change: Change = (config) => {
      mapped(bind(source))(config);
      setCapabilities(config, ["CAP_SYS_ADMIN"]);
    };
    assert.notEqual(ws.runScript("mount -o remount,bind,rw,nosuid /tmp", change).status, 0);
    assert.notEqual(ws.runScript("mount -o remount,bind,ro,suid /tmp", change).status, 0);
    assert.equal(ws.runScript("mount -o remount,bind,ro,nosuid,noexec /tmp", change).status, 0);
  } finally {
    execute("umount", [source]);
  }
});
