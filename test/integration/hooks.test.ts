// SPDX-License-Identifier: Apache-2.0
// hooks: order, state on stdin, environment, namespaces, time limits, failure.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Config, Hook, HookKind } from "./support/config.ts";
import { execute, waitFor } from "./support/process.ts";
import { expected, lacking, runtimePath } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const kinds: HookKind[] = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"];
const shell = (script: string, values: Partial<Hook> = {}): Hook => ({
  path: "/bin/sh",
  args: ["sh", "-c", script],
  ...values,
});

/** Volume that host-side and container-side hooks both write to: at its host path, and bound to the same path inside. */
function withVolume(directory: string, hooks: Partial<Record<HookKind, Hook[]>>): (config: Config) => void {
  return (config) => {
    // createContainer hooks run in the container's namespaces but with the host's root: both see this path.
    config.mounts.push({ destination: directory, type: "bind", source: directory, options: ["bind", "rw"] });
    config.hooks = hooks;
  };
}

function lines(path: string): string[] {
  return existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
}

test("all six kinds run once, in order", () => {
  const directory = ws.newDirectory();
  const log = join(directory, "log");
  const hooks = Object.fromEntries(kinds.map((kind) => [kind, [shell(`echo ${kind} >> ${log}`)]]));
  const c = ws.script(`echo program >> ${log}`, withVolume(directory, hooks));
  assert.equal(c.run().status, 0);
  const order = lines(log);
  // poststart and the program run side by side; in the peers poststart beside startContainer too.
  const racing = expected({ runc: ["program", "poststart"], crun: ["program", "poststart"], edgerun: ["program"] });
  const ordered = (names: readonly string[]) => names.filter((name) => !racing.includes(name));
  assert.deepEqual(ordered(order), ordered(kinds));
  assert.deepEqual([...order].sort(), [...kinds, "program"].sort());
  assert.ok(order.indexOf("program") > order.indexOf("startContainer"));
  assert.ok(order.indexOf("program") < order.indexOf("poststop"));
});

test(
  "hooks of create run at create, those of start at start",
  lacking({ runc: "1.1 runs poststart hooks at create" }),
  () => {
    const directory = ws.newDirectory();
    const log = join(directory, "log");
    const hooks = Object.fromEntries(kinds.map((kind) => [kind, [shell(`echo ${kind} >> ${log}`)]]));
    const c = ws.script("sleep 1000", withVolume(directory, hooks));
    assert.equal(c.create().status, 0);
    assert.deepEqual(lines(log), kinds.slice(0, 3));
    c.start();
    waitFor("both hooks of start", () => lines(log).length === 5);
    assert.deepEqual(lines(log).slice(3).sort(), ["poststart", "startContainer"]);
    c.stop();
    assert.equal(lines(log).length, 5);
    c.succeed("delete", c.id);
    assert.deepEqual(lines(log).slice(5), ["poststop"]);
  },
);

test("hooks of one kind run in the order of the list", () => {
  const directory = ws.newDirectory();
  const log = join(directory, "log");
  const c = ws.script(
    "true",
    withVolume(directory, { createRuntime: [1, 2, 3].map((n) => shell(`echo ${n} >> ${log}`)) }),
  );
  assert.equal(c.run().status, 0);
  assert.deepEqual(lines(log), ["1", "2", "3"]);
});

for (const [kind, status] of [
  ["prestart", expected({ runc: "creating", crun: "created", edgerun: "created" })],
  ["createRuntime", "creating"],
  ["createContainer", "creating"],
  ["startContainer", "created"],
  ["poststart", "running"],
  ["poststop", "stopped"],
] as const) {
  test(`${kind} hooks get the state on stdin: ${status}`, () => {
    const directory = ws.newDirectory();
    const file = join(directory, "state");
    const c = ws.script("sleep 0.3", (config) => {
      withVolume(directory, { [kind]: [shell(`cat > ${file}`)] })(config);
      config.annotations = { "org.example.site": "7" };
    });
    assert.equal(c.run().status, 0);
    const state = JSON.parse(readFileSync(file, "utf8"));
    assert.equal(state.id, c.id);
    assert.equal(
      state.bundle,
      expected({ runc: c.directory, crun: kind === "startContainer" ? "/" : c.directory, edgerun: c.directory }),
    );
    assert.match(state.ociVersion, /^1\./);
    assert.deepEqual(state.annotations, { "org.example.site": "7" });
    // runc's poststart hooks may run before the program does; crun is one state ahead while creating.
    const runcStatus = kind === "poststart" ? state.status : status;
    const crunStatus = { creating: "created", created: "starting", running: "running", stopped: "stopped" }[status];
    assert.equal(state.status, expected({ runc: runcStatus, crun: crunStatus, edgerun: status }));
    if (kind === "createRuntime") assert.ok(state.pid > 1);
  });
}

test("host-side hooks run in the host's mount namespace, createContainer hooks in the container's", () => {
  const directory = ws.newDirectory();
  const own = (kind: string) => shell(`readlink /proc/self/ns/mnt > ${directory}/${kind}`);
  const c = ws.script(
    `readlink /proc/self/ns/mnt > ${directory}/program`,
    withVolume(directory, {
      createRuntime: [own("createRuntime")],
      createContainer: [own("createContainer")],
      startContainer: [own("startContainer")],
    }),
  );
  assert.equal(c.run().status, 0);
  const read = (kind: string) => lines(join(directory, kind))[0];
  assert.equal(read("createRuntime"), readlinkSync("/proc/self/ns/mnt"));
  assert.equal(read("createContainer"), read("program"));
  assert.equal(read("startContainer"), read("program"));
});

for (const kind of ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] as const) {
  test(`the environment of ${kind} hooks is exactly hook.env`, () => {
    const directory = ws.newDirectory();
    const file = join(directory, "environment");
    // A shell would add variables of its own: env(1) is started directly, and its output read through cat's redirect.
    const copy: Hook = { path: "/bin/cp", args: ["cp", "/proc/self/environ", file], env: ["SITE=7", "UNIT=kWh"] };
    const c = ws.script("true", (config) => {
      withVolume(directory, { [kind]: [copy] })(config);
      config.process.env.push("LD_LEAK=from-the-process");
    });
    assert.equal(c.run([], { env: { PATH: "/usr/bin:/bin", CALLER: "leak" } }).status, 0);
    assert.deepEqual(
      readFileSync(file, "utf8")
        .split("\0")
        .filter((line) => line !== ""),
      ["SITE=7", "UNIT=kWh"],
    );
  });
}

test("a hook gets exactly hook.args, argv[0] included", () => {
  const directory = ws.newDirectory();
  const file = join(directory, "arguments");
  const c = ws.script(
    "true",
    withVolume(directory, {
      createRuntime: [{ path: "/bin/sh", args: ["any-name", "-c", `echo "$0|$1|$2" > ${file}`, "zero", "", "a b"] }],
    }),
  );
  assert.equal(c.run().status, 0);
  assert.deepEqual(lines(file), ["zero||a b"]);
});

for (const kind of ["prestart", "createRuntime", "createContainer"] as const) {
  test(`a ${kind} hook that fails makes create fail and leaves nothing`, () => {
    const c = ws.bundle((config) => {
      config.hooks = { [kind]: [shell("exit 0"), shell("echo broken >&2; exit 1")] };
    });
    const text = {
      runc: /error running hook #1/,
      crun: /error executing hook/,
      edgerun: new RegExp(`error running ${kind} hook #1`),
    };
    const code = expected({ runc: 1, crun: kind === "createContainer" ? 1 : 255, edgerun: 1 });
    c.fail(expected(text), ["create", "--bundle", c.directory, c.id], code);
    ws.assertNothingLeft();
  });
}

test("a startContainer hook that fails keeps the program from starting", () => {
  const directory = ws.newDirectory();
  const c = ws.script(`touch ${directory}/ran`, withVolume(directory, { startContainer: [shell("exit 1")] }));
  assert.notEqual(c.run().status, 0);
  assert.equal(existsSync(join(directory, "ran")), false);
  ws.assertNothingLeft();
});

test("a poststop hook that fails does not keep the container", () => {
  const c = ws.running((config) => {
    config.hooks = { poststop: [shell("exit 1")] };
  });
  c.call("delete", "--force", c.id);
  ws.assertHostUnchanged();
});

test("a hook program that is missing fails create", () => {
  const c = ws.bundle((config) => {
    config.hooks = { createRuntime: [{ path: "/no/such/hook" }] };
  });
  assert.notEqual(c.create().status, 0);
  ws.assertNothingLeft();
});

test("a relative hook path is refused", () => {
  const c = ws.bundle((config) => {
    config.hooks = { createRuntime: [{ path: "bin/true" }] };
  });
  assert.notEqual(c.create().status, 0);
  ws.assertNothingLeft();
});

test("a hook that outlives its timeout fails create within seconds", () => {
  const c = ws.bundle((config) => {
    config.hooks = { createRuntime: [shell("exec sleep 60", { timeout: 1 })] };
  });
  const started = Date.now();
  assert.notEqual(c.create().status, 0);
  assert.ok(Date.now() - started < 10_000);
  ws.assertNothingLeft();
});

test("a hook that is done within its timeout is fine", () => {
  assert.equal(
    ws.runScript("exit 0", (config) => {
      config.hooks = { createRuntime: [shell("sleep 0.1", { timeout: 5 })] };
    }).status,
    0,
  );
});

test("a timeout of 0 or less is refused", lacking({ crun: "takes 0 as none" }), () => {
  const c = ws.bundle((config) => {
    config.hooks = { createRuntime: [shell("true", { timeout: 0 })] };
  });
  assert.notEqual(c.create().status, 0);
});

test("a hook that does not read its stdin is no error", () => {
  assert.equal(
    ws.runScript("exit 0", (config) => {
      config.hooks = { createRuntime: [{ path: "/bin/true" }] };
    }).status,
    0,
  );
});

test("a hook that prints without end is stopped by its timeout and does not fill memory", () => {
  const c = ws.bundle((config) => {
    config.hooks = { createRuntime: [{ path: "/usr/bin/yes", args: ["yes"], timeout: 1 }] };
  });
  const command = `ulimit -v 4000000; exec ${runtimePath} ${ws.globalFlags.join(" ")} create --bundle ${c.directory} ${c.id}`;
  assert.notEqual(execute("sh", ["-c", command]).status, 0);
  ws.assertNothingLeft();
});

test("hooks may be an empty object", () => {
  assert.equal(
    ws.runScript("exit 0", (config) => {
      config.hooks = {};
    }).status,
    0,
  );
});
