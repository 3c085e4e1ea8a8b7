// SPDX-License-Identifier: Apache-2.0
// A user namespace with mappings: who the container's root is on the host, and what it still may not do.

import assert from "node:assert/strict";
import { chmodSync, lchownSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Config, setCapabilities, setUserNamespace } from "./support/config.ts";
import { lacking } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const hostId = 200_000;
const ws = useWorkspace();
const rootfs = ws.newRootfs();
chownTree(rootfs);

function chownTree(directory: string): void {
  lchownSync(directory, hostId, hostId);
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) chownTree(path);
    else lchownSync(path, hostId, hostId);
  }
}

const mapped = (config: Config) => {
  config.root = { path: rootfs, readonly: false };
  setUserNamespace(config, hostId);
};

test("the maps are those of the config", () => {
  assert.equal(
    ws.output("cat /proc/self/uid_map /proc/self/gid_map", mapped).replace(/ +/g, " "),
    " 0 200000 65536\n 0 200000 65536",
  );
});

test("several maps are all there", () => {
  const lines = ws.output("cat /proc/self/uid_map", (config) => {
    mapped(config);
    config.linux.uidMappings = [
      { containerID: 0, hostID: hostId, size: 1000 },
      { containerID: 1000, hostID: 300_000, size: 1 },
    ];
  });
  assert.deepEqual(
    lines.split("\n").map((line) => line.trim().split(/\s+/)),
    [
      ["0", "200000", "1000"],
      ["1000", "300000", "1"],
    ],
  );
});

test("root inside is the mapped id outside", () => {
  const c = ws.running(mapped);
  assert.equal(c.output("id -u"), "0");
  assert.match(readFileSync(`/proc/${c.pid}/status`, "utf8"), /^Uid:\t200000\t/m);
});

test("files made inside belong to the mapped id", () => {
  assert.equal(ws.runScript("touch /tmp/mine", mapped).status, 0);
  assert.equal(statSync(join(rootfs, "tmp/mine")).uid, hostId);
});

test("files of the host's root belong to nobody inside", () => {
  assert.equal(
    ws.output("stat -c %u /tmp/foreign", (config) => {
      mapped(config);
      config.mounts.push({ destination: "/tmp/foreign", type: "bind", source: ws.newFile("x"), options: ["bind"] });
    }),
    "65534",
  );
});

test("the devices are the host's, bound", () => {
  assert.equal(ws.output("stat -c %t:%T /dev/null /dev/zero /dev/tty; echo x > /dev/null", mapped), "1:3\n1:5\n5:0");
});

test("exec is in the user namespace too", () => {
  const c = ws.running(mapped);
  assert.equal(c.output("cat /proc/self/uid_map"), c.output("cat /proc/1/uid_map"));
});

/** A script's exit code in the mapped container, with a file of the host's root bound at /tmp/foreign. */
function withForeignFile(mode: number, script: string): number {
  const file = ws.newFile("canary");
  chmodSync(file, mode);
  return ws.runScript(script, (config) => {
    mapped(config);
    setCapabilities(config, ["CAP_CHOWN", "CAP_DAC_OVERRIDE"]);
    config.mounts.push({ destination: "/tmp/foreign", type: "bind", source: file, options: ["bind"] });
  }).status;
}

test("capabilities inside give none over the host's files", () => {
  assert.notEqual(withForeignFile(0o600, "cat /tmp/foreign"), 0);
  assert.notEqual(withForeignFile(0o644, "echo x > /tmp/foreign"), 0);
  assert.notEqual(withForeignFile(0o644, "chown 0 /tmp/foreign"), 0);
  assert.equal(withForeignFile(0o644, "cat /tmp/foreign"), 0);
});

test("a process user without a mapping is refused", () => {
  const c = ws.bundle((config) => {
    mapped(config);
    config.process.user.uid = 100_000;
  });
  assert.notEqual(c.create().status, 0);
  ws.assertNothingLeft();
});

test("a user namespace without mappings is refused", () => {
  const c = ws.bundle((config) => {
    mapped(config);
    delete config.linux.uidMappings;
    delete config.linux.gidMappings;
  });
  assert.notEqual(c.create().status, 0);
  ws.assertNothingLeft();
});

test(
  "mappings without a user namespace are refused",
  lacking({ runc: "1.1 does not look at them", crun: "does not look at them" }),
  () => {
    const c = ws.bundle((config) => {
      config.linux.uidMappings = [{ containerID: 0, hostID: hostId, size: 10 }];
    });
    assert.notEqual(c.create().status, 0);
    ws.assertNothingLeft();
  },
);

test("mappings that overlap are refused", () => {
  const c = ws.bundle((config) => {
    mapped(config);
    config.linux.uidMappings = [
      { containerID: 0, hostID: hostId, size: 100 },
      { containerID: 50, hostID: 300_000, size: 100 },
    ];
  });
  assert.notEqual(c.create().status, 0);
  ws.assertNothingLeft();
});
