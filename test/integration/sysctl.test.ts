// SPDX-License-Identifier: Apache-2.0
// linux.sysctl: only what belongs to a namespace that the container has of its own.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type Config, dropNamespace } from "./support/config.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const sysctl = (values: Record<string, string>, without?: string) => (config: Config) => {
  config.linux.sysctl = values;
  if (without !== undefined) dropNamespace(config, without);
  if (without === "uts") delete config.hostname;
};

for (const [name, value] of [
  ["net.ipv4.ip_forward", "1"],
  ["net.ipv4.ip_unprivileged_port_start", "80"],
  ["kernel.shm_rmid_forced", "1"],
  ["kernel.msgmax", "12345"],
  ["kernel.domainname", "grid.example.com"],
  ["fs.mqueue.msg_max", "20"],
] as const) {
  const path = `/proc/sys/${name.replaceAll(".", "/")}`;
  test(`${name} is set inside and not outside`, () => {
    const before = readFileSync(path, "utf8");
    assert.equal(ws.output(`cat ${path}`, sysctl({ [name]: value })), value);
    assert.equal(readFileSync(path, "utf8"), before);
  });
}

test("a name with slashes is the same", () => {
  assert.equal(ws.output("cat /proc/sys/net/ipv4/ip_forward", sysctl({ "net/ipv4/ip_forward": "1" })), "1");
});

/** The host's own value: were it written after all, nothing would change. */
const hostValue = (path: string) => readFileSync(`/proc/sys/${path}`, "utf8").trim();

for (const [why, name, value, without] of [
  ["of the whole host", "vm.overcommit_memory", hostValue("vm/overcommit_memory"), undefined],
  ["of the kernel", "kernel.core_pattern", hostValue("kernel/core_pattern"), undefined],
  ["of the network without a network namespace", "net.ipv4.ip_forward", hostValue("net/ipv4/ip_forward"), "network"],
  ["of ipc without an ipc namespace", "kernel.shm_rmid_forced", hostValue("kernel/shm_rmid_forced"), "ipc"],
  ["that does not exist", "net.ipv4.no_such_name", "1", undefined],
  ["that climbs out", "net/../kernel/core_pattern", hostValue("kernel/core_pattern"), undefined],
  ["that climbs out by dots", "net....kernel.core_pattern", hostValue("kernel/core_pattern"), undefined],
  ["that is empty", "", "1", undefined],
] as const) {
  test(`a sysctl ${why} is refused`, () => {
    const c = ws.bundle(sysctl({ [name]: value }, without));
    assert.notEqual(c.create().status, 0);
    ws.assertNothingLeft();
  });
}

test("a value that the kernel does not take is refused", () => {
  const c = ws.bundle(sysctl({ "net.ipv4.ip_forward": "banana" }));
  assert.notEqual(c.create().status, 0);
  ws.assertNothingLeft();
});
