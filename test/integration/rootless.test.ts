// SPDX-License-Identifier: Apache-2.0
// Containers of a user who is not root: the kernel's answer is read from inside, as with the others.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { afterEach, test } from "node:test";
import { type Config, setCapabilities, setNamespace } from "./support/config.ts";
import { statusFields } from "./support/inside.ts";
import { waitFor } from "./support/process.ts";
import { firstId, idCount, User, uid } from "./support/rootless.ts";
import { expected, lacking } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const user = new User(ws);
const started: string[] = [];
const hasHelpers = existsSync("/usr/bin/newuidmap") ? {} : { skip: "newuidmap (package uidmap) is not installed" };
afterEach(() => {
  for (const id of started.splice(0)) user.run(["delete", "--force", id]);
});

function run(script: string, change?: (config: Config) => void, options: Parameters<User["run"]>[1] = {}) {
  const { id, directory } = user.bundle(script, change);
  started.push(id);
  return user.run(["run", "--bundle", directory, id], options);
}

function start(change?: (config: Config) => void): string {
  const { id, directory } = user.bundle("while :; do sleep 1000; done", change);
  started.push(id);
  const result = user.run(["run", "--detach", "--bundle", directory, id]);
  assert.equal(result.status, 0, result.stderr);
  return id;
}

const state = (id: string) => JSON.parse(user.run(["state", id]).stdout);

/** All ids that the user has. */
function mapRange(config: Config): void {
  for (const name of ["uidMappings", "gidMappings"] as const) {
    config.linux[name] = [
      { containerID: 0, hostID: uid, size: 1 },
      { containerID: 1, hostID: firstId, size: idCount },
    ];
  }
}

test("one id of one's own is mapped without a helper", () => {
  const result = run("cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups; id -u", undefined, {
    helpers: false,
  });
  assert.equal(result.status, 0, result.stderr);
  const lines = result.stdout.split("\n").map((line) => line.trim().split(/ +/).join(" "));
  assert.deepEqual(lines.slice(0, 4), [`0 ${uid} 1`, `0 ${uid} 1`, "deny", "0"]);
});

test("ranges are mapped by newuidmap and newgidmap", hasHelpers, () => {
  const result = run(
    "cat /proc/self/uid_map /proc/self/setgroups; touch /tmp/f && chown 1000:1000 /tmp/f && stat -c %u /tmp/f",
    (config) => {
      mapRange(config);
      setCapabilities(config, ["CAP_CHOWN"]);
    },
  );
  assert.equal(result.status, 0, result.stderr);
  const lines = result.stdout.split("\n").map((line) => line.trim().split(/ +/).join(" "));
  assert.deepEqual(lines.slice(0, 4), [`0 ${uid} 1`, `1 ${firstId} ${idCount}`, "allow", "1000"]);
});

test("a process as another user of the range", hasHelpers, () => {
  const result = run("cat /proc/self/status", (config) => {
    mapRange(config);
    Object.assign(config.process.user, { uid: 1000, gid: 1000 });
  });
  assert.equal(result.status, 0, result.stderr);
  assert.match(statusFields(result.stdout).Uid!, /^1000\t1000/);
});

test("a range that the user does not have is refused", hasHelpers, () => {
  const result = run("true", (config) => {
    mapRange(config);
    config.linux.uidMappings![1]!.hostID = 1;
  });
  assert.match(
    result.stderr,
    expected({ runc: /./, crun: /newuidmap/, edgerun: /cannot map ids: ".*newuidmap": newuidmap: uid range/ }),
  );
  assert.notEqual(result.status, 0);
});

test(
  "without newuidmap, more than one's own id is refused, by its path",
  lacking({ runc: "another text", crun: "another text" }),
  () => {
    const result = run("true", mapRange, { helpers: false });
    assert.match(result.stderr, /\$\.linux\.uidMappings: .*newuidmap, which is not in \$PATH/);
    assert.equal(result.status, 1);
  },
);

test("without a user namespace, or without maps, it is refused", () => {
  const without = run("true", (config) => {
    config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "user");
    delete config.linux.uidMappings;
    delete config.linux.gidMappings;
  });
  assert.match(
    without.stderr,
    expected({
      runc: /rootless container requires user namespaces/,
      crun: /./,
      edgerun: /rootless container requires user namespaces/,
    }),
  );
  assert.notEqual(without.status, 0);
});

test("supplementary groups can't be set with one's own group alone; the caller's stay", () => {
  const result = run("grep Groups /proc/self/status", undefined, { groups: [64322] });
  assert.equal(result.status, 0, result.stderr);
  const asked = run("true", (config) => {
    config.process.user.additionalGids = [5];
  });
  assert.notEqual(asked.status, 0);
  assert.match(
    asked.stderr,
    expected({ runc: /additional groups/, crun: /./, edgerun: /\$\.process\.user\.additionalGids/ }),
  );
});

test("with newgidmap they can, and the caller's are dropped", {
  ...hasHelpers,
  ...lacking({ runc: "refuses" }),
}, () => {
  const result = run(
    "grep Groups /proc/self/status",
    (config) => {
      mapRange(config);
      config.process.user.additionalGids = [5, 7];
    },
    { groups: [64322] },
  );
  assert.equal(result.stdout.trim().split(/\s+/).join(" "), "Groups: 5 7", result.stderr);
});

test("devices are the host's, bound; nobody makes nodes", () => {
  const result = run(
    "stat -c %t:%T /dev/null; echo x > /dev/null && grep -c ' /dev/null ' /proc/self/mountinfo; mknod /tmp/n c 1 3 || echo refused",
  );
  assert.deepEqual(result.stdout.split("\n").slice(0, 3), ["1:3", "1", "refused"], result.stderr);
});

test("exec, state, ps, kill and delete are the user's", hasHelpers, () => {
  const id = start(mapRange);
  assert.equal(state(id).status, "running");
  const result = user.run(["exec", "--user", "1000:1000", id, "id", "-u"]);
  assert.equal(result.stdout, "1000\n", result.stderr);
  assert.equal(readFileSync(`/proc/${state(id).pid}/uid_map`, "utf8").split("\n").length, 3);
  assert.equal(user.run(["kill", id, "KILL"]).status, 0);
  waitFor("its end", () => state(id).status === "stopped");
  assert.equal(user.run(["delete", id]).status, 0);
  assert.match(user.run(["state", id]).stderr, /does not exist/);
});

test("exec in a container with one id", () => {
  const id = start();
  assert.equal(user.run(["exec", id, "id", "-u"]).stdout, "0\n");
  assert.equal(user.run(["delete", "--force", id]).status, 0);
});

test("create and start are, too", () => {
  const { id, directory } = user.bundle("sleep 1000");
  started.push(id);
  assert.equal(user.run(["create", "--bundle", directory, id]).status, 0);
  assert.equal(state(id).status, "created");
  assert.equal(user.run(["start", id]).status, 0);
  assert.equal(state(id).status, "running");
});

test("a network namespace of its own", () => {
  const result = run("cat /proc/net/dev | grep -c :; ip link show lo | grep -c ,UP", (config) =>
    setNamespace(config, "network"),
  );
  assert.equal(result.stdout, "1\n1\n", result.stderr);
});

// --- cgroups: a made-up user has no rights over any

test("without limits and without a path, the container stays in the caller's cgroups", () => {
  const id = start();
  const own = (pid: number | string) => readFileSync(`/proc/${pid}/cgroup`, "utf8");
  assert.equal(own(state(id).pid), own("self"));
});

for (const [what, change, message] of [
  [
    "a limit",
    (config: Config) => Object.assign(config.linux, { resources: { memory: { limit: 64 << 20 } } }),
    /linux\.resources\.memory/,
  ],
  [
    "a path",
    (config: Config) => Object.assign(config.linux, { cgroupsPath: "/ert-rootless" }),
    /cgroup.*permission denied/i,
  ],
] as const) {
  test(`${what} is an error, not left out`, () => {
    const result = run("true", change);
    assert.match(result.stderr, expected({ runc: /./, crun: /./, edgerun: message }));
    assert.notEqual(result.status, 0);
  });
}

test("--rootless=false insists on a cgroup", lacking({ runc: "finds that it has one", crun: "ignores it" }), () => {
  const { id, directory } = user.bundle("true");
  const result = user.run(["--rootless", "false", "run", "--bundle", directory, id]);
  assert.match(result.stderr, /cgroup/);
  assert.notEqual(result.status, 0);
  assert.notEqual(user.run(["--rootless", "maybe", "list"]).status, 0);
});
