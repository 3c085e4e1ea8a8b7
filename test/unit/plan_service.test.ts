// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { noService } from "../../src/plan/service.ts";
import { launch, pick, smallSpec } from "./plan_fixture.ts";

const spec = smallSpec({ process: { env: ["A=1", "LISTEN_PID=7", "LISTEN_FDS=9"] } });

test("sockets of the service manager: the program is told how many, their names, and that they are its own", () => {
  const service = { ...noService, listenFds: 2, listenNames: "http:admin" };
  const plan = launch(spec, { options: { service, preserveFds: 3 } });
  assert.deepEqual(pick(plan, "exec")[0]!.env, ["A=1", "LISTEN_FDS=2", "LISTEN_FDNAMES=http:admin"]);
  assert.equal(pick(plan, "set_listen_pid").length, 1);
  const unnamed = launch(spec, { options: { service: { ...service, listenNames: "" } } });
  assert.deepEqual(pick(unnamed, "exec")[0]!.env, ["A=1", "LISTEN_FDS=2"]);
});

test("without them the environment is as the bundle has it", () => {
  const plan = launch(spec);
  assert.deepEqual(pick(plan, "exec")[0]!.env, ["A=1", "LISTEN_PID=7", "LISTEN_FDS=9"]);
  assert.equal(pick(plan, "set_listen_pid").length, 0);
});

test("who notifies has the socket's directory at /run/notify, read-only", () => {
  const service = { ...noService, notifyDirectory: "/run/edgerun/containers/meter-7/notify" };
  const plan = launch(smallSpec(), { options: { service } });
  const mount = pick(plan, "mount_bind").find(({ target }) => target === "/run/notify");
  assert.equal(mount?.source, service.notifyDirectory);
  assert.deepEqual(pick(plan, "exec")[0]!.env, ["NOTIFY_SOCKET=/run/notify/notify.sock"]);
});

test("without a mount namespace there is no place for it, which is said", () => {
  const service = { ...noService, notifyDirectory: "/run/x/notify" };
  const plan = launch(smallSpec({ linux: { namespaces: [{ type: "pid" }] } }), { options: { service } });
  assert.deepEqual(pick(plan, "exec")[0]!.env, []);
  assert.match(plan.warnings.join("\n"), /NOTIFY_SOCKET/);
});
