// SPDX-License-Identifier: Apache-2.0
// Images as podman and skopeo make them, from a tree; the bundle must have that tree again.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { bundleImage } from "../../src/owner/bundle.ts";
import { asRoot, listTree, temporaryDirectory } from "./owner_bundle_fixture.ts";

function run(program: string, args: string[], input?: Buffer): Buffer {
  const { status, stdout, stderr, error } = spawnSync(program, args, { input, timeout: 120_000, maxBuffer: 1 << 28 });
  assert.equal(status, 0, `${program} ${args.join(" ")}: ${error?.message ?? stderr}`);
  return stdout;
}

const ZSTD_MAGIC = Buffer.from("28b52ffd", "hex");
const has = (program: string) => spawnSync(program, ["--version"]).status === 0;
const options = asRoot.skip ? asRoot : { skip: has("podman") && has("skopeo") ? false : "needs podman and skopeo" };

/** A small root file system with one of each kind. */
function makeTree(root: string): void {
  for (const path of ["bin", "etc", "dev", "tmp", "var/empty"]) mkdirSync(join(root, path), { recursive: true });
  const program = existsSync("/bin/busybox") ? "/bin/busybox" : "/bin/cat";
  copyFileSync(program, join(root, "bin/busybox"));
  linkSync(join(root, "bin/busybox"), join(root, "bin/ls"));
  symlinkSync("busybox", join(root, "bin/sh"));
  symlinkSync("/nowhere", join(root, "dangling"));
  writeFileSync(join(root, "etc/passwd"), "root:x:0:0::/:/bin/sh\napp:x:1000:1000::/:/bin/sh\n");
  writeFileSync(join(root, "etc/group"), "app:x:1000:\ntty:x:5:app\n");
  writeFileSync(join(root, "bin/su"), "su");
  writeFileSync(join(root, `etc/${"long".repeat(50)}é`), "");
  lchownSync(join(root, "bin/su"), 3_000_000, 70_000);
  chmodSync(join(root, "bin/su"), 0o6755);
  chmodSync(join(root, "tmp"), 0o1777);
  run("mknod", [join(root, "dev/null"), "c", "1", "3"]);
  run("mkfifo", [join(root, "var/fifo")]);
  run("setfattr", [
    "-n",
    "security.capability",
    "-v",
    "0x0100000280040000000000000000000000000000",
    join(root, "bin/busybox"),
  ]);
  run("setfattr", ["-n", "user.note", "-v", "é", join(root, "etc/passwd")]);
  for (const path of ["bin/su", "bin/sh", "var/empty", "var"])
    lutimesSync(join(root, path), 1_500_000_000, 1_500_000_000);
}

/** podman with its storage in the test's directory. */
function podman(base: string, args: string[], input?: Buffer): string {
  const storage = ["--root", join(base, "storage"), "--runroot", join(base, "run"), "--storage-driver", "vfs"];
  return run("podman", [...storage, "--cgroup-manager=cgroupfs", ...args], input)
    .toString()
    .trim();
}

async function checkBundle(t: TestContext, base: string, image: string, digest: string, ref?: string): Promise<void> {
  await t.test(image, async () => {
    const output = join(base, "bundle");
    const result = await bundleImage({ image: join(base, image), output, ref });
    assert.equal(result.digest, digest);
    assert.deepEqual(listTree(join(output, "rootfs")), listTree(join(base, "tree")));
    const { process } = JSON.parse(readFileSync(join(output, "config.json"), "utf8"));
    assert.deepEqual([process.args, process.user.uid, process.user.additionalGids], [["/bin/sh"], 1000, [5]]);
    rmSync(output, { recursive: true });
  });
}

test("bundle has the tree that the image was made from, whatever tool stored it", options, async (t) => {
  const base = temporaryDirectory(t);
  makeTree(join(base, "tree"));
  const tar = run("tar", ["--xattrs", "--xattrs-include=*", "--format=pax", "-C", join(base, "tree"), "-c", "."]);
  const changes = ["--change", 'CMD ["/bin/sh"]', "--change", "USER app"];
  const name = "localhost/tree:1";
  const id = podman(base, ["import", ...changes, "-", name], tar)
    .split("\n")
    .at(-1)!;
  const imageId = id.startsWith("sha256:") ? id : `sha256:${id}`;

  const manifestDigest = (layout: string) => {
    return JSON.parse(readFileSync(join(base, layout, "index.json"), "utf8")).manifests[0].digest as string;
  };
  podman(base, ["save", "-q", "--format", "docker-archive", "-o", join(base, "podman-docker.tar"), name]);
  await checkBundle(t, base, "podman-docker.tar", imageId);
  await checkBundle(t, base, "podman-docker.tar", imageId, name);
  podman(base, ["save", "-q", "--format", "oci-archive", "-o", join(base, "podman-oci.tar"), name]);
  const copy = (from: string, to: string, ...more: string[]) => run("skopeo", ["copy", "-q", ...more, from, to]);
  const source = `docker-archive:${join(base, "podman-docker.tar")}`;
  copy(`oci-archive:${join(base, "podman-oci.tar")}`, `oci:${join(base, "skopeo-oci")}:tag`);
  await checkBundle(t, base, "podman-oci.tar", manifestDigest("skopeo-oci"));
  await checkBundle(t, base, "skopeo-oci", manifestDigest("skopeo-oci"), "tag");
  copy(source, `oci:${join(base, "skopeo-zstd")}`, "--dest-compress-format", "zstd");
  const blobs = join(base, "skopeo-zstd/blobs/sha256");
  assert.ok(readdirSync(blobs).some((name) => readFileSync(join(blobs, name)).subarray(0, 4).equals(ZSTD_MAGIC)));
  await checkBundle(t, base, "skopeo-zstd", manifestDigest("skopeo-zstd"));
  copy(source, `docker-archive:${join(base, "skopeo-docker.tar")}:${name}`);
  await checkBundle(t, base, "skopeo-docker.tar", imageId);
  copy(source, `oci-archive:${join(base, "skopeo-oci.tar")}`);
  run("tar", ["-C", join(base), "--one-top-level=unpacked", "-xf", join(base, "skopeo-oci.tar")]);
  await checkBundle(t, base, "skopeo-oci.tar", manifestDigest("unpacked"));
});
