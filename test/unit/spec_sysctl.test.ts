// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Linux } from "../../src/spec/linux.ts";
import { sysctlPath, validateSysctl } from "../../src/spec/sysctl.ts";

const everything: Linux = {
  namespaces: [{ type: "network", path: "/run/netns/a" }, { type: "ipc" }, { type: "uts" }],
};
const nothing: Linux = {};

function check(name: string, value: string, linux: Linux): void {
  validateSysctl({ label: "c", warnings: [] }, "$.linux.sysctl", { [name]: value }, linux);
}

const namespaced: [name: string, problem: string][] = [
  ["net.ipv4.ip_forward", "needs a network namespace"],
  ["net/ipv4/conf/eth0.1/forwarding", "needs a network namespace"],
  ["kernel.shmmax", "needs an ipc namespace"],
  ["kernel/msgmax", "needs an ipc namespace"],
  ["fs.mqueue.msg_max", "needs an ipc namespace"],
  ["kernel.domainname", "needs a uts namespace"],
];

for (const [name, problem] of namespaced) {
  test(`sysctl ${name} ${problem}`, () => {
    check(name, "1", everything);
    assert.throws(() => check(name, "1", nothing), {
      message: `c: $.linux.sysctl[${JSON.stringify(name)}]: ${problem}`,
    });
  });
}

const refused: [name: string, value: string, problem: string][] = [
  ["kernel.hostname", "a", "in conflict with the property hostname"],
  ["kernel.core_pattern", "|/bin/sh", "does not belong to a namespace"],
  ["kernel.msg", "1", "does not belong to a namespace"],
  ["vm.swappiness", "1", "does not belong to a namespace"],
  ["fs.mqueue", "1", "does not belong to a namespace"],
  ["net", "1", "does not belong to a namespace"],
  ["net.ipv4.ip_forward", "1\n", "the value must be one line"],
  ["net/../kernel/core_pattern", "x", "not a name of a kernel parameter"],
  ["net.//.kernel.core_pattern", "x", "not a name of a kernel parameter"],
  ["net..ipv4", "x", "not a name of a kernel parameter"],
  ["/net/ipv4/ip_forward", "x", "not a name of a kernel parameter"],
  ["net/", "x", "not a name of a kernel parameter"],
  ["", "x", "not a name of a kernel parameter"],
  ["net.ipv4 ip", "x", '" " is not allowed in a name'],
];

for (const [name, value, problem] of refused) {
  test(`sysctl ${JSON.stringify(name)} is refused: ${problem}`, () => {
    assert.throws(() => check(name, value, everything), {
      code: "CONFIG_INVALID",
      message: `c: $.linux.sysctl[${JSON.stringify(name)}]: ${problem}`.replace('["net"]', ".net"),
    });
  });
}

test("sysctlPath: the first separator decides", () => {
  assert.equal(sysctlPath("net.ipv4.ip_forward"), "net/ipv4/ip_forward");
  assert.equal(sysctlPath("net.ipv4.conf.eth0/1.forwarding"), "net/ipv4/conf/eth0.1/forwarding");
  assert.equal(sysctlPath("net/ipv4/conf/eth0.1/forwarding"), "net/ipv4/conf/eth0.1/forwarding");
});
