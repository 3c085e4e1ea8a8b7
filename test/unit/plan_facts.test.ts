// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { readHostFacts } from "../../src/host/facts.ts";
import type { Host } from "../../src/host/functions.ts";

const cgroup = "12:name=systemd:/init.scope\n4:cpu,cpuacct:/\n3:memory:/a:b\n0::/init.scope\n";
const mountinfo = [
  "22 1 254:1 / / rw,relatime shared:1 - ext4 /dev/root rw",
  "30 24 0:26 / /sys/fs/cgroup ro,nosuid shared:9 - tmpfs tmpfs ro,mode=755",
  "31 30 0:27 / /sys/fs/cgroup/unified rw shared:10 - cgroup2 cgroup2 rw,nsdelegate",
  "32 30 0:28 / /sys/fs/cgroup/systemd rw shared:11 - cgroup cgroup rw,xattr,name=systemd",
  "35 30 0:31 / /sys/fs/cgroup/cpu,cpuacct rw shared:14 - cgroup cgroup rw,cpu,cpuacct",
  "36 30 0:32 /outer\\040x /sys/fs/cgroup/mem\\134ory rw shared:15 - cgroup cgroup rw,memory",
  "90 30 0:32 /again /mnt/memory rw - cgroup cgroup rw,memory",
  "91 30 0:33 / /mnt/other rw - cgroup cgroup rw,devices",
  "92 30 0:34 / /mnt/cgroup-data rw - ext4 /dev/sda1 rw",
].join("\n");

function fakeHost(files: { [path: string]: string }): Host {
  const read = (path: string): string => {
    const text = files[path];
    if (text === undefined) throw new Error(`unexpected read of ${path}`);
    return text;
  };
  return {
    readFile: read,
    readFileIfExists: (path: string) => files[path] ?? null,
    fileInfo: (path: string) => (files[path] === undefined ? null : []),
  } as unknown as Host;
}

const files = {
  "/proc/self/cgroup": cgroup,
  "/proc/self/mountinfo": `${mountinfo}\n`,
  "/proc/self/uid_map": "         0          0 4294967295\n",
};

test("cgroup mounts: each hierarchy once, escapes undone, options that are no controllers left out", () => {
  const facts = readHostFacts(fakeHost({ ...files, "/sys/kernel/security/lsm": "capability,apparmor\n" }));
  assert.deepEqual(facts.cgroupMounts, [
    { version: 2, mountPoint: "/sys/fs/cgroup/unified", root: "/", controllers: [] },
    { version: 1, mountPoint: "/sys/fs/cgroup/systemd", root: "/", controllers: ["name=systemd"] },
    { version: 1, mountPoint: "/sys/fs/cgroup/cpu,cpuacct", root: "/", controllers: ["cpu", "cpuacct"] },
    { version: 1, mountPoint: "/sys/fs/cgroup/mem\\ory", root: "/outer x", controllers: ["memory"] },
  ]);
  assert.deepEqual(facts.ownCgroups, [
    { controllers: "name=systemd", path: "/init.scope" },
    { controllers: "cpu,cpuacct", path: "/" },
    { controllers: "memory", path: "/a:b" },
    { controllers: "", path: "/init.scope" },
  ]);
  assert.equal(facts.initialUserNamespace, true);
  assert.deepEqual(facts.securityModules, ["capability", "apparmor"]);
});

test("a mapped user namespace, and security modules without securityfs", () => {
  const facts = readHostFacts(
    fakeHost({
      ...files,
      "/proc/self/uid_map": "         0     100000      65536\n",
      "/sys/module/apparmor/parameters/enabled": "Y\n",
      "/sys/fs/selinux/enforce": "0",
    }),
  );
  assert.equal(facts.initialUserNamespace, false);
  assert.deepEqual(facts.securityModules, ["apparmor", "selinux"]);
});
