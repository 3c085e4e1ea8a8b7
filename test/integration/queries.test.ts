// SPDX-License-Identifier: Apache-2.0
// list, ps, pause, resume: what they print and when they refuse.

import assert from "node:assert/strict";
import { test } from "node:test";
import { waitFor } from "./support/process.ts";
import { expected, lacking } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const nothing = ws.bundle();

test("list without containers prints the header alone", () => {
  const lines = nothing.succeed("list").stdout.trimEnd().split("\n");
  assert.equal(lines.length, 1);
  assert.match(
    lines[0]!,
    expected({
      runc: /^ID +PID +STATUS +BUNDLE +CREATED +OWNER$/,
      crun: /^NAME +PID +STATUS +BUNDLE PATH +CREATED +OWNER *$/,
      edgerun: /^ID +PID +STATUS +BUNDLE +CREATED +OWNER$/,
    }),
  );
});

test("list --format json without containers is null", () => {
  assert.equal(
    nothing.succeed("list", "--format", "json").stdout.trim(),
    expected({ runc: "null", crun: "[\n\n]", edgerun: "null" }),
  );
});

test("list shows each container with pid, status, bundle and owner", () => {
  const c = ws.running();
  const d = ws.created();
  const lines = c.succeed("list").stdout.trimEnd().split("\n").slice(1);
  const rows = lines.map((line) => line.split(/\s+/)).sort((a, b) => a[0]!.localeCompare(b[0]!));
  const wanted = [c, d].map((container) => [
    container.id,
    String(container.pid),
    container.status(),
    container.directory,
  ]);
  assert.deepEqual(
    rows.map((row) => row.slice(0, 4)),
    wanted.sort((a, b) => a[0]!.localeCompare(b[0]!)),
  );
  assert.deepEqual(
    rows.map((row) => row[5]),
    ["root", "root"],
  );
});

test("list --format json is an array of states", () => {
  const c = ws.running((config) => {
    config.annotations = { "org.example.site": "7" };
  });
  const [entry] = JSON.parse(c.succeed("list", "--format", "json").stdout);
  const state = c.state();
  assert.deepEqual(
    { id: entry.id, pid: entry.pid, status: entry.status, bundle: entry.bundle },
    { id: c.id, pid: state.pid, status: "running", bundle: c.directory },
  );
});

test("list --quiet prints ids alone", () => {
  const ids = [ws.created().id, ws.created().id];
  assert.deepEqual(nothing.succeed("list", "--quiet").stdout.trim().split("\n").sort(), ids.sort());
});

test("ps --format json is the array of pids on the host", () => {
  const c = ws.script("sleep 1000 & while :; do sleep 1000; done");
  c.succeed("run", "--detach", "--bundle", c.directory, c.id);
  const pids = waitFor("three processes", () => {
    const list: number[] = JSON.parse(c.succeed("ps", "--format", "json", c.id).stdout);
    return list.length === 3 && list;
  });
  assert.ok(pids.includes(c.pid));
});

test("ps prints the table of the host's ps", () => {
  const c = ws.running();
  const result = c.succeed("ps", c.id);
  assert.match(result.stdout, expected({ runc: /^UID +PID +PPID/, crun: /^PID$/m, edgerun: /^UID +PID +PPID/ }));
  assert.match(result.stdout, new RegExp(`\\b${c.pid}\\b`));
});

test("ps hands options on to the host's ps", lacking({ crun: "has no ps options" }), () => {
  const c = ws.running();
  assert.match(c.succeed("ps", c.id, "-e", "-o", "pid,args").stdout, new RegExp(`^ *${c.pid} /bin/sh -c`, "m"));
});

test("pause stops every process, resume lets them go on", () => {
  const c = ws.script("while :; do echo x; sleep 0.01; done >> /volume/ticks", (config) => {
    config.mounts.push({ destination: "/volume", type: "bind", source: ws.newDirectory(), options: ["bind"] });
  });
  c.succeed("run", "--detach", "--bundle", c.directory, c.id);
  c.succeed("pause", c.id);
  assert.equal(c.status(), "paused");
  c.succeed("resume", c.id);
  assert.equal(c.status(), "running");
});

test("a stopped container can't be paused", () => {
  const c = ws.running();
  c.stop();
  c.fail(expected({ runc: /container not running/, crun: /./, edgerun: /container not running/ }), ["pause", c.id]);
});

test(
  "a container that is not paused can't be resumed",
  lacking({ crun: "thaws what is not frozen without an error" }),
  () => {
    const c = ws.running();
    c.fail(/container not paused/, ["resume", c.id]);
    assert.equal(c.status(), "running");
  },
);

test("exec in a paused container is refused", lacking({ crun: "waits until it is resumed" }), () => {
  const c = ws.running();
  c.succeed("pause", c.id);
  c.fail(/cannot exec in a paused container/, ["exec", c.id, "true"], 255);
  c.succeed("resume", c.id);
  assert.equal(c.exec(["true"]).status, 0);
});

test("delete --force ends a paused container", () => {
  const c = ws.running();
  c.succeed("pause", c.id);
  c.succeed("delete", "--force", c.id);
  ws.assertHostUnchanged();
});

test("kill reaches a paused container once it goes on", () => {
  const c = ws.running();
  c.succeed("pause", c.id);
  c.kill("KILL");
  c.call("resume", c.id);
  c.waitForStatus("stopped");
});

for (const command of ["pause", "resume", "ps", "exec", "kill", "start", "state", "delete"]) {
  test(`${command} of an unknown id fails`, () => {
    const args = [command, ws.newId(), ...(command === "exec" ? ["true"] : [])];
    const texts = {
      runc: /container does not exist/,
      crun: /does not exist|No such file/,
      edgerun: /container does not exist/,
    };
    const execCode = { runc: 255, crun: 1, edgerun: 255 };
    const psCode = { runc: 1, crun: 253, edgerun: 1 };
    nothing.fail(
      expected(texts),
      args,
      command === "exec" ? expected(execCode) : command === "ps" ? expected(psCode) : 1,
    );
  });
}

test("a command without an id prints its usage and fails", () => {
  const result = ws.runtime(["state"]);
  assert.notEqual(result.status, 0);
  assert.match(
    result.stderr,
    expected({
      runc: /"state" requires exactly 1 argument/,
      crun: /./,
      edgerun: /"state" requires exactly 1 argument/,
    }),
  );
});

test("flags are accepted after the id", lacking({ crun: "takes flags before the id only" }), () => {
  const c = ws.script("exit 0");
  assert.equal(ws.runtime(["create", c.id, "--bundle", c.directory]).status, 0);
  assert.equal(c.status(), "created");
});

test("an unknown command fails", () => {
  assert.notEqual(ws.runtime(["no-such-command"]).status, 0);
});

test("--version names the program, its version and the specification", () => {
  const { stdout } = nothing.succeed("--version");
  assert.match(stdout, expected({ runc: /^runc version \d/, crun: /^crun version \d/, edgerun: /version \d/ }));
  assert.match(stdout, /^spec: 1\.\d/m);
});

test("checkpoint --help succeeds or the command is absent", () => {
  // podman and CRI-O ask this way whether checkpoints are supported; both answers are good, a hang is not.
  const result = ws.runtime(["checkpoint", "--help"]);
  assert.ok(result.status === 0 || result.stderr !== "");
});

test("features prints JSON and nothing on stderr", lacking({ crun: "1.8 has no features command" }), () => {
  const result = nothing.succeed("features");
  assert.equal(result.stderr, "");
  const features = JSON.parse(result.stdout);
  assert.match(features.ociVersionMin, /^1\./);
  assert.match(features.ociVersionMax, /^1\./);
  assert.ok(features.mountOptions.includes("rbind"));
});
