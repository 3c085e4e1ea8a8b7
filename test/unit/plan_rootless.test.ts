// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { planLaunchEntry } from "../../src/plan/launch.ts";
import { launch, pick, smallSpec, v1Facts } from "./plan_fixture.ts";

const oneId = [{ containerID: 0, hostID: 1000, size: 1 }];
const range = [...oneId, { containerID: 1, hostID: 100000, size: 65536 }];

test("a process of a new user namespace has ids that are mapped", () => {
  const specAs = (user: object) =>
    smallSpec({
      process: { user: { uid: 0, gid: 0, ...user } },
      linux: { namespaces: [{ type: "mount" }, { type: "user" }], uidMappings: oneId, gidMappings: range },
    });
  launch(specAs({ gid: 65536, additionalGids: [7] }));
  assert.throws(() => launch(specAs({ uid: 1 })), /\$\.process\.user\.uid: 1 is not mapped by linux\.uidMappings/);
  assert.throws(() => launch(specAs({ gid: 65537 })), /\$\.process\.user\.gid: 65537 is not mapped/);
  assert.throws(() => launch(specAs({ additionalGids: [0, 70000] })), /\$\.process\.user\.additionalGids\[1\]: 70000/);
});

function specOfUser(gidMappings: object[], additionalGids: number[] = []) {
  return smallSpec({
    process: { user: { uid: 0, gid: 0, additionalGids } },
    linux: { namespaces: [{ type: "mount" }, { type: "user" }], uidMappings: gidMappings, gidMappings },
  });
}

test("who is not root needs a user namespace, and maps for a new one", () => {
  assert.throws(() => planLaunchEntry(smallSpec(), false), /rootless container requires user namespaces/);
  const unmapped = smallSpec({ linux: { namespaces: [{ type: "user", path: "/proc/1/ns/user" }] } });
  planLaunchEntry(unmapped, false);
  planLaunchEntry(specOfUser(oneId), false);
  planLaunchEntry(smallSpec(), true);
});

test("init shows itself to whoever writes its id maps without being root of the host", () => {
  const visible = (privileged: boolean, initialUserNamespace: boolean) => {
    const facts = { ...v1Facts(), initialUserNamespace };
    return pick(launch(specOfUser(range), { facts, options: { privileged } }), "announce").map((op) => op.visible);
  };
  assert.deepEqual(visible(false, true), [1]);
  assert.deepEqual(visible(true, false), [1]);
  assert.deepEqual(visible(true, true), []);
});

test("supplementary groups: the caller's stay where nobody may change them, and asking for others is an error", () => {
  const keeps = (gidMappings: object[], privileged: boolean, groupsDenied = false) => {
    const facts = { ...v1Facts(), groupsDenied };
    return pick(launch(specOfUser(gidMappings), { facts, options: { privileged } }), "set_user")[0]!.keepGroups;
  };
  assert.equal(keeps(oneId, false), 1);
  assert.equal(keeps(range, false), 0);
  assert.equal(keeps(oneId, true), 0);
  assert.equal(keeps(range, true, true), 1);
  const options = { privileged: false };
  assert.throws(() => launch(specOfUser(oneId, [5]), { options }), /\$\.process\.user\.additionalGids/);
  launch(specOfUser(range, [5]), { options });
});
