// SPDX-License-Identifier: Apache-2.0
// maskedPaths and readonlyPaths: each with its positive twin.

import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Config, setCapabilities } from "./support/config.ts";
import { lacking } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const rootfs = ws.newRootfs();
mkdirSync(join(rootfs, "srv/deep"), { recursive: true });
writeFileSync(join(rootfs, "srv/file"), "secret\n");
writeFileSync(join(rootfs, "srv/deep/file"), "secret\n");

const change =
  (lists: { masked?: string[]; readonly?: string[] }) =>
  (config: Config): void => {
    config.root = { path: rootfs, readonly: false };
    config.linux.maskedPaths = lists.masked ?? [];
    config.linux.readonlyPaths = lists.readonly ?? [];
  };

test("a masked file reads empty", () => {
  assert.equal(ws.output("cat /srv/file", change({ masked: ["/srv/file"] })), "");
  assert.equal(ws.output("cat /srv/file", change({})), "secret");
});

test("a masked directory is empty", () => {
  assert.equal(ws.output("ls -A /srv", change({ masked: ["/srv"] })), "");
  assert.equal(ws.output("ls -A /srv", change({})), "deep\nfile");
});

test("a masked file does not take what is written to it", () => {
  ws.runScript("echo overwritten > /srv/file", change({ masked: ["/srv/file"] }));
  assert.equal(ws.output("cat /srv/file", change({})), "secret");
});

test("nothing can be made in a masked directory", () => {
  assert.notEqual(ws.runScript("touch /srv/new", change({ masked: ["/srv"] })).status, 0);
  assert.equal(ws.runScript("touch /srv/new && rm /srv/new", change({})).status, 0);
});

test("a masked path that is missing is no error", () => {
  assert.equal(ws.output("echo fine", change({ masked: ["/no/such/path"] })), "fine");
});

test("a read-only directory can't be written, nor what is below it", () => {
  const readonly = change({ readonly: ["/srv"] });
  assert.notEqual(ws.runScript("touch /srv/new", readonly).status, 0);
  assert.notEqual(ws.runScript("echo x >> /srv/deep/file", readonly).status, 0);
  assert.equal(ws.output("cat /srv/deep/file", readonly), "secret");
  assert.equal(ws.runScript("touch /srv/new && rm /srv/new", change({})).status, 0);
});

test("a read-only file can't be written", () => {
  assert.notEqual(ws.runScript("echo x > /srv/file", change({ readonly: ["/srv/file"] })).status, 0);
});

test("a read-only path that is missing is no error", () => {
  assert.equal(ws.output("echo fine", change({ readonly: ["/no/such/path"] })), "fine");
});

test("/proc/sys can't be written when it is read-only", () => {
  const write = (readonly: string[]) =>
    ws.runScript("echo 1 > /proc/sys/net/ipv4/ip_forward", (config) => {
      change({ readonly })(config);
      setCapabilities(config, ["CAP_NET_ADMIN"]);
    });
  assert.notEqual(write(["/proc/sys"]).status, 0);
  assert.equal(write([]).status, 0);
});

test("the default masks hide what the kernel tells", () => {
  assert.equal(ws.output("cat /proc/keys /proc/timer_list 2>/dev/null | wc -c"), "0");
  assert.equal(ws.output("ls /sys/firmware | wc -l"), "0");
});

test("the read-only remount keeps nosuid, nodev and noexec of the mount", lacking({ crun: "1.8 drops them" }), () => {
  const lines = ws.output("cat /proc/self/mountinfo", (config) => {
    config.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "noexec"] });
    config.mounts.push({
      destination: "/tmp/inner",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "nodev", "noexec"],
    });
    config.linux.readonlyPaths = ["/tmp/inner"];
  });
  const flags = lines
    .split("\n")
    .findLast((line) => line.split(" ")[4] === "/tmp/inner")!
    .split(" ")[5]!;
  assert.equal(flags, "ro,nosuid,nodev,noexec,relatime");
});
