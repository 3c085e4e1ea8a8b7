// SPDX-License-Identifier: Apache-2.0
// create, start, state, kill, delete: the states of a container, and the texts that engines match on.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Config } from "./support/config.ts";
import { waitFor } from "./support/process.ts";
import { expected, lacking } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const doesNotExist = expected({
  runc: /container does not exist/,
  crun: /No such file or directory/,
  edgerun: /container does not exist/,
});

test("create leaves the container created, and its program not yet started", () => {
  const volume = ws.newDirectory();
  const c = ws.script("touch /volume/ran", (config) => {
    config.mounts.push({ destination: "/volume", type: "bind", source: volume, options: ["bind", "rw"] });
  });
  assert.equal(c.create().status, 0);
  assert.equal(c.status(), "created");
  assert.deepEqual(readdirSync(volume), []);
  c.start();
  waitFor("the program", () => existsSync(join(volume, "ran")));
});

test("a container goes from created to running to stopped", () => {
  const c = ws.created();
  assert.equal(c.status(), "created");
  c.start();
  assert.equal(c.status(), "running");
  c.stop();
  assert.equal(c.status(), "stopped");
});

test("state names the container, its bundle, its root file system and a live pid", () => {
  const c = ws.running((config) => {
    config.annotations = { "org.example.site": "substation 7", "org.example.empty": "" };
  });
  const state = c.state();
  assert.equal(state.id, c.id);
  assert.equal(state.bundle, c.directory);
  assert.equal(state.rootfs, ws.rootfs);
  assert.match(state.ociVersion, /^1\.\d+\.\d+/);
  assert.match(readFileSync(`/proc/${state.pid}/cmdline`, "utf8"), /^\/bin\/sh\0-c\0/);
  assert.match(state.created, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
});

test("state carries the annotations of the bundle", () => {
  const annotations = { "org.example.site": "substation 7", "org.example.unicode": 'Zähler "1"\n' };
  const c = ws.created((config) => {
    config.annotations = annotations;
  });
  assert.deepEqual(c.state().annotations, annotations);
});

test("state of a stopped container has pid 0", () => {
  const c = ws.running();
  c.stop();
  assert.equal(c.state().pid, 0);
});

test("state of an unknown id fails", () => {
  ws.bundle().fail(doesNotExist, ["state", ws.newId()]);
});

test("--pid-file holds the pid in decimal, without a newline", () => {
  const c = ws.bundle();
  const pidFile = ws.newFile();
  assert.equal(c.create(["--pid-file", pidFile]).status, 0);
  assert.equal(readFileSync(pidFile, "utf8"), String(c.pid));
});

test("--pid-file is not written when create fails", () => {
  const c = ws.bundle((config) => {
    config.process.args = ["/no/such/program"];
  });
  const pidFile = ws.newFile();
  assert.notEqual(c.create(["--pid-file", pidFile]).status, 0);
  assert.equal(existsSync(pidFile), false);
});

test("an id that is in use can't be created again", () => {
  const c = ws.running();
  const pid = c.pid;
  c.fail(
    expected({
      runc: /container with given ID already exists/,
      crun: /container `.*` already exists/,
      edgerun: /container with given ID already exists/,
    }),
    ["create", "--bundle", c.directory, c.id],
  );
  assert.equal(c.pid, pid, "the first one is untouched");
  assert.equal(c.status(), "running");
});

test("an id can be used again after delete", () => {
  const c = ws.script("exit 3");
  assert.equal(c.run().status, 3);
  assert.equal(c.run().status, 3);
});

test("the same bundle can be used by two containers", () => {
  const c = ws.created();
  const second = ws.newId();
  const config = JSON.parse(readFileSync(join(c.directory, "config.json"), "utf8"));
  config.linux.cgroupsPath = `/${second}`;
  const other = ws.rawBundle(JSON.stringify(config), second);
  assert.equal(other.create().status, 0);
  assert.equal(other.status(), "created");
  assert.equal(c.status(), "created");
});

test("a container that is running can't be started", () => {
  const c = ws.running();
  c.fail(
    expected({
      runc: /cannot start an already running container/,
      crun: /container `.*` is not in created state|exec\.fifo/,
      edgerun: /cannot start an already running container/,
    }),
    ["start", c.id],
  );
  assert.equal(c.status(), "running");
});

test("a container that has stopped can't be started", () => {
  const c = ws.created();
  c.stop();
  c.fail(
    expected({
      runc: /cannot start a container that has stopped/,
      crun: /container `.*` is not running|is not in created state/,
      edgerun: /cannot start a container that has stopped/,
    }),
    ["start", c.id],
  );
});

test(
  "without a process a container can be created, ends at its start, and is not run",
  lacking({ runc: "refuses" }),
  () => {
    const c = ws.bundle((config) => {
      delete (config as Partial<Config>).process;
    });
    c.succeed("create", "--bundle", c.directory, c.id);
    assert.equal(c.state().status, "created");
    c.start();
    waitFor("the end", () => c.state().status === "stopped");
    c.succeed("delete", c.id);
    const run = c.run();
    assert.deepEqual(
      [run.status === 0, run.stderr.includes("$.process: missing")],
      expected({
        runc: [false, false],
        crun: [true, false],
        edgerun: [false, true],
      }),
    );
  },
);

test("an unknown id can't be started", () => {
  ws.bundle().fail(doesNotExist, ["start", ws.newId()]);
});

test("a running container can't be deleted", () => {
  const c = ws.running();
  c.fail(
    expected({
      runc: /cannot delete container .* that is not stopped: running/,
      crun: /is not in `created` or `stopped` state/,
      edgerun: /cannot delete container .* that is not stopped: running/,
    }),
    ["delete", c.id],
  );
  assert.equal(c.status(), "running");
});

test("delete --force ends a running container", () => {
  const c = ws.running();
  const { pid } = c;
  c.succeed("delete", "--force", c.id);
  waitFor("the process to end", () => !existsSync(`/proc/${pid}/exe`));
  c.fail(doesNotExist, ["state", c.id]);
  ws.assertHostUnchanged();
});

test("delete --force ends a container that was never started", () => {
  const c = ws.created();
  c.succeed("delete", "--force", c.id);
  ws.assertHostUnchanged();
});

test("delete of a stopped container removes it, its cgroups and its state", () => {
  const c = ws.running();
  c.stop();
  c.succeed("delete", c.id);
  c.fail(doesNotExist, ["state", c.id]);
  ws.assertHostUnchanged();
});

test("delete of an unknown id fails", () => {
  ws.bundle().fail(doesNotExist, ["delete", ws.newId()]);
});

test("delete --force of an unknown id is silent", () => {
  const result = ws.runtime(["delete", "--force", ws.newId()]);
  assert.deepEqual(
    { status: result.status, stdout: result.stdout, stderr: result.stderr },
    { status: 0, stdout: "", stderr: "" },
  );
});

test("delete --force works a second time", () => {
  const c = ws.running();
  c.succeed("delete", "--force", c.id);
  assert.equal(c.call("delete", "--force", c.id).status, 0);
});

for (const signal of ["KILL", "SIGKILL", "9", "sigkill", "kill"]) {
  const lowerCase = signal === signal.toLowerCase() && signal !== "9";
  test(
    `kill accepts the signal as "${signal}"`,
    lowerCase ? lacking({ crun: "takes lower case as signal 0" }) : {},
    () => {
      const c = ws.running();
      c.kill(signal);
      c.waitForStatus("stopped");
    },
  );
}

test("kill sends SIGTERM by default", () => {
  const volume = ws.newDirectory();
  const c = ws.script(
    "trap 'touch /volume/term; exit 0' TERM; touch /volume/ready; while :; do sleep 0.05; done",
    (config) => {
      config.mounts.push({ destination: "/volume", type: "bind", source: volume, options: ["bind"] });
    },
  );
  c.succeed("run", "--detach", "--bundle", c.directory, c.id);
  waitFor("the trap", () => existsSync(join(volume, "ready")));
  c.succeed("kill", c.id);
  c.waitForStatus("stopped");
  assert.ok(existsSync(join(volume, "term")));
});

test("kill refuses a signal that does not exist", lacking({ crun: "takes it as signal 0" }), () => {
  const c = ws.running();
  c.fail(expected({ runc: /unknown signal "NOSUCH"/, crun: /unknown signal/, edgerun: /unknown signal "NOSUCH"/ }), [
    "kill",
    c.id,
    "NOSUCH",
  ]);
  assert.equal(c.status(), "running");
});

test("kill of a stopped container fails", () => {
  const c = ws.running();
  c.stop();
  c.fail(
    expected({
      runc: /container not running/,
      crun: /container not running|No such process/i,
      edgerun: /container not running/,
    }),
    ["kill", c.id, "KILL"],
  );
});

test("kill --all of a stopped container is no error", () => {
  const c = ws.running();
  c.stop();
  c.succeed("kill", "--all", c.id, "KILL");
});

test("kill reaches a container that was not started", () => {
  const c = ws.created();
  c.kill("KILL");
  c.waitForStatus("stopped");
});

test("kill of an unknown id fails", () => {
  ws.bundle().fail(doesNotExist, ["kill", ws.newId(), "KILL"]);
});

test("a container whose first process was killed by someone else is stopped", () => {
  const c = ws.running();
  process.kill(c.pid, "SIGKILL");
  c.waitForStatus("stopped");
  c.succeed("delete", c.id);
});

test("a program that is missing fails create, not start", () => {
  const c = ws.bundle((config) => {
    config.process.args = ["no-such-program"];
  });
  c.fail(/executable file .*not found in \$PATH/, ["create", "--bundle", c.directory, c.id]);
  ws.assertNothingLeft();
});

test("a program path that is missing fails create", () => {
  const c = ws.bundle((config) => {
    config.process.args = ["/no/such/program"];
  });
  c.fail(
    expected({
      runc: /exec: "\/no\/such\/program": stat \/no\/such\/program: no such file or directory/,
      crun: /executable file .*not found/,
      edgerun: /exec.*\/no\/such\/program.*no such file or directory/,
    }),
    ["create", "--bundle", c.directory, c.id],
  );
});

test("a program that is not executable is refused with permission denied", () => {
  const c = ws.bundle((config) => {
    config.process.args = ["/etc/passwd"];
  });
  c.fail(expected({ runc: /permission denied/, crun: /ermission denied/, edgerun: /permission denied/ }), [
    "create",
    "--bundle",
    c.directory,
    c.id,
  ]);
});

test("a program that is a directory is refused", () => {
  const c = ws.bundle((config) => {
    config.process.args = ["/etc"];
  });
  c.fail(
    expected({
      runc: /permission denied|is a directory/,
      crun: /open executable: Operation not permitted/,
      edgerun: /permission denied|is a directory/,
    }),
    ["create", "--bundle", c.directory, c.id],
  );
});

test("the program is found in the PATH of the process", () => {
  assert.equal(
    ws
      .bundle((config) => {
        config.process.args = ["true"];
        config.process.env = ["PATH=/nowhere:/bin"];
      })
      .run().status,
    0,
  );
});

test("the state root is closed to others", () => {
  ws.created();
  assert.equal(statSync(ws.stateRoot).mode & 0o077, 0);
});

test("a state root that does not exist is made", () => {
  const root = join(ws.newDirectory(), "deep/er");
  const c = ws.script("exit 0");
  const result = c.workspace.runtime(["--root", root, "run", "--bundle", c.directory, c.id]);
  assert.equal(result.status, 0, result.stderr);
  assert.equal(statSync(root).mode & 0o077, 0);
});
