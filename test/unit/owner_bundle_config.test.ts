// SPDX-License-Identifier: Apache-2.0
// config.json from the image config.

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { bundleImage } from "../../src/owner/bundle.ts";
import type { Spec } from "../../src/spec/config.ts";
import {
  addImage,
  asRoot,
  finishLayout,
  type Member,
  makeTar,
  paxEntry,
  rawEntry,
  temporaryDirectory,
} from "./owner_bundle_fixture.ts";

const ETC: Member[] = [
  {
    name: "etc/passwd",
    data: "root:x:0:0::/root:/bin/sh\napp:x:1000:1001:App:/:\nodd:x:-1:0::/:\nlarge:x:4294967295:0::/:\n",
  },
  { name: "etc/group", data: "root:x:0:\napp:x:1001:app\nvideo:x:44:root,app\naudio:x:63:app\nodd:x:12x:\n" },
];

interface Made {
  spec: Spec;
  warnings: string[];
  digest: string;
}

/** Makes a bundle of an image with this image config; `config` is its inner part. */
async function makeBundle(
  t: TestContext,
  config: object,
  { files = ETC, outer = {}, args = [] }: { files?: Member[]; outer?: object; args?: string[] } = {},
): Promise<Made> {
  const base = mkdtempSync(join(temporaryDirectory(t), "x"));
  const layout = join(base, "layout");
  const tar = await makeTar(files);
  const manifest = addImage(layout, [tar], { config: { Cmd: ["/init"], ...config }, ...outer });
  finishLayout(layout, [manifest]);
  const result = await bundleImage({ image: layout, output: join(base, "bundle"), args });
  assert.equal(result.digest, manifest.digest);
  return { ...result, spec: JSON.parse(readFileSync(join(base, "bundle/config.json"), "utf8")) };
}

test("config.json is the default spec for a process without a terminal", asRoot, async (t) => {
  const { spec, warnings, digest } = await makeBundle(t, {});
  assert.deepEqual(warnings, []);
  assert.equal(spec.process.terminal, false);
  assert.deepEqual(spec.process.args, ["/init"]);
  assert.deepEqual(spec.process.user, { uid: 0, gid: 0 });
  assert.equal(spec.process.cwd, "/");
  assert.deepEqual(spec.process.env, ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]);
  assert.equal(spec.process.noNewPrivileges, true);
  assert.deepEqual(spec.root, { path: "rootfs", readonly: false });
  assert.equal(spec.hostname, "edgerun");
  assert.deepEqual(Object.keys(spec.linux!.resources!), ["devices"]);
  assert.equal(spec.annotations!["dev.edgerun.image.digest"], digest);
});

test("args are Entrypoint and Cmd, or those given", asRoot, async (t) => {
  const image = { Entrypoint: ["/entry", "-a"], Cmd: ["b"], WorkingDir: "/work", Env: ["A=1", "PATH=/bin", "E="] };
  const { process } = (await makeBundle(t, image)).spec;
  assert.deepEqual(
    [process.args, process.cwd, process.env],
    [["/entry", "-a", "b"], "/work", ["A=1", "PATH=/bin", "E="]],
  );
  assert.deepEqual((await makeBundle(t, image, { args: ["sh", ""] })).spec.process.args, ["sh", ""]);
  assert.deepEqual((await makeBundle(t, { Cmd: null }, { args: ["sh"] })).spec.process.args, ["sh"]);
  await assert.rejects(
    makeBundle(t, { Cmd: null, Entrypoint: null }),
    /neither Entrypoint nor Cmd: give the program after "--"/,
  );
});

const badConfigs: [object, RegExp][] = [
  [{ WorkingDir: "relative" }, /WorkingDir "relative" is not absolute/],
  [{ Env: ["NOVALUE"] }, /"NOVALUE" is not NAME=VALUE/],
  [{ Env: ["=x"] }, /"=x" is not NAME=VALUE/],
  [{ Env: ["A=\0"] }, /without NUL/],
  [{ Cmd: "sh" }, /Cmd is not a list/],
  [{ Cmd: [1] }, /an item of Cmd is not a string/],
  [{ Labels: { a: 1 } }, /label "a" is not a string/],
];
for (const [config, message] of badConfigs) {
  test(`an image config with ${JSON.stringify(config)} is refused`, asRoot, async (t) => {
    await assert.rejects(makeBundle(t, config), { code: "IMAGE_INVALID", message });
  });
}

const users: [string, object][] = [
  ["", { uid: 0, gid: 0 }],
  ["1000", { uid: 1000, gid: 1001 }],
  ["7", { uid: 7, gid: 0 }],
  ["4294967294:4294967294", { uid: 4294967294, gid: 4294967294 }],
  ["1000:5", { uid: 1000, gid: 5 }],
  ["app", { uid: 1000, gid: 1001, additionalGids: [44, 63] }],
  ["app:video", { uid: 1000, gid: 44 }],
  ["app:7", { uid: 1000, gid: 7 }],
  ["7:audio", { uid: 7, gid: 63 }],
  ["root", { uid: 0, gid: 0, additionalGids: [44] }],
];
for (const [user, expected] of users) {
  test(`User ${JSON.stringify(user)} is resolved in the image`, asRoot, async (t) => {
    assert.deepEqual((await makeBundle(t, { User: user })).spec.process.user, expected);
  });
}

for (const user of [
  ...["nobody", "app:nobody", "4294967295", "0:4294967295", "-1", "0:-1", "+1", "99999999999", "1e3", "0x10"],
  ...["odd", "large", "app:odd", ":", "app:", ":app", "a:b:c", " 0"],
]) {
  test(`User ${JSON.stringify(user)} is refused`, asRoot, async (t) => {
    await assert.rejects(makeBundle(t, { User: user }), { code: "IMAGE_INVALID", message: /user|group/ });
  });
}

test("users are looked up in the image only, in regular files of a bounded size", asRoot, async (t) => {
  const user = { User: "root" };
  const linked: Member[] = [
    { name: "real", type: "directory" },
    { name: "etc", type: "symlink", linkname: "/real" },
    { name: "real/passwd", data: "root:x:5:6" },
  ];
  assert.deepEqual((await makeBundle(t, user, { files: linked })).spec.process.user, { uid: 5, gid: 6 });
  const outside: Member[] = [{ name: "etc", type: "symlink", linkname: "../../../../../../../../etc" }];
  await assert.rejects(makeBundle(t, user, { files: outside }), /too many symbolic links/);
  const link: Member[] = [{ name: "etc/passwd", type: "symlink", linkname: "/etc/passwd" }];
  await assert.rejects(makeBundle(t, user, { files: link }), /passwd is not a regular file/);
  const fifo: Member[] = [{ name: "etc/passwd", type: "fifo" }];
  await assert.rejects(makeBundle(t, user, { files: fifo }), /passwd is not a regular file/);
  const large: Member[] = [{ name: "etc/passwd", data: "x".repeat(2 ** 20 + 1) }];
  await assert.rejects(makeBundle(t, user, { files: large }), /passwd is larger than/);
  await assert.rejects(makeBundle(t, user, { files: [] }), /passwd has no user "root"/);
});

test(
  "annotations are those of the image specification; labels go first, but not into what runtimes act on",
  asRoot,
  async (t) => {
    const config = {
      StopSignal: "SIGUSR1",
      ExposedPorts: { "80/tcp": {}, "53/udp": {} },
      Volumes: { "/data": {} },
      Labels: {
        "com.example.a": "b",
        "org.opencontainers.image.author": "label",
        "dev.edgerun.image.digest": "sha256:forged",
        "org.systemd.property.ExecStopPost": "x",
        "run.oci.hooks.stdout": "/x",
      },
    };
    const outer = {
      author: "config",
      created: "2026-01-01T00:00:00Z",
      variant: "v1",
      "os.version": "1",
      "os.features": ["a", "b"],
    };
    const { spec, warnings, digest } = await makeBundle(t, config, { outer });
    const image = "org.opencontainers.image";
    assert.deepEqual(spec.annotations, {
      [`${image}.os`]: "linux",
      [`${image}.architecture`]: "amd64",
      [`${image}.variant`]: "v1",
      [`${image}.os.version`]: "1",
      [`${image}.os.features`]: "a,b",
      [`${image}.author`]: "label",
      [`${image}.created`]: "2026-01-01T00:00:00Z",
      [`${image}.stopSignal`]: "SIGUSR1",
      [`${image}.exposedPorts`]: "53/udp,80/tcp",
      "com.example.a": "b",
      "dev.edgerun.image.digest": digest,
    });
    assert.deepEqual(warnings, [
      'label "dev.edgerun.image.digest" is reserved: it is not in config.json',
      'label "org.systemd.property.ExecStopPost" is reserved: it is not in config.json',
      'label "run.oci.hooks.stdout" is reserved: it is not in config.json',
      "volumes are not mounted: add mounts to config.json for /data",
    ]);
  },
);

test("access control lists are ignored, with one warning for the image", asRoot, async (t) => {
  const first = 'ACLs are ignored (first: "/d"): owner, group and mode alone can grant more than the ACL did';
  for (const key of ["SCHILY.acl.access", "SCHILY.acl.default", "SCHILY.xattr.system.posix_acl_default"]) {
    const files = [
      paxEntry({ [key]: "user::rwx\nuser:app:---\ngroup::r-x\nmask::r-x\nother::r-x\n" }),
      rawEntry({ name: "d", typeflag: "5" }),
      paxEntry({ "SCHILY.acl.access": "user::rw-\n" }),
      rawEntry({ name: "d/f" }),
    ];
    assert.deepEqual((await makeBundle(t, {}, { files })).warnings, [first], key);
  }
  const empty = [paxEntry({ "SCHILY.acl.access": "" }), rawEntry({ name: "f" })];
  assert.deepEqual((await makeBundle(t, {}, { files: empty })).warnings, []);
});
