// SPDX-License-Identifier: Apache-2.0
// The device binary and Node are one program: the same command lines give the same output, exit codes, plans, bytes
// for edgerun-init, and containers. What must differ is replaced first, and nothing else: see normalize().

import assert from "node:assert/strict";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Json } from "../../src/host/functions.ts";
import { mutateJson, printJson } from "../fuzz/json_mutator.ts";
import { Random } from "../fuzz/random.ts";
import { realConfigs } from "../fuzz/real_configs.ts";
import { type Change, type Config, defaultConfig, setUserNamespace } from "./support/config.ts";
import type { Container } from "./support/container.ts";
import { callHost, type HostName, hostNames, launchHost } from "./support/hosts.ts";
import { type Options, type Result, waitFor } from "./support/process.ts";
import { lacking, runtimeName } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const both = lacking({ runc: "has one host", crun: "has one host" });

/** Process ids and times of `state` and `list`: they differ between any two containers. */
function normalize(text: string): string {
  return text
    .replace(/"pid":( ?)\d+/g, '"pid":$1PID')
    .replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z/g, "TIME")
    .replace(/^(\S+ +)\d+( +(?:created|running|paused) )/gm, "$1PID$2");
}

function compare(results: readonly Result[], label: string): Result {
  const [device, node] = results.map((result) => ({ ...result, stdout: normalize(result.stdout) }));
  assert.deepEqual(node, device, `${label}: Node (actual) and the device (expected)`);
  return device!;
}

/** Both hosts answer a command line in the same way. Returns what they say. */
function same(args: readonly string[], options?: Options): Result {
  return compare(
    hostNames.map((host) => callHost(ws, host, args, options)),
    args.join(" "),
  );
}

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

const flags = (c: Container): string[] => ["--bundle", c.directory, c.id];

function waitForStatus(c: Container, status: string): void {
  waitFor(`status ${status}`, () => c.status() === status);
}

for (const args of [
  [],
  ["--help"],
  ["--version"],
  ["-v"],
  ["help"],
  ["help", "exec"],
  ["h", "nothing"],
  ["nothing"],
  ["--nothing"],
  ["--log-format", "xml", "list"],
  ["--root", "/", "list"],
  ["--root"],
  ["---x"],
  ["owner-x"],
  ["features"],
  ["features", "x"],
  ...[...commandNames(), "owner"].map((name) => ["help", name]),
  ...commandNames().map((name) => [name, "--help"]),
  ...commandNames().map((name) => [name, "--nothing"]),
  ...["create", "run", "start", "state", "kill", "delete", "exec", "ps", "pause", "resume"].map((name) => [name]),
  ...["create", "run", "start", "state", "delete", "pause", "resume"].map((name) => [name, "a", "b"]),
  ...["state", "start", "kill", "delete", "ps", "pause", "resume"].map((name) => [name, "nothing"]),
  ...["state", "run", "delete"].map((name) => [name, "../escape"]),
  ["delete", "--force", "nothing"],
  ["exec", "nothing", "true"],
  ["exec", "nothing"],
  ["exec", "--user", "root", "nothing", "true"],
  ["exec", "--process", "/no/such/process.json", "nothing"],
  ["kill", "nothing", "SIGNOTHING"],
  ["kill", "nothing", "65"],
  ["kill", "nothing", "-1"],
  ["list", "--format", "xml"],
  ["list", "--quiet=maybe"],
  ["list"],
  ["list", "-q"],
  ["list", "-f", "json"],
  ["run", "--preserve-fds", "x", "id"],
  ["run", "--bundle"],
  ["run", "--bundle", "/no/such/bundle", "id"],
  ["run", "--bundle", "/etc/passwd", "id"],
  ["plan", "--bundle", "/no/such/bundle"],
  ["plan", "é\u{1f600}"],
  ["checkpoint", "x"],
  ["update", "--memory", "1", "x"],
  ["events", "--stats", "x"],
]) {
  test(`the command line: ${args.join(" ")}`, both, () => {
    same(args);
  });
}

function commandNames(): string[] {
  return [
    "create",
    "run",
    "start",
    "state",
    "kill",
    "delete",
    "exec",
    "list",
    "ps",
    "pause",
    "resume",
    "plan",
    "spec",
  ].concat(["features", "checkpoint", "restore", "events", "update"]);
}

test("spec writes the same file, and refuses to replace it", both, () => {
  for (const extra of [[], ["--rootless"]]) {
    const texts = hostNames.map((host) => {
      const directory = ws.newDirectory();
      assert.deepEqual(callHost(ws, host, ["spec", "--bundle", directory, ...extra]).status, 0);
      return readFileSync(join(directory, "config.json"), "utf8");
    });
    assert.equal(texts[1], texts[0]);
  }
  assert.equal(same(["spec", "--bundle", ws.bundle().directory]).status, 1);
});

test("errors in a log file are the same, in both formats", both, () => {
  for (const format of ["text", "json"]) {
    const logs = hostNames.map((host) => {
      const file = ws.newFile();
      callHost(ws, host, ["--log", file, "--log-format", format, "--debug", "state", "nothing"]);
      return normalize(readFileSync(file, "utf8"));
    });
    assert.equal(logs[1], logs[0]);
  }
});

test("the environment and the working directory count in the same way", both, () => {
  const c = ws.bundle();
  same(["plan"], { cwd: c.directory });
  same(["plan", "--bundle", "."], { cwd: c.directory, env: {} });
  same(["plan"], { cwd: "/", env: { LISTEN_FDS: "1" } });
  same(["state", "nothing"], { stdin: "closed" });
});

/** Bundles of all sorts, by name: those that engines make, and the parts that few use. */
const bundles: Record<string, Change> = {
  default: () => undefined,
  "user namespace": (config) => setUserNamespace(config, 200_000),
  seccomp: (config) => {
    config.linux.seccomp = {
      defaultAction: "SCMP_ACT_ALLOW",
      architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
      syscalls: [
        { names: ["chmod", "fchmodat"], action: "SCMP_ACT_ERRNO", errnoRet: 38 },
        {
          names: ["personality"],
          action: "SCMP_ACT_ERRNO",
          args: [{ index: 0, value: 4294967295, op: "SCMP_CMP_NE" }],
        },
      ],
    };
  },
  resources: (config) => {
    Object.assign(config.linux.resources!, {
      memory: { limit: 64 << 20, swap: 64 << 20 },
      cpu: { quota: 20_000, period: 100_000, shares: 512, cpus: "0" },
      pids: { limit: 20 },
    });
  },
  "another user": (config) => {
    config.process.user = { uid: 1000, gid: 1000, umask: 0o27, additionalGids: [5, 10] };
    config.process.capabilities = {
      bounding: ["CAP_KILL"],
      permitted: ["CAP_KILL"],
      inheritable: ["CAP_KILL"],
      ambient: ["CAP_KILL"],
    };
    config.process.oomScoreAdj = 300;
    config.process.env.push("TEXT=é\u{1f600} \\ \"'");
  },
  "mounts, devices and kernel parameters": (config) => {
    config.mounts.push(
      { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["size=1m", "mode=1777", "nodev"] },
      { destination: "/var", type: "bind", source: ws.directory, options: ["rbind", "ro", "rprivate"] },
    );
    config.linux.devices = [{ path: "/dev/meter", type: "c", major: 1, minor: 5, fileMode: 0o640, uid: 12, gid: 34 }];
    config.linux.resources!.devices!.push({ allow: true, type: "c", major: 1, minor: 5, access: "rw" });
    (config.linux as { sysctl?: object }).sysctl = { "net.ipv4.ip_forward": "1" };
    config.root.readonly = false;
    config.annotations = { "org.example.site": "7" };
  },
  "few namespaces": (config) => {
    config.linux.namespaces = ["mount", "pid"].map((type) => ({ type }));
    delete config.hostname;
    config.linux.maskedPaths = [];
  },
};

for (const [name, change] of Object.entries(bundles)) {
  test(`the plan of a bundle: ${name}`, both, () => {
    const c = ws.bundle(change);
    const text = same(["plan", ...flags(c)]);
    assert.equal(text.status, 0, text.stderr);
    assert.equal(same(["plan", "--json", ...flags(c)]).status, 0);
  });

  test(`the bytes that edgerun-init gets: ${name}`, both, () => {
    const c = ws.bundle(change);
    const [device, node] = hostNames.map((host) => {
      assert.deepEqual(callHost(ws, host, ["create", ...flags(c)]), {
        status: 0,
        signal: null,
        stdout: "",
        stderr: "",
      });
      const plan = readPlanOf(c.pid);
      c.dispose();
      return plan;
    });
    assert.equal(device!.subarray(0, 4).toString(), "ERP1");
    assert.ok(node!.equals(device!), "the plans differ");
  });

  test(`what a container sees: ${name}`, both, () => {
    const c = ws.script(look, change);
    const seen = hostNames.map((host) => callHost(ws, host, ["run", ...flags(c)]));
    const [device, node] = seen.map((result) => ({ ...result, stdout: normalizeSight(result.stdout) }));
    assert.deepEqual(node, device);
    assert.match(device!.stdout, /== end\n$/);
  });
}

/** The plan's memory of a created container's init, which waits for its start: a mapping of a memfd. */
function readPlanOf(pid: number): Buffer {
  const line = readFileSync(`/proc/${pid}/maps`, "utf8")
    .split("\n")
    .find((one) => one.includes("/memfd:edgerun-plan"));
  assert.ok(line !== undefined, `no plan in the mappings of ${pid}`);
  const range = line.slice(0, line.indexOf(" "));
  return readFileSync(
    `/proc/${pid}/map_files/${range
      .split("-")
      .map((half) => half.replace(/^0+(?=.)/, ""))
      .join("-")}`,
  );
}

/** All that the kernel tells a process about itself and its surroundings, and that does not change by itself. */
const look = `
  echo "== status"; grep -E '^(Umask|Uid|Gid|Groups|NSpid|Sig[PBIC]|Shd|Cap|NoNew|Seccomp|Speculation|Cpus_allowed_list)' /proc/self/status
  echo "== limits"; cat /proc/self/limits
  echo "== mounts"; cat /proc/self/mountinfo
  echo "== descriptors"; ls -l /proc/self/fd | sed 's/.* \\([0-9]* -> \\)/\\1/'
  echo "== environment"; env | sort
  echo "== other"; cat /proc/self/cgroup /proc/self/oom_score_adj /proc/self/timerslack_ns; hostname; pwd; id; echo $$
  cat /proc/self/personality; cat /proc/self/sessionid; tty; ls -la /dev; ls -l /dev/pts
  echo "== end"`;

/**
 * Ids of mounts (the first two fields), the anonymous devices of file systems (0:N) and peer groups (master:N) are
 * counted by the kernel; output goes to a new file each time; times of new files are those of now.
 */
function normalizeSight(text: string): string {
  return text
    .replace(/^\d+ \d+ 0:\d+ /gm, "ID PARENT 0:N ")
    .replace(/^\d+ \d+ (\d+:\d+) /gm, "ID PARENT $1 ")
    .replace(/(master|shared):\d+/g, "$1:N")
    .replace(/^([12]) -> .*$/gm, "$1 -> FILE")
    .replace(/-> \/proc\/\d+\/fd/g, "-> /proc/PID/fd")
    .replace(/[A-Z][a-z]{2} +\d+ \d\d:\d\d(?= )/g, "TIME");
}

test("limits that the config does not set are those of the caller", both, () => {
  // Not the soft limit of open files: Node raises its own to the hard limit when it starts.
  const c = ws.script("ulimit -Hn; ulimit -Sc; ulimit -Sp; ulimit -Ss", (config) => {
    config.process.rlimits = [];
  });
  same(["run", ...flags(c)]);
});

/** Config texts that are wrong, each in its own way. */
function badConfigs(): [name: string, text: string][] {
  const broken = (change: (config: Record<string, unknown> & Config) => void): string => {
    const config = JSON.parse(JSON.stringify(defaultConfig("edgerun", ws.rootfs)));
    change(config);
    return JSON.stringify(config);
  };
  const good = broken(() => undefined);
  return [
    ["empty", ""],
    ["half", good.slice(0, good.length / 2)],
    ["not UTF-8", `${good.slice(0, -1)},"x":"\ud800"}`],
    ["a key twice", `{"ociVersion":"1.0.2",${good.slice(1)}`],
    ["a trailing comma", `${good.slice(0, -1)},}`],
    ["nested too deep", `{"x":${"[".repeat(200)}${"]".repeat(200)}}`],
    ["a number beyond 64 bits", good.replace('"hard":1024', '"hard":18446744073709551616')],
    ["a negative uid", good.replace('"uid":0', '"uid":-1')],
    ["a fraction", good.replace('"uid":0', '"uid":0.5')],
    ["an exponent", good.replace('"hard":1024', '"hard":1e300')],
    ["another major version", good.replace('"ociVersion":"1.0.2"', '"ociVersion":"2.0.0"')],
    ["unknown properties", broken((config) => Object.assign(config, { "new\nthing": 1, __proto__x: 2 }))],
    ["a type", broken((config) => Object.assign(config, { mounts: "none" }))],
    ["no arguments", broken((config) => Object.assign(config.process, { args: [] }))],
    ["a relative cwd", broken((config) => Object.assign(config.process, { cwd: "tmp" }))],
    ["no root", broken((config) => Object.assign(config.root, { path: "/no/such/rootfs" }))],
    ["an unknown namespace", broken((config) => void config.linux.namespaces.push({ type: "galaxy" }))],
    ["a namespace twice", broken((config) => void config.linux.namespaces.push({ type: "pid" }))],
    [
      "an unknown capability",
      broken((config) => Object.assign(config.process.capabilities!, { bounding: ["CAP_FLY"] })),
    ],
    [
      "an unknown limit",
      broken((config) => Object.assign(config.process, { rlimits: [{ type: "RLIMIT_X", soft: 1, hard: 1 }] })),
    ],
    [
      "soft over hard",
      broken((config) => Object.assign(config.process, { rlimits: [{ type: "RLIMIT_CORE", soft: 2, hard: 1 }] })),
    ],
    [
      "a mount option",
      broken((config) => void config.mounts.push({ destination: "/x", type: "bind", source: "/", options: ["idmap"] })),
    ],
    ["an odd device", broken((config) => Object.assign(config.linux, { devices: [{ path: "/dev/x", type: "q" }] }))],
    ["a sysctl of the host", broken((config) => Object.assign(config.linux, { sysctl: { "kernel.panic": "1" } }))],
    [
      "a seccomp action",
      broken((config) => Object.assign(config.linux, { seccomp: { defaultAction: "SCMP_ACT_FLY" } })),
    ],
    ["a relative hook", broken((config) => Object.assign(config, { hooks: { poststop: [{ path: "bin/true" }] } }))],
    [
      "a host name without uts",
      broken((config) => {
        config.linux.namespaces = [{ type: "mount" }];
      }),
    ],
    ["a BOM", `\ufeff${good}`],
  ];
}

for (const [name, text] of badConfigs()) {
  test(`a bad config: ${name}`, both, () => {
    const c = ws.rawBundle(text);
    same(["plan", "--json", ...flags(c)]);
    const results = hostNames.map((host) => {
      const result = callHost(ws, host, ["create", ...flags(c)]);
      c.dispose(); // some are taken, with a warning
      return result;
    });
    compare(results, "create");
    ws.assertNothingLeft();
  });
}

test("configs that were changed at random", { ...both, timeout: 120_000 }, () => {
  const random = new Random(20);
  const configs = [...realConfigs(), JSON.parse(JSON.stringify(defaultConfig("edgerun", ws.rootfs))) as Json];
  let planned = 0;
  for (let count = 0; count < 80; count++) {
    const config = mutateJson(random, random.pick(configs), configs);
    if (typeof config === "object" && config !== null && !Array.isArray(config)) config.root = { path: ws.rootfs };
    const c = ws.rawBundle(printJson(config));
    if (same(["plan", random.once(2) ? "--json" : "--json=false", ...flags(c)]).status === 0) planned++;
    rmSync(c.directory, { recursive: true });
  }
  assert.ok(planned > 10, `only ${planned} of the configs could be planned`);
});

test("a life: create, state, list, start, exec, ps, pause, resume, kill, delete", both, () => {
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

test("ps prints the same table, process ids aside", both, () => {
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
  test(`run to the end: ${name}`, both, () => {
    const c = ws.script(script);
    same(["run", ...flags(c)]);
    ws.assertNothingLeft();
  });
}

test("run passes its stdin on, also a closed one", both, () => {
  const c = ws.script("cat; echo end");
  assert.equal(same(["run", ...flags(c)], { input: "line\nä\n" }).stdout, "line\nä\nend\n");
  same(["run", ...flags(c)], { stdin: "closed" });
});

test("run --keep leaves a stopped container; --pid-file holds the pid without a newline", both, () => {
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

test("a signal to a foreground run reaches the container", both, async () => {
  for (const host of hostNames) {
    const c = ws.script("trap 'echo caught; exit 9' TERM; echo ready; while :; do sleep 0.05; done");
    const running = launchHost(ws, host, ["run", ...flags(c)]);
    waitFor("the program", () => running.stdout().includes("ready"));
    process.kill(running.pid, "SIGTERM");
    assert.deepEqual(await running.end(), { status: 9, signal: null, stdout: "ready\ncaught\n", stderr: "" }, host);
  }
});

test("descriptors of the caller: preserved ones arrive, and no others", both, () => {
  const c = ws.script("cat <&3; ls /proc/self/fd; echo $LISTEN_FDS");
  const results = hostNames.map((host) => {
    const fd = openSync(ws.newFile("from the caller\n"), "r");
    try {
      return callHost(ws, host, ["run", "--preserve-fds", "1", ...flags(c)], { fds: [fd, fd] });
    } finally {
      closeSync(fd);
    }
  });
  assert.match(compare(results, "run").stdout, /^from the caller\n0\n1\n2\n3\n4\n\n$/);
});

test("hooks run in the same order, with the same state, environment and descriptors", both, () => {
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

test("hooks that fail or take too long", both, () => {
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

test("failures inside the container", both, () => {
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

test("a seccomp filter takes effect, compiled anew and from the cache", both, () => {
  const c = ws.script("chmod 600 /tmp/x; echo $?", (config) => {
    bundles.seccomp!(config);
    config.root.readonly = false;
  });
  writeFileSync(join(ws.rootfs, "tmp/x"), "");
  for (const order of [hostNames, [...hostNames].reverse()]) {
    for (const name of readdirSync(ws.stateRoot)) rmSync(join(ws.stateRoot, name), { recursive: true });
    compare(
      order.map((host) => callHost(ws, host, ["run", ...flags(c)])),
      "run",
    );
  }
});

test("one host takes over what the other began", both, () => {
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
  assert.ok(runtimeName === "edgerun" && existsSync(ws.stateRoot));
});
