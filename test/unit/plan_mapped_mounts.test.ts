// SPDX-License-Identifier: Apache-2.0
// Mapped mounts, and who opens the sources of bind mounts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { launch, pick, smallSpec } from "./plan_fixture.ts";

const uidMappings = [{ containerID: 0, hostID: 1000, size: 10 }];
const gidMappings = [{ containerID: 0, hostID: 2000, size: 10 }];
const texts = { uid: "0 1000 10\n", gid: "0 2000 10\n" };
const userNamespace = { namespaces: [{ type: "mount" }, { type: "user" }], uidMappings, gidMappings };
const bind = (extra: object = {}) => ({ destination: "/a", source: "/x", options: ["rbind"], ...extra });

function planOne(mount: object, linux: object = {}, options = {}) {
  return launch(smallSpec({ mounts: [mount], linux }), { options });
}

test("mappings of a mount are carried out by the host side, after the cgroups are joined", () => {
  const plan = planOne(bind({ uidMappings, gidMappings }));
  assert.deepEqual(plan.sources, [{ path: "/x", recursive: true, idMaps: texts, mapRecursively: false }]);
  assert.equal(pick(plan, "mount_bind")[0]?.handed, 1);
  const names = plan.operations.map(({ op }) => op);
  assert.equal(pick(plan, "receive_sources")[0]?.count, 1);
  assert.ok(names.indexOf("receive_sources") > names.lastIndexOf("join_cgroup"));
  assert.ok(names.indexOf("receive_sources") < names.indexOf("mount_bind"));
});

test("idmap and ridmap: the mount's own mappings, else those of the option, else the container's", () => {
  for (const [option, mapRecursively] of [
    ["idmap", false],
    ["ridmap", true],
  ] as const) {
    const own = planOne(bind({ options: ["rbind", option], uidMappings, gidMappings }), userNamespace);
    assert.deepEqual(own.sources[0], { path: "/x", recursive: true, idMaps: texts, mapRecursively });
    const container = planOne(bind({ options: ["bind", option] }), userNamespace);
    assert.deepEqual(container.sources[0], { path: "/x", recursive: false, idMaps: "container", mapRecursively });
    const text = planOne(bind({ options: ["bind", `${option}=uids=0-1000-1#5-6-7;gids=0-2000-3`] }));
    assert.deepEqual(text.sources[0]?.idMaps, { uid: "0 1000 1\n5 6 7\n", gid: "0 2000 3\n" });
  }
});

test("in a user namespace the host side opens every source, devices and cgroups too", () => {
  const cgroup = { destination: "/sys/fs/cgroup", type: "cgroup" };
  const plan = launch(smallSpec({ mounts: [bind(), cgroup], linux: userNamespace }));
  const binds = pick(plan, "mount_bind");
  const devices = pick(plan, "bind_device");
  const handed = [...binds, ...devices].map((one) => plan.sources[one.handed - 1]?.path);
  assert.deepEqual(
    handed,
    [...binds, ...devices].map(({ source }) => source),
  );
  assert.ok(devices.length >= 6 && binds.length > 2);
});

test("init opens them where the host side can't enter its mount namespace, or need not", () => {
  for (const plan of [
    planOne(bind()),
    planOne(bind(), userNamespace, { privileged: false }),
    planOne(bind(), { ...userNamespace, namespaces: [{ type: "user" }, { type: "mount", path: "/proc/1/ns/mnt" }] }),
  ]) {
    assert.deepEqual([plan.sources, pick(plan, "mount_bind")[0]?.handed], [[], 0]);
    assert.deepEqual(pick(plan, "receive_sources"), []);
  }
});

const refusals: [string, object, object, RegExp][] = [
  ["no mapping to take", bind({ options: ["bind", "idmap"] }), {}, /mounts\[0\]\.options: idmap needs uidMappings/],
  ["one of two", bind({ uidMappings }), {}, /mounts\[0\]/],
  ["an empty one", bind({ uidMappings, gidMappings: [] }), {}, /mounts\[0\]: .*uidMappings and gidMappings/],
  ["a new file system", { destination: "/a", type: "tmpfs", options: ["idmap"] }, userNamespace, /only bind mounts/],
  ["mappings of a file system", { destination: "/a", type: "tmpfs", uidMappings, gidMappings }, {}, /only bind mounts/],
  ["a remount", bind({ options: ["bind", "remount", "idmap"] }), userNamespace, /only bind mounts/],
  ["half a text", bind({ options: ["bind", "idmap=uids=0-1-1"] }), {}, /"uids=0-1-1" needs uids and gids/],
  ["another text", bind({ options: ["bind", "idmap=both"] }), {}, /expected idmap=uids=FROM-TO-SIZE/],
  ["uids twice", bind({ options: ["bind", "idmap=uids=0-1-1;uids=0-1-1"] }), {}, /expected idmap=/],
  ["relative ranges", bind({ options: ["bind", "idmap=uids=@0-1-1;gids=0-1-1"] }), {}, /"@0-1-1"/],
  ["an empty range", bind({ options: ["bind", "idmap=uids=0-1-0;gids=0-1-1"] }), {}, /"0-1-0"/],
  ["the id -1", bind({ options: ["bind", "idmap=uids=0-4294967295-1;gids=0-1-1"] }), {}, /"0-4294967295-1"/],
];

for (const [name, mount, linux, message] of refusals) {
  test(`a mapped mount is refused: ${name}`, () => {
    assert.throws(() => planOne(mount, linux), message);
  });
}

test("without root nobody maps ids of a mount", () => {
  assert.throws(() => planOne(bind({ uidMappings, gidMappings }), {}, { privileged: false }), /only by root/);
});
