// SPDX-License-Identifier: Apache-2.0
// Users, groups and capabilities that a container must not get by accident, and files that must not stall the runtime.

import assert from "node:assert/strict";
import { rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, test } from "node:test";
import { statusFields } from "./support/inside.ts";
import { execute } from "./support/process.ts";
import { expected, lacking, runtimePath } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const c = ws.keep(ws.script("while :; do sleep 1000; done"));
before(() => c.succeed("run", "--detach", "--bundle", c.directory, c.id));

for (const [user, ids] of [
  ["1", "1 0"],
  ["1000", "1000 0"],
  ["1:2", "1 2"],
  ["0:0", "0 0"],
  ["65534:65534", "65534 65534"],
] as const) {
  test(`CVE-2016-3697, CVE-2026-30892: exec --user "${user}" is ${ids}`, () => {
    assert.equal(c.output("echo $(id -u) $(id -g)", ["--user", user]), ids);
  });
}

const refused = expected({
  // What each peer takes, and as what, is a matter of its number parser.
  runc: ["-1", "4294967295", "1e3", "0x1", " 1", "1 ", "1:-1", "٣"],
  crun: ["1e3", "0x1", "٣"],
  edgerun: [
    "",
    ":2",
    "-1",
    "4294967295",
    "4294967296",
    "18446744073709551616",
    "1e3",
    "0x1",
    " 1",
    "1 ",
    "+1",
    "1:",
    "1:2:3",
    "1:-1",
    "1:4294967296",
    "root",
    "٣",
  ],
});
for (const user of refused) {
  test(`CVE-2024-40635: exec --user ${JSON.stringify(user)} is refused`, () => {
    const result = c.exec(["id", "-u"], ["--user", user]);
    assert.notEqual(result.status, 0, result.stdout);
    assert.equal(result.stdout, "");
  });
}

test("CVE-2022-29162, CVE-2022-27650: the inheritable set is empty unless asked for, at run", () => {
  const fields = statusFields(ws.output("cat /proc/self/status"));
  assert.deepEqual([fields.CapInh, fields.CapAmb], ["0000000000000000", "0000000000000000"]);
});

test("CVE-2022-29162: and at exec --cap", () => {
  const fields = statusFields(c.output("cat /proc/self/status", ["--cap", "CAP_NET_RAW"]));
  assert.equal(fields.CapInh, "0000000000000000");
});

test(
  "exec --cap does not reach the ambient set",
  lacking({ runc: "1.1 sets it for root too", crun: "sets it" }),
  () => {
    const fields = statusFields(c.output("cat /proc/self/status", ["--cap", "CAP_NET_RAW"]));
    assert.equal(fields.CapAmb, "0000000000000000");
  },
);

test("CVE-2022-2989, CVE-2022-36109: the caller's supplementary groups are not kept", () => {
  const d = ws.script("grep ^Groups: /proc/self/status", (config) => {
    config.process.user = { uid: 1000, gid: 1000 };
  });
  const python = "import os, sys; os.setgroups([0, 10]); os.execv(sys.argv[1], sys.argv[1:])";
  const result = execute("python3", [
    "-c",
    python,
    runtimePath,
    ...ws.globalFlags,
    "run",
    "--bundle",
    d.directory,
    d.id,
  ]);
  assert.equal(result.stdout.trim(), "Groups:", result.stderr);
});

test("capabilities of the caller are not handed on when the config has none", () => {
  const fields = statusFields(
    ws.output("cat /proc/self/status", (config) => {
      config.process.capabilities = {};
    }),
  );
  assert.deepEqual([fields.CapEff, fields.CapPrm, fields.CapBnd], Array(3).fill("0000000000000000"));
});

for (const [what, make] of [
  ["a fifo", (path: string) => execute("mkfifo", [path])],
  ["a link to /dev/zero", (path: string) => symlinkSync("/dev/zero", path)],
  ["a sparse file of 4 GB", (path: string) => execute("truncate", ["-s", "4G", path])],
  ["one line of 100 MB", (path: string) => writeFileSync(path, "x".repeat(100 << 20))],
  ["a directory", (path: string) => execute("mkdir", [path])],
] as [string, (path: string) => void][]) {
  const peers = { runc: "1.1 reads it to its end", crun: "1.8 reads it to its end" };
  test(
    `CVE-2026-47262: /etc/passwd is ${what}: the start is bounded in time`,
    lacking(what === "a directory" ? {} : peers),
    () => {
      const rootfs = ws.newRootfs();
      const path = join(rootfs, "etc/passwd");
      rmSync(path);
      make(path);
      const started = Date.now();
      // Refusing is as good as HOME=/; a hang or a crash is not.
      const result = ws.runScript(
        "echo $HOME",
        (config) => {
          config.root.path = rootfs;
        },
        { timeoutMs: 10_000 },
      );
      assert.equal(result.signal, null);
      assert.ok(Date.now() - started < 5_000);
      if (result.status === 0) assert.match(result.stdout, /^\/?\n$/);
    },
  );
}
