// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Host } from "../../src/host/functions.ts";
import { checkDescriptors, readServiceManager } from "../../src/lifecycle/service_manager.ts";

function read(...env: string[]) {
  return readServiceManager({ program: "edgerun", argv: [], env, cwd: "/", uid: 0, gid: 0, pid: 4321 });
}

test("sockets count only where LISTEN_PID is this process", () => {
  const names = "LISTEN_FDNAMES=http:admin";
  const passed = read("LISTEN_PID=4321", "LISTEN_FDS=2", names);
  assert.deepEqual([passed.listenFds, passed.listenNames], [2, "http:admin"]);
  for (const env of [
    ["LISTEN_FDS=2"],
    ["LISTEN_PID=1", "LISTEN_FDS=2"],
    ["LISTEN_PID=04321", "LISTEN_FDS=2"],
    ["LISTEN_PID=4321", "LISTEN_FDS=0"],
    ["LISTEN_PID=4321", "LISTEN_FDS=-2"],
    ["LISTEN_PID=4321", "LISTEN_FDS=two"],
    ["LISTEN_PID=4321", "LISTEN_FDS="],
    ["LISTEN_PID=4321"],
  ]) {
    assert.equal(read(...env).listenFds, 0, env.join(" "));
  }
});

test("who is notified: a path or an abstract name", () => {
  assert.equal(read("NOTIFY_SOCKET=/run/systemd/notify").notifyAddress, "/run/systemd/notify");
  assert.equal(read("NOTIFY_SOCKET=@a b").notifyAddress, "@a b");
  for (const env of ["NOTIFY_SOCKET=", "NOTIFY_SOCKET=vsock:2:1234", "X=1"]) assert.equal(read(env).notifyAddress, "");
});

test("descriptors that are announced must be open", () => {
  const open = (...fds: number[]) =>
    ({
      fileInfo: (path: string) => (fds.some((fd) => path === `/proc/self/fd/${fd}`) ? [0] : null),
    }) as unknown as Host;
  checkDescriptors(open(), 0, 0);
  checkDescriptors(open(3, 4, 5), 1, 2);
  assert.throws(() => checkDescriptors(open(3, 4), 1, 2), {
    code: "USAGE",
    message: "unable to stat preserved-fd 1 (of 2): no such file or directory",
  });
  assert.throws(() => checkDescriptors(open(4, 5), 1, 2), /descriptor 3 of \$LISTEN_FDS \(1\)/);
});
