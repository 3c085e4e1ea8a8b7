// SPDX-License-Identifier: Apache-2.0
// main() with a host that records: what goes to stdout, stderr and the log, and the exit code.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as commands from "../../src/cli/rare_commands.ts";
import { EdgerunError } from "../../src/errors.ts";
import { makeHostError } from "../../src/host/error.ts";
import type { Host, Request } from "../../src/host/functions.ts";
import type { Context, Lifecycle } from "../../src/lifecycle/options.ts";
import { main } from "../../src/main.ts";

type Call = { command: string; context: Context; options: unknown };
type Outcome = {
  code: number;
  stdout: string;
  stderr: string;
  files: Record<string, string>;
  calls: Call[];
  output: Record<number, string>;
};

/** Runs main(); the lifecycle's commands return `result`, or throw it if it is not a number. */
function invoke(argv: string[], result: unknown = 0, request: Partial<Request> = {}): Outcome {
  const output = { 1: "", 2: "" } as Record<number, string>;
  const files: Record<string, string> = {};
  const calls: Call[] = [];
  const host = {
    writeFd(fd: number, text: string) {
      output[fd] += text;
    },
    clock: () => [1700000000, 0],
    // A kernel of before SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (5.19).
    supportsSeccompFlags: (flags: number) => ((flags & 0x20) === 0 ? 1 : 0),
    appendFile(path: string, text: string) {
      if (path.startsWith("/absent/")) throw makeHostError(`open "${path}": no such file`, "ENOENT");
      files[path] = (files[path] ?? "") + text;
    },
    sendDatagram(path: string, text: string) {
      files[path] = (files[path] ?? "") + text;
    },
    createFile(path: string, text: string) {
      if (path.startsWith("/full/")) throw makeHostError(`create "${path}": file exists`, "EEXIST");
      files[path] = text;
    },
  } as unknown as Host;
  const lifecycle = new Proxy({} as Lifecycle, {
    get: (_, command: string) => (context: Context, options: unknown) => {
      if (command === "isEnrolled") return true;
      calls.push({ command, context, options });
      if (typeof result !== "number") throw result;
      return result;
    },
  });
  const whole = { program: "/usr/bin/edgerun", argv, env: [], cwd: "/cwd", uid: 0, gid: 0, pid: 4321, ...request };
  const code = main(host, whole, { lifecycle, commands: () => commands });
  return { code, stdout: output[1]!, stderr: output[2]!, files, calls, output };
}

const missing = new EdgerunError("CONTAINER_NOT_FOUND", "container does not exist");

test("a failure is one line on stderr and exit code 1", () => {
  const { code, stdout, stderr } = invoke(["state", "x"], missing);
  assert.deepEqual({ code, stdout, stderr }, { code: 1, stdout: "", stderr: "edgerun: container does not exist\n" });
});

test("a failure is exactly one JSON object in the log", () => {
  const { stderr, files } = invoke(["--log", "log.json", "--log-format=json", "delete", "x"], missing);
  assert.equal(
    files["/cwd/log.json"],
    '{"level":"error","msg":"container does not exist","time":"2023-11-14T22:13:20Z"}\n',
  );
  assert.equal(stderr, "edgerun: container does not exist\n");
});

test("a log that can't be written is reported, and the exit code stays", () => {
  const { code, stderr } = invoke(["--log=/absent/log", "state", "x"], missing);
  assert.equal(code, 1);
  assert.equal(
    stderr,
    'edgerun: container does not exist\nedgerun: cannot write the log: open "/absent/log": no such file\n',
  );
});

test("exec's own failures have exit code 255, a wrong command line has 1", () => {
  const failed = invoke(["exec", "x", "ls"], missing);
  assert.deepEqual([failed.code, failed.stderr], [255, "edgerun: exec failed: container does not exist\n"]);
  assert.equal(invoke(["exec", "-u", "1e3", "x", "ls"]).code, 255);
  assert.equal(invoke(["exec"]).code, 1);
  assert.equal(invoke(["exec", "x", "false"], 7).code, 7);
});

test("a mistake in edgerun is an internal error with its stack on stderr only", () => {
  const { code, stderr, files } = invoke(["--log", "/log", "start", "x"], new TypeError("x is undefined"));
  assert.equal(code, 1);
  assert.match(stderr, /^edgerun: internal error: TypeError: x is undefined\nTypeError: x is undefined\n +at /);
  assert.equal(files["/log"]?.split("\n").length, 2);
  assert.equal(invoke(["start", "x"], null).stderr, "edgerun: internal error: null\n");
});

test("a wrong command line prints the help on stdout and the error on stderr", () => {
  const count = invoke(["create"]);
  assert.equal(count.code, 1);
  assert.ok(count.stdout.startsWith("Incorrect Usage.\n\nNAME:\n   edgerun create - "));
  assert.equal(count.stderr, 'edgerun: "create" requires exactly 1 argument(s)\n');
  const flag = invoke(["exec", "-p"]);
  assert.ok(flag.stdout.startsWith("Incorrect Usage: flag needs an argument: -p\n\nNAME:\n   edgerun exec - "));
  const global = invoke(["--bogus", "state", "x"]);
  assert.ok(global.stdout.startsWith("Incorrect Usage. flag provided but not defined: -bogus\n\nNAME:\n   edgerun - "));
  for (const argv of [
    ["bogus", "-h"],
    ["help", "bogus"],
  ]) {
    const { code, stderr } = invoke(argv);
    assert.deepEqual([code, stderr], [3, "edgerun: No help topic for 'bogus'\n"]);
  }
});

test("help is on stdout, by every way to ask for it", () => {
  for (const argv of [[], ["-h"], ["--help", "state"], ["help"], ["h"]]) {
    const { code, stdout } = invoke(argv);
    assert.equal(code, 0);
    assert.match(
      stdout,
      /^NAME:\n {3}edgerun - .*\n\nUSAGE:\n[\s\S]*\nCOMMANDS:\n[\s\S]*\nGLOBAL OPTIONS:\n[\s\S]*--help, -h +show help\n$/,
    );
  }
  const create = invoke(["create", "--help"]).stdout;
  assert.match(
    create,
    /^NAME:\n {3}edgerun create - create a container\n\nUSAGE:\n {3}edgerun create \[command options\] <container-id>\n/,
  );
  assert.match(create, /\n {3}--bundle value, -b value {2}the bundle's directory/);
  assert.equal(invoke(["help", "create"]).stdout, create);
  assert.equal(invoke(["create", "x", "-h"]).stdout, create);
  assert.equal(invoke(["exec", "x", "--help"]).calls[0]?.command, "exec");
});

test("podman and CRI-O find checkpoint and restore, of pods as well", () => {
  assert.equal(invoke(["checkpoint", "--help"]).code, 0);
  const probe = invoke(["restore", "--lsm-mount-context"]);
  assert.equal(probe.code, 1);
  assert.match(probe.stderr, /flag needs an argument: -lsm-mount-context/);
});

test("--version has the lines that docker looks for", () => {
  for (const flag of ["--version", "-v"])
    assert.match(invoke([flag]).stdout, /^edgerun version \S+\n(commit: .*\n)?spec: 1\.3\.0\n/);
});

test("owner is refused on the device", () => {
  assert.match(invoke(["owner", "sign", "--key", "k"]).stderr, /^edgerun: the owner's commands need Node\.js/);
});

test("the state root depends on the user", () => {
  const root = (argv: string[], request: Partial<Request> = {}) =>
    invoke([...argv, "state", "x"], 0, request).calls[0]?.context.root;
  assert.equal(root([]), "/run/edgerun/containers");
  assert.equal(root(["--root", "r/"]), "/cwd/r");
  assert.equal(root([], { uid: 7, env: ["XDG_RUNTIME_DIR=/run/user/7"] }), "/run/user/7/edgerun/containers");
  assert.equal(root([], { uid: 7, env: ["XDG_RUNTIME_DIR="] }), "/run/edgerun/containers");
  assert.match(invoke(["--root", "/", "state", "x"]).stderr, /should not be set to \/\n$/);
  assert.equal(invoke(["--log-format", "xml", "state", "x"]).stderr, "edgerun: invalid log-format: xml\n");
});

test("create gets its options as containerd and conmon pass them", () => {
  const { calls } = invoke(
    "--root /r --log /l --log-format json --systemd-cgroup create --bundle B --pid-file B/init.pid --no-pivot --manifest m.jws web".split(
      " ",
    ),
  );
  assert.equal(calls[0]?.context.cgroupManager, "systemd");
  assert.deepEqual(calls[0]?.options, {
    id: "web",
    bundle: "/cwd/B",
    config: undefined,
    manifest: "/cwd/m.jws",
    consoleSocket: undefined,
    pidfdSocket: undefined,
    pidFile: "/cwd/B/init.pid",
    noPivot: true,
    noNewKeyring: false,
    preserveFds: 0,
  });
});

test("--config is another file than the bundle's config.json, from the working directory", () => {
  const config = (line: string) => (invoke(line.split(" ")).calls[0]!.options as { config: unknown }).config;
  for (const command of ["create", "run", "plan"]) {
    assert.equal(config(`${command} --config other.json x`), "/cwd/other.json");
    assert.equal(config(`${command} -b /b -f /a/b.json x`), "/a/b.json");
    assert.equal(config(`${command} -b /b --config config.json x`), undefined);
  }
});

test("run gets its options, also behind the id and with one dash", () => {
  const { calls } = invoke("run web -no-subreaper --detach --preserve-fds 2 -b /b".split(" "), 0);
  assert.deepEqual(calls[0]?.options, {
    id: "web",
    bundle: "/b",
    config: undefined,
    manifest: undefined,
    consoleSocket: undefined,
    pidfdSocket: undefined,
    pidFile: undefined,
    noPivot: false,
    noNewKeyring: false,
    preserveFds: 2,
    detach: true,
    keep: false,
    noSubreaper: true,
  });
});

test("exec gets its options, and the command's flags stay the command's", () => {
  const argv =
    "exec -e A=1 --env B=2 -t -u 5:6 -g 7 -g 8 --cap CAP_KILL --cgroup cpu:/x --cwd /d web ls -l --tty=false";
  const options = invoke(argv.split(" ")).calls[0]?.options;
  assert.deepEqual(options, {
    id: "web",
    args: ["ls", "-l", "--tty=false"],
    process: undefined,
    cwd: "/d",
    env: ["A=1", "B=2"],
    tty: true,
    user: { uid: 5, gid: 6 },
    additionalGids: [7, 8],
    processLabel: undefined,
    apparmor: undefined,
    noNewPrivs: undefined,
    caps: ["CAP_KILL"],
    consoleSocket: undefined,
    pidfdSocket: undefined,
    pidFile: undefined,
    detach: false,
    preserveFds: 0,
    cgroups: ["cpu:/x"],
    ignorePaused: false,
  });
});

const optionsOf: [line: string, options: unknown][] = [
  ["start x", "x"],
  ["pause x", "x"],
  ["resume x", "x"],
  ["kill x", { id: "x", signal: 15, all: false }],
  ["kill --all x 9", { id: "x", signal: 9, all: true }],
  ["kill -a x KILL", { id: "x", signal: 9, all: true }],
  ["delete x", { id: "x", force: false }],
  ["delete --force x", { id: "x", force: true }],
  ["delete x -f -r", { pattern: "x", force: true }],
  ["delete --regex ^a(b|c)", { pattern: "^a(b|c)", force: false }],
  ["kill --regex a.* KILL", { pattern: "a.*", signal: 9, all: false }],
  ["kill -r -a ^a", { pattern: "^a", signal: 15, all: true }],
  ["delete x -f", { id: "x", force: true }],
  ["list", { format: "table", quiet: false }],
  ["list -q --format=json", { format: "json", quiet: true }],
  ["ps --format json x", { id: "x", format: "json", args: [] }],
  ["ps x -e -o pid", { id: "x", format: "table", args: ["-e", "-o", "pid"] }],
  [
    "update x --memory 1k --cpu-quota=-1 --pids-limit -1 --resources f --l3-cache-schema L3:0=1",
    {
      id: "x",
      changes: { memory: { limit: 1024n }, cpu: { quota: -1n, cpus: "", mems: "" }, pids: { limit: -1n } },
      resources: "/cwd/f",
      l3CacheSchema: "L3:0=1",
      memBwSchema: "",
    },
  ],
  ["events x", { id: "x", intervalMs: 5000, stats: false }],
  ["events --stats x --interval 1m", { id: "x", intervalMs: 60_000, stats: true }],
  ["plan", { id: undefined, bundle: "/cwd", config: undefined, manifest: undefined, json: false }],
  ["plan --json x --bundle b", { id: "x", bundle: "/cwd/b", config: undefined, manifest: undefined, json: true }],
];
for (const [line, options] of optionsOf) {
  test(`"${line}" gets its options`, () => {
    const { calls } = invoke(line.split(" "));
    const matching = / (-r|--regex)( |$)/.test(line) ? "Matching" : "";
    assert.deepEqual([calls[0]?.command, calls[0]?.options], [`${line.split(" ")[0]}${matching}`, options]);
  });
}

test("a bad id, signal or format reaches no lifecycle", () => {
  for (const line of ["start a/b", "kill x FOO", "kill x 9 -a", "list -f xml", "create ..", "plan ."]) {
    const { code, calls, stderr } = invoke(line.split(" "));
    assert.deepEqual([code, calls.length], [1, 0], line);
    assert.notEqual(stderr, "", line);
  }
});

test("warnings are on stderr without --log, in the log with --debug, else nowhere", () => {
  const warn = (argv: string[]) => {
    const outcome = invoke([...argv, "start", "x"]);
    outcome.calls[0]!.context.log.warn("careful");
    return [outcome.output[2], outcome.files["/log"]];
  };
  assert.deepEqual(warn([]), ["edgerun: warning: careful\n", undefined]);
  assert.deepEqual(warn(["--log", "/log"]), ["", undefined]);
  assert.deepEqual(warn(["--log", "/log", "--debug"]), ["", 'time="2023-11-14T22:13:20Z" level=warning msg=careful\n']);
});

test("--log-level says which messages are written", () => {
  const say = (argv: string[]) => {
    const { calls, output, files } = invoke([...argv, "start", "x"]);
    const { log } = calls[0]!.context;
    for (const level of ["debug", "warn", "error"] as const) log[level](level);
    return [output[2]!.split("\n").length - 1, (files["/log"] ?? "").split("\n").length - 1];
  };
  assert.deepEqual(say(["--log-level", "error"]), [1, 0]);
  assert.deepEqual(say(["--log-level=warning"]), [2, 0]);
  assert.deepEqual(say(["--log-level=debug"]), [3, 0]);
  assert.deepEqual(say(["--log=/log", "--log-level=error"]), [1, 1]);
  assert.deepEqual(say(["--log=/log", "--log-level=warning"]), [1, 2]);
  assert.deepEqual(say(["--log=/log", "--log-level=error", "--debug"]), [1, 3]);
  assert.equal(invoke(["--log-level=info", "start", "x"]).stderr, "edgerun: invalid log-level: info\n");
});

test("--log names a file, the journal or syslog", () => {
  const failWith = (log: string) => invoke(["--log", log, "state", "x"], new EdgerunError("HOST", "bad\nFAKE=1")).files;
  const line = 'time="2023-11-14T22:13:20Z" level=error msg="bad\\nFAKE=1"\n';
  assert.deepEqual(failWith("file:/log"), { "/log": line });
  assert.deepEqual(failWith("file:log"), { "/cwd/log": line });
  assert.deepEqual(failWith("a:b"), { "/cwd/a:b": line });
  assert.deepEqual(failWith("journald:meter"), {
    "/run/systemd/journal/socket": "MESSAGE=bad?FAKE=1\nPRIORITY=3\nSYSLOG_IDENTIFIER=meter\n",
  });
  assert.deepEqual(failWith("syslog:meter"), { "/dev/log": "<27>meter: bad?FAKE=1" });
  assert.equal(
    invoke(["--log=syslog:", "list"]).stderr,
    'edgerun: invalid log: "syslog:" names nothing after syslog:\n',
  );
});

test("--cgroup-manager is more exact than --systemd-cgroup", () => {
  const manager = (argv: string[]) => invoke([...argv, "start", "x"]).calls[0]?.context.cgroupManager;
  assert.equal(manager([]), "cgroupfs");
  assert.equal(manager(["--systemd-cgroup"]), "systemd");
  for (const name of ["cgroupfs", "systemd", "disabled"]) {
    assert.equal(manager(["--cgroup-manager", name]), name);
    assert.equal(manager(["--systemd-cgroup", "--cgroup-manager", name]), name);
  }
  assert.equal(invoke(["--cgroup-manager=none", "start", "x"]).stderr, "edgerun: invalid cgroup-manager: none\n");
});

test("spec writes config.json, and never over one", () => {
  const { code, files } = invoke(["spec", "--bundle", "/b"]);
  assert.equal(code, 0);
  assert.equal(JSON.parse(files["/b/config.json"]!).process.args[0], "sh");
  assert.equal(invoke(["spec", "-b", "/full"]).stderr, "edgerun: File config.json exists. Remove it first\n");
  assert.ok(invoke(["spec", "--file", "other.json"]).files["/cwd/other.json"]);
  assert.ok(invoke(["spec", "-b", "/b", "-f", "/a/other.json"]).files["/a/other.json"]);
  assert.equal(invoke(["spec", "-f", "/full/x"]).stderr, "edgerun: File /full/x exists. Remove it first\n");
  const rootless = invoke(["spec", "--rootless"], 0, { uid: 1000, gid: 1001 }).files["/cwd/config.json"]!;
  assert.equal(JSON.parse(rootless).linux.uidMappings[0].hostID, 1000);
});

test("features is an OCI features document, and the only output", () => {
  const { code, stdout, stderr } = invoke(["features"]);
  assert.deepEqual([code, stderr], [0, ""]);
  const features = JSON.parse(stdout);
  assert.equal(features.ociVersionMin, "1.0.0");
  assert.equal(features.annotations["org.opencontainers.runc.checkpoint.enabled"], "true");
  assert.ok(features.potentiallyUnsafeConfigAnnotations.includes("org.criu.config"));
  assert.equal(features.ociVersionMax, "1.3.0");
  assert.deepEqual(features.linux.namespaces, ["cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts"]);
  assert.equal(features.linux.capabilities.length, 41);
  assert.ok(features.mountOptions.includes("rro"));
  const { actions, knownFlags, supportedFlags } = features.linux.seccomp;
  assert.ok(actions.includes("SCMP_ACT_NOTIFY"));
  const isOfNewKernels = (flag: string) => flag === "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV";
  assert.ok(knownFlags.some(isOfNewKernels));
  assert.deepEqual(
    supportedFlags,
    knownFlags.filter((flag: string) => !isOfNewKernels(flag)),
  );
  assert.deepEqual(features.linux.cgroup, { v1: true, v2: true, systemd: false, systemdUser: false, rdma: true });
  assert.equal(features.linux.mountExtensions.idmap.enabled, true);
  assert.equal(features.linux.netDevices.enabled, true);
  assert.deepEqual(features.linux.intelRdt, { enabled: true, schemata: true, monitoring: true });
  for (const option of ["tmpcopyup", "idmap", "ridmap", "iversion", "silent", "rnosymfollow"]) {
    assert.ok(features.mountOptions.includes(option), option);
  }
  assert.deepEqual(features.linux.memoryPolicy, {
    modes: [
      "MPOL_BIND",
      "MPOL_DEFAULT",
      "MPOL_INTERLEAVE",
      "MPOL_LOCAL",
      "MPOL_PREFERRED",
      "MPOL_PREFERRED_MANY",
      "MPOL_WEIGHTED_INTERLEAVE",
    ],
    flags: ["MPOL_F_NUMA_BALANCING", "MPOL_F_RELATIVE_NODES", "MPOL_F_STATIC_NODES"],
  });
  assert.equal(features.annotations["dev.edgerun.enrolled"], "true");
});
