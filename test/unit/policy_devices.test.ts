// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Device, DeviceRule } from "../../src/spec/config.ts";
import { apply, decisionsOn, denials, exampleView, specWith } from "./policy_fixture.ts";

const serial: Device = { path: "/dev/ttyS0", type: "c", major: 4, minor: 64 };
const serialRule: DeviceRule = { allow: true, type: "c", major: 4, minor: 64, access: "rwm" };
const denyAll: DeviceRule = { allow: false, access: "rwm" };

function withDevices(devices: Device[], rules: DeviceRule[] = []) {
  return specWith({}, { devices, resources: { devices: rules } });
}

test("a device that is not granted is denied, the granted one is given with the smaller access", () => {
  const spec = withDevices([serial], [denyAll, serialRule]);
  const denied = apply(spec);
  assert.deepEqual(decisionsOn(denied.decisions, "device /dev/ttyS0"), ["denied: c 4:64 rwm -> - (grants.devices)"]);
  assert.deepEqual(denied.linux.devices, []);
  assert.deepEqual(denied.resources.devices, [denyAll]);

  const granted = apply(spec, { devices: [{ path: "/dev/ttyS0", access: "wr" }] });
  assert.deepEqual(decisionsOn(granted.decisions, "device /dev/ttyS0"), [
    "clamped: c 4:64 rwm -> c 4:64 rw (grants.devices[0])",
  ]);
  assert.deepEqual(granted.linux.devices, [serial]);
  assert.deepEqual(granted.resources.devices, [denyAll, { ...serialRule, access: "rw" }]);

  const readOnly = withDevices([serial], [{ ...serialRule, access: "r" }]);
  assert.deepEqual(denials(apply(readOnly).decisions), ["device /dev/ttyS0"]);
  const read = apply(readOnly, { devices: [{ path: "/dev/ttyS0", access: "rw" }] });
  assert.deepEqual(decisionsOn(read.decisions, "device /dev/ttyS0"), [
    "granted: c 4:64 r -> c 4:64 r (grants.devices[0])",
  ]);
});

test("a grant is for the host's device: a name with another number is denied, another name with its number is not", () => {
  const grants = { devices: [{ path: "/dev/ttyS0", access: "rwm" }] };
  const kernelMemory = withDevices([{ ...serial, major: 1, minor: 1 }], [{ ...serialRule, major: 1, minor: 1 }]);
  const { decisions, linux } = apply(kernelMemory, grants);
  assert.deepEqual(decisionsOn(decisions, "device /dev/ttyS0"), [
    "denied: c 1:1 rwm -> c 4:64 on this host (grants.devices)",
  ]);
  assert.deepEqual(linux.devices, []);
  assert.deepEqual(denials(apply(withDevices([{ ...serial, type: "b" }]), grants).decisions), ["device /dev/ttyS0"]);
  const renamed = apply(withDevices([{ ...serial, path: "/dev/modem" }], [serialRule]), grants);
  assert.deepEqual(denials(renamed.decisions), []);
  const absent = apply(withDevices([serial], [serialRule]), grants, { ...exampleView, devices: [] });
  assert.deepEqual(decisionsOn(absent.decisions, "device /dev/ttyS0"), [
    "denied: c 4:64 rwm -> no such device on this host (grants.devices)",
  ]);
});

test("rules alone: everything, a whole major number, and an unknown device are denied; the granted one is not", () => {
  const grants = { devices: [{ path: "/dev/ttyS0", access: "rw" }] };
  const cases: [DeviceRule, string][] = [
    [{ allow: true, access: "rwm" }, "device a *:*"],
    [{ allow: true, type: "a", access: "m" }, "device a *:*"],
    [{ allow: true, type: "c", access: "rw" }, "device c *:*"],
    [{ allow: true, type: "c", major: 4, minor: -1, access: "r" }, "device c 4:*"],
    [{ allow: true, type: "c", major: 1, access: "rwm" }, "device c 1:*"],
    [{ allow: true, type: "b", major: 8, minor: 0, access: "r" }, "device b 8:0"],
    [{ allow: true, type: "b", major: 1, minor: 3, access: "r" }, "device b 1:3"],
  ];
  for (const [rule, subject] of cases) {
    const { decisions, resources } = apply(withDevices([], [rule]), grants);
    assert.deepEqual(denials(decisions), [subject]);
    assert.deepEqual(resources.devices, [denyAll]);
  }
  const { decisions, resources } = apply(withDevices([], [serialRule]), grants);
  assert.deepEqual(denials(decisions), []);
  assert.deepEqual(resources.devices, [denyAll, { ...serialRule, access: "rw" }]);
});

test("base devices, FIFOs and what engines' default rules allow are no reason to stop", () => {
  const base: Device[] = [
    { path: "/dev/null", type: "c", major: 1, minor: 3 },
    { path: "/dev/pipe", type: "p" },
  ];
  const rules: DeviceRule[] = [
    denyAll,
    { allow: true, type: "c", major: -1, minor: -1, access: "m" },
    { allow: true, type: "b", access: "m" },
    { allow: true, type: "c", major: 136, minor: -1, access: "rwm" },
    { allow: true, type: "c", major: 5, minor: 2, access: "rwm" },
    { allow: true, type: "c", major: 5, minor: 1, access: "rwm" },
    { allow: true, type: "c", major: 10, minor: 200, access: "rwm" },
  ];
  const { decisions, linux, resources } = apply(withDevices(base, rules));
  assert.deepEqual(linux.devices, base);
  assert.deepEqual(resources.devices, [denyAll]);
  const about = decisions.filter((decision) => decision.subject.startsWith("device"));
  assert.deepEqual(
    about.map(({ subject, verdict }) => `${subject} ${verdict}`),
    ["device c 5:1 dropped", "device c 10:200 dropped"],
  );
  const node = apply(withDevices([{ path: "/dev/net/tun", type: "c", major: 10, minor: 200 }]));
  assert.deepEqual(denials(node.decisions), ["device /dev/net/tun"]);
});
