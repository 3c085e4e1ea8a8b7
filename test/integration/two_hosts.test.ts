// SPDX-License-Identifier: Apache-2.0
// The device binary and Node are one program: containers live in the same way under both, and each takes over what the
// other began. Output is compared byte for byte, but for process ids and times: see normalize().

import assert from "node:assert/strict";
import { closeSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Change } from "./support/config.ts";
import type { Container } from "./support/container.ts";
import {
  callBoth,
  callHost,
  compareResults,
  type HostName,
  hostNames,
  launchHost,
  normalize,
  twoHosts,
} from "./support/hosts.ts";
import { type Options, type Result, waitFor } from "./support/process.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const same = (args: readonly string[], options?: Options): Result => callBoth(ws, args, options);
const flags = (c: Container): string[] => ["--bundle", c.directory, c.id];

/** A scenario, played in each host: each answer to `call` must be the same. It must leave nothing behind. */
function sameScenario(play: (call: (...args: string[]) => Result, host: HostName) => void): Result[] {
  const transcripts = hostNames.map((host) => {
    const transcript: Result[] = [];
    play((...args) => {
      const result = callHost(ws, host, args);
      transcript.push({ ...result, stdout: `$ ${args.join(" ")}\n${normalize(result.stdout)}` });
      return result;
    }, host);
    return transcript;
  });
  assert.deepEqual(transcripts[1], transcripts[0], "Node (actual) and the device (expected)");
  return transcripts[0]!;
}

function waitForStatus(c: Container, status: string): void {
  waitFor(`status ${status}`, () => c.status() === status);
}

test("a life: create, state, list, start, exec, ps, pause, resume, kill, delete", twoHosts, () => {
  const c = ws.script("trap 'exit 3' TERM; while :; do sleep 0.05; done", (config) => {
    config.annotations = { "org.example.site": "7" };
  });
  sameScenario((call) => {
    call("create", ...flags(c));
    call("state", c.id);
    call("create", ...flags(c));
    call("list");
    call("list", "--format", "json");
    call("resume", c.id);
    call("exec", c.id, "echo", "in a created one");
    call("start", c.id);
    call("start", c.id);
    call("state", c.id);
    call("exec", c.id, "sh", "-c", "echo out; echo err >&2; exit 7");
    call("exec", "--user", "1000:10", "--cwd", "/tmp", "--env", "A=é", c.id, "sh", "-c", "id; pwd; echo $A $HOME");
    call("exec", c.id, "no-such-program");
    call("exec", "--detach", c.id, "true");
    call("ps", c.id, "-o", "pid,comm,nosuch");
    call("pause", c.id);
    call("state", c.id);
    call("pause", c.id);
    call("exec", c.id, "true");
    call("delete", c.id);
    call("resume", c.id);
    call("resume", c.id);
    call("kill", c.id, "0");
    call("kill", c.id);
    waitForStatus(c, "stopped");
    call("state", c.id);
    call("kill", c.id);
    call("exec", c.id, "true");
    call("start", c.id);
    call("pause", c.id);
    call("delete", c.id);
    call("state", c.id);
    call("delete", c.id);
    call("delete", "--force", c.id);
  });
});

test("ps prints the same table, process ids aside", twoHosts, () => {
  const c = ws.running();
  const tables = hostNames.map((host) => callHost(ws, host, ["ps", c.id, "-o", "pid,comm,args"]).stdout);
  assert.equal(tables[1], tables[0]);
  assert.match(tables[0]!, new RegExp(`^ *${c.pid} `, "m"));
  assert.deepEqual(
    ...(hostNames.map((host) => callHost(ws, host, ["ps", "--format", "json", c.id])) as [Result, Result]),
  );
});

for (const [name, script] of [
  ["success", "echo done"],
  ["a failure", "echo failed >&2; exit 7"],
  ["a signal", "kill -9 $$"],
  ["a lot of output", "i=0; while [ $i -lt 5000 ]; do echo $i; i=$((i+1)); done"],
] as const) {
  test(`run to the end: ${name}`, twoHosts, () => {
    const c = ws.script(script);
    same(["run", ...flags(c)]);
    ws.assertNothingLeft();
  });
}

test("run passes its stdin on, also a closed one", twoHosts, () => {
  const c = ws.script("cat; echo end");
  assert.equal(same(["run", ...flags(c)], { input: "line\nä\n" }).stdout, "line\nä\nend\n");
  same(["run", ...flags(c)], { stdin: "closed" });
});

test("run --keep leaves a stopped container; --pid-file holds the pid without a newline", twoHosts, () => {
  const c = ws.script("exit 4");
  sameScenario((call) => {
    const file = ws.newFile();
    call("run", "--keep", "--bundle", c.directory, c.id);
    call("state", c.id);
    call("delete", c.id);
    assert.equal(callHost(ws, "device", ["run", "--detach", "--pid-file", file, ...flags(c)]).status, 0);
    assert.match(readFileSync(file, "utf8"), /^\d+$/);
    c.dispose();
  });
});

test("a signal to a foreground run reaches the container", twoHosts, async () => {
  for (const host of hostNames) {
    const c = ws.script("trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.05; done");
    const running = launchHost(ws, host, ["run", ...flags(c)]);
    waitFor("the program", () => running.stdout().includes("ready"));
    process.kill(running.pid, "SIGTERM");
    assert.deepEqual(await running.end(), { status: 9, signal: null, stdout: "ready\ncaught\n", stderr: "" }, host);
  }
});

test("descriptors of the caller: preserved ones arrive, and no others", twoHosts, () => {
  const c = ws.script("cat <&3; ls /proc/self/fd; echo $LISTEN_FDS");
  const results = hostNames.map((host) => {
    const fd = openSync(ws.newFile("from the caller\n"), "r");
    try {
      return callHost(ws, host, ["run", "--preserve-fds", "1", ...flags(c)], { fds: [fd, fd] });
    } finally {
      closeSync(fd);
    }
  });
  assert.match(compareResults(results, "run").stdout, /^from the caller\n0\n1\n2\n3\n4\n\n$/);
});

test("hooks run in the same order, with the same state, environment and descriptors", twoHosts, () => {
  const kinds = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] as const;
  const directory = ws.newDirectory();
  const c = ws.script("exit 0", (config) => {
    config.mounts.push({ destination: directory, type: "bind", source: directory, options: ["bind", "rw"] });
    const report = (kind: string): string =>
      `{ echo ${kind}; cat; echo; env | sort; ls /proc/self/fd; grep -E '^Sig[PBIC]|^Cap|^Umask' /proc/self/status; ulimit -a | grep -v nofiles; } >> ${directory}/log`;
    config.hooks = Object.fromEntries(
      kinds.map((kind) => [kind, [{ path: "/bin/sh", args: ["sh", "-c", report(kind)], env: ["A=b"] }]]),
    );
  });
  const logs = hostNames.map((host) => {
    assert.equal(callHost(ws, host, ["run", ...flags(c)]).status, 0);
    const log = readFileSync(join(directory, "log"), "utf8").replace(/"pid":\d+/g, '"pid":PID');
    rmSync(join(directory, "log"));
    return log;
  });
  assert.equal(logs[1], logs[0]);
});

test("hooks that fail or take too long", twoHosts, () => {
  for (const hook of [
    { path: "/bin/sh", args: ["sh", "-c", "echo why >&2; exit 5"] },
    { path: "/no/such/hook" },
    { path: "/bin/sleep", args: ["sleep", "100"], timeout: 1 },
  ]) {
    for (const kind of ["createRuntime", "createContainer", "poststart"] as const) {
      const c = ws.bundle((config) => {
        config.hooks = { [kind]: [hook] };
      });
      assert.equal(same(["run", ...flags(c)]).status, 1);
      ws.assertNothingLeft();
    }
  }
});

test("failures inside the container", twoHosts, () => {
  for (const change of [
    (config) => {
      config.process.args = ["no-such-program"];
    },
    (config) => {
      config.process.args = ["/etc/passwd"];
    },
    (config) => {
      config.process.cwd = "/etc/passwd";
    },
    (config) => {
      config.mounts.push({ destination: "/x", type: "nosuchfs", source: "none" });
    },
    (config) => {
      config.mounts.push({ destination: "/x", type: "bind", source: "/no/such", options: ["bind"] });
    },
    (config) => {
      config.linux.namespaces.push({ type: "user", path: "/proc/self/ns/uts" });
    },
  ] satisfies Change[]) {
    const c = ws.bundle(change);
    assert.equal(same(["run", ...flags(c)]).status, 1);
    ws.assertNothingLeft();
  }
});

test("a seccomp filter takes effect, compiled anew and from the cache", twoHosts, () => {
  const c = ws.script("chmod 600 /tmp/x; echo $?", (config) => {
    config.linux.seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["chmod", "fchmodat"], action: "SCMP_ACT_ERRNO", errnoRet: 38 }],
    };
    config.root.readonly = false;
  });
  writeFileSync(join(ws.rootfs, "tmp/x"), "");
  for (const order of [hostNames, [...hostNames].reverse()]) {
    for (const name of readdirSync(ws.stateRoot)) rmSync(join(ws.stateRoot, name), { recursive: true });
    compareResults(
      order.map((host) => callHost(ws, host, ["run", ...flags(c)])),
      "run",
    );
  }
});

test("one host takes over what the other began", twoHosts, () => {
  for (const [one, other] of [hostNames, [...hostNames].reverse()] as [HostName, HostName][]) {
    const c = ws.script("while :; do sleep 0.05; done");
    const steps: [HostName, ...string[]][] = [
      [one, "create", ...flags(c)],
      [other, "start", c.id],
      [one, "exec", c.id, "true"],
      [other, "pause", c.id],
      [one, "resume", c.id],
      [other, "kill", c.id, "KILL"],
    ];
    for (const [host, ...args] of steps) assert.equal(callHost(ws, host, args).status, 0, `${host} ${args.join(" ")}`);
    waitForStatus(c, "stopped");
    assert.equal(callHost(ws, one, ["delete", c.id]).status, 0);
  }
});
