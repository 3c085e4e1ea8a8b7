// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeMounts, listNamedMounts, mountName } from "../../src/checkpoint/description.ts";
import { locate, type MountEntry, parseMounts } from "../../src/checkpoint/mount_table.ts";
import { findSource, listSources, type Source } from "../../src/checkpoint/outside.ts";
import { verifyMounts } from "../../src/checkpoint/verify_mounts.ts";
import { EdgerunError } from "../../src/errors.ts";
import type { Host } from "../../src/host/functions.ts";
import type { Operation } from "../../src/plan/operations.ts";

const hostMounts = parseMounts(`\
1 1 0:2 / / rw - rootfs rootfs rw
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:6 / /dev rw,nosuid shared:2 - devtmpfs devtmpfs rw
24 22 8:2 /export /srv rw - ext4 /dev/sda2 rw
25 24 8:3 / /srv/sub rw - ext4 /dev/sda3 rw
26 22 8:4 / /over rw - ext4 /dev/sda4 rw
27 26 8:5 / /over rw - ext4 /dev/sda5 rw
28 22 8:6 / /over/hidden rw - ext4 /dev/sda6 rw
29 22 8:7 / /with\\040space rw - ext4 /dev/sda7 rw
`);

const places: [string, string][] = [
  ["/", "8:1 /"],
  ["/etc/hosts", "8:1 /etc/hosts"],
  ["/dev/null", "0:6 /null"],
  ["/srv", "8:2 /export"],
  ["/srv/a", "8:2 /export/a"],
  ["/srv/subway", "8:2 /export/subway"],
  ["/srv/sub/b", "8:3 /b"],
  ["/over/c", "8:5 /c"],
  ["/over/hidden/c", "8:5 /hidden/c"],
  ["/with space/d", "8:7 /d"],
];
for (const [path, place] of places) {
  test(`${path} is at ${place}`, () => {
    const found = locate(hostMounts, path);
    assert.equal(`${found?.device} ${found?.path}`, place);
  });
}

const bind = (source: string, target: string, recursive = 0): Operation => ({
  op: "mount_bind",
  source,
  target,
  recursive,
  attributesSet: 0,
  attributesClear: 0,
  recursiveSet: 0,
  recursiveClear: 0,
  propagation: 0,
  handed: 0,
});
const operations: Operation[] = [
  bind("/srv/rw", "/rw"),
  bind("/srv/ro", "/ro"),
  bind("/srv", "/all", 1),
  bind("/gone", "/gone"),
  { op: "mask_path", target: "/proc/keys" },
];
/** /gone is not there. */
const host = {
  realPath: (path: string) => {
    if (path === "/gone") throw new EdgerunError("HOST", "no such file or directory", { errno: "ENOENT" });
    return path;
  },
} as Host;
const sources = listSources(host, hostMounts, { rootfs: "/bundle/rootfs", cgroups: ["/srv/cgroup"] }, operations);

test("sources: each host path of the plan, and what is mounted below a recursive one", () => {
  assert.deepEqual(
    sources.map(
      ({ origin, hostPath, place }) => `${origin.target}+${origin.below} ${hostPath} ${place.device} ${place.path}`,
    ),
    [
      "+ /bundle/rootfs 8:1 /bundle/rootfs",
      "/rw+ /srv/rw 8:2 /export/rw",
      "/ro+ /srv/ro 8:2 /export/ro",
      "/all+ /srv 8:2 /export",
      "/all+/sub /srv/sub 8:3 /",
      "mask+ /dev/null 0:6 /null",
      "cgroup+0 /srv/cgroup 8:2 /export/cgroup",
    ],
  );
});

const container = (lines: string): MountEntry[] =>
  parseMounts(`\
60 1 8:1 /bundle/rootfs / ro,relatime - ext4 /dev/sda1 rw
61 60 0:40 / /proc rw,relatime - proc proc rw
62 61 0:40 /sys /proc/sys ro,relatime - proc proc rw
63 61 0:6 /null /proc/keys rw - devtmpfs devtmpfs rw
${lines}`);
const plain = container(`\
64 60 8:2 /export/rw /rw rw - ext4 /dev/sda2 rw
65 60 8:2 /export/ro /ro ro - ext4 /dev/sda2 rw
`);

test("mounts of the host are told by what they show; the container's own are CRIU's", () => {
  const described = describeMounts(plain, sources);
  assert.deepEqual(
    described.map(({ point, origin }) => `${point} ${origin === undefined ? "own" : origin.target + origin.below}`),
    ["/ ", "/proc own", "/proc/sys own", "/proc/keys mask", "/rw /rw", "/ro /ro"],
  );
  assert.deepEqual(
    listNamedMounts(described).map((mount) => `${mount.point} ${mountName(mount)}`),
    ["/proc/keys /dev/null", "/rw /rw", "/ro /ro"],
  );
});

test("a container that exchanged the directories of two bind mounts gets each with its own source", () => {
  const swapped = container(`\
64 60 8:2 /export/rw /ro rw - ext4 /dev/sda2 rw
65 60 8:2 /export/ro /rw ro - ext4 /dev/sda2 rw
`);
  const described = describeMounts(swapped, sources);
  assert.equal(described.find(({ point }) => point === "/ro")?.origin?.target, "/rw");
  assert.equal(described.find(({ point }) => point === "/rw")?.origin?.target, "/ro");
});

test("a mount of a submount is named by what it lies below", () => {
  const [mount] = parseMounts("70 60 8:3 / /all/sub rw - ext4 /dev/sda3 rw");
  assert.deepEqual(findSource(sources, mount!)?.origin, { target: "/all", below: "/sub" });
});

const refused: [string, string, RegExp][] = [
  [
    "a mount that is none of config.json's",
    "64 60 8:2 /export/other /x rw - ext4 /dev/sda2 rw",
    /"\/x" shows ext4 8:2 "\/export\/other"/,
  ],
  ["one whose source was replaced", "64 60 8:2 /export/rw//deleted /rw rw - ext4 /dev/sda2 rw", /"\/rw" shows/],
  ["a name that CRIU would take apart", "64 60 8:2 /export/rw /a]:b rw - ext4 /dev/sda2 rw", /"\]" in its path/],
  ["id mappings", "64 60 8:2 /export/rw /rw rw,relatime,idmapped - ext4 /dev/sda2 rw", /id mappings/],
  [
    "two mounts on one place",
    "64 60 8:2 /export/rw /x rw - ext4 /dev/sda2 rw\n65 64 8:2 /export/ro /x ro - ext4 /dev/sda2 rw",
    /two mounts are at "\/x"/,
  ],
  [
    "a bind mount under a file system of the container's",
    "64 60 8:2 /export/rw /x rw - ext4 /dev/sda2 rw\n65 64 0:50 / /x rw - tmpfs tmpfs rw",
    /two mounts are at "\/x"/,
  ],
];
for (const [what, lines, text] of refused) {
  test(`can't be checkpointed: ${what}`, () => {
    assert.throws(() => describeMounts(container(lines), sources), { message: text, code: "UNSUPPORTED" });
  });
}

test("restored mounts: as they were, in any order, is fine", () => {
  verifyMounts([...plain].reverse(), describeMounts(plain, sources), sources);
});

const differing: [string, (mounts: MountEntry[]) => void, RegExp][] = [
  ["missing", (mounts) => mounts.pop(), /"\/ro" is missing/],
  ["more", (mounts) => mounts.push({ ...mounts[4]!, point: "/x" }), /"\/x" is one that was not there/],
  [
    "writable",
    (mounts) => Object.assign(mounts[5]!, { options: "rw" }),
    /"\/ro" is now ext4 8:2 "\/export\/ro" \(rw\)/,
  ],
  [
    "of another source",
    (mounts) => Object.assign(mounts[5]!, { place: mounts[4]!.place }),
    /"\/ro" is now ext4 8:2 "\/export\/rw"/,
  ],
  ["of another file system", (mounts) => Object.assign(mounts[1]!, { type: "tmpfs" }), /"\/proc" is now tmpfs/],
  [
    "without its mask",
    (mounts) => Object.assign(mounts[3]!, { place: { device: "0:6", path: "/zero" } }),
    /"\/proc\/keys" is now/,
  ],
  ["of another root", (mounts) => Object.assign(mounts[0]!, { place: { device: "8:1", path: "/" } }), /"\/" is now/],
  ["elsewhere", (mounts) => Object.assign(mounts[5]!, { point: "/etc" }), /"\/ro" is missing/],
];
for (const [what, change, text] of differing) {
  test(`restored mounts, one ${what}: refused`, () => {
    const restored = structuredClone(plain);
    change(restored);
    assert.throws(() => verifyMounts(restored, describeMounts(plain, sources), sources), {
      message: text,
      code: "CRIU",
    });
  });
}

test("a restore may be given another source, which is then the one that counts", () => {
  const moved: Source[] = sources.map((source) =>
    source.origin.target === "/rw" ? { ...source, place: { device: "8:9", path: "/new" } } : source,
  );
  const described = describeMounts(plain, sources);
  const restored = structuredClone(plain);
  assert.throws(() => verifyMounts(restored, described, moved), /"\/rw" is now/);
  restored[4]!.place = { device: "8:9", path: "/new" };
  restored[4]!.type = "xfs";
  verifyMounts(restored, described, moved);
});
