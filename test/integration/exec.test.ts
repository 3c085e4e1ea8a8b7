// SPDX-License-Identifier: Apache-2.0
// exec: another program in a running container. One container serves the tests that don't change it.

import assert from "node:assert/strict";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmdirSync } from "node:fs";
import { before, test } from "node:test";
import { isVersion1 } from "./support/cgroup.ts";
import { statusFields } from "./support/inside.ts";
import { waitFor } from "./support/process.ts";
import { expected, lacking } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const c = ws.keep(
  ws.script("while :; do sleep 1000; done", (config) => {
    config.process.env = ["PATH=/bin", "SITE=7"];
    config.process.cwd = "/var";
  }),
);
before(() => c.succeed("run", "--detach", "--bundle", c.directory, c.id));

/** A process.json: the container's own process, changed. */
function processFile(change: (process: Record<string, unknown>) => void): string {
  const { process } = JSON.parse(readFileSync(`${c.directory}/config.json`, "utf8"));
  change(process);
  return ws.newFile(JSON.stringify(process));
}

for (const code of [0, 1, 42, 126, 127, 254, 255]) {
  test(`exec exits with the program's code ${code}`, () => {
    assert.equal(c.exec(["sh", "-c", `exit ${code}`]).status, code);
  });
}

for (const [signal, number] of [
  ["HUP", 1],
  ["KILL", 9],
  ["TERM", 15],
] as const) {
  test(`exec exits with ${128 + number} when SIG${signal} ends the program`, () => {
    assert.equal(c.exec(["sh", "-c", `kill -${signal} $$; sleep 5`]).status, 128 + number);
  });
}

test("exec exits with 255 when the program is missing", () => {
  const result = c.exec(["no-such-program"]);
  assert.equal(result.status, 255);
  assert.match(result.stderr, /executable file .*not found in \$PATH/);
});

test("exec exits with 255 when the working directory is missing", () => {
  const result = c.exec(["true"], ["--cwd", "/no/such/directory"]);
  assert.equal(result.status, 255);
  assert.match(result.stderr, /no such file or directory/i);
});

test("exec in a stopped container is refused", () => {
  const stopped = ws.running();
  stopped.stop();
  const result = stopped.exec(["true"]);
  assert.equal(result.status, expected({ runc: 255, crun: 1, edgerun: 255 }));
  assert.match(
    result.stderr,
    expected({
      runc: /cannot exec in a stopped container/,
      crun: /is not running/,
      edgerun: /cannot exec in a stopped container/,
    }),
  );
});

test("exec works in a container that is created", () => {
  const created = ws.created();
  assert.equal(created.exec(["echo", "inside"]).stdout, "inside\n");
  assert.equal(created.status(), "created");
});

test("exec hands stdin, stdout and stderr on", () => {
  const result = c.exec(["sh", "-c", "cat; echo oops >&2"], [], { input: "reading\n" });
  assert.deepEqual([result.stdout, result.stderr, result.status], ["reading\n", "oops\n", 0]);
});

test("exec passes 4 MiB unchanged", () => {
  const input = Buffer.alloc(4 << 20, "fedcba9876543210");
  assert.equal(c.exec(["cat"], [], { input }).stdout, input.toString());
});

test("exec joins every namespace of the container", () => {
  for (const type of ["pid", "net", "ipc", "uts", "mnt", "user", "cgroup"]) {
    const path = `/proc/self/ns/${type}`;
    assert.equal(c.output(`readlink ${path}`), c.output(`readlink /proc/1/ns/${type}`), type);
  }
});

test("exec joins every cgroup of the container", () => {
  const lines = c.output("cat /proc/self/cgroup");
  assert.equal(lines, c.output("cat /proc/1/cgroup"));
});

test("exec starts with the environment of the container's process", () => {
  assert.equal(c.output("echo $SITE $PATH"), "7 /bin");
});

test("exec does not get the caller's environment", () => {
  assert.equal(c.exec(["env"], [], { env: { ...process.env, LEAKED: "1" } }).stdout.includes("LEAKED"), false);
});

test("--env adds and overrides", () => {
  assert.equal(c.output("echo $SITE $UNIT", ["--env", "SITE=8", "--env", "UNIT=kWh"]), "8 kWh");
});

test("exec starts in the container's working directory", lacking({ crun: "starts in /" }), () => {
  assert.equal(c.output("pwd"), "/var");
});

test("--cwd changes the working directory", () => {
  assert.equal(c.output("pwd", ["--cwd", "/etc"]), "/etc");
});

test("--user sets uid and gid", () => {
  assert.equal(c.output("id -u; id -g", ["--user", "1000:1001"]), "1000\n1001");
});

test("--additional-gids sets supplementary groups", lacking({ crun: "1.8 has no --additional-gids" }), () => {
  const groups = c.output("grep ^Groups: /proc/self/status", [
    "--user",
    "1000:1000",
    "--additional-gids",
    "5",
    "--additional-gids",
    "10",
  ]);
  assert.deepEqual(groups.split(/\s+/).slice(1).sort(), ["10", "5"]);
});

test("exec has no supplementary groups unless asked", () => {
  assert.equal(c.output("grep ^Groups: /proc/self/status", ["--user", "1000:1000"]).trim(), "Groups:");
});

test("exec has the capabilities of the container's process", () => {
  const own = statusFields(c.output("cat /proc/self/status"));
  const first = statusFields(c.output("cat /proc/1/status"));
  for (const set of ["CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb"]) assert.equal(own[set], first[set], set);
});

test("--cap adds a capability to the permitted and effective sets only", () => {
  const status = statusFields(c.output("cat /proc/self/status", ["--cap", "CAP_NET_RAW"]));
  const bit = 1n << 13n;
  assert.ok(BigInt(`0x${status.CapEff}`) & bit, "effective");
  assert.ok(BigInt(`0x${status.CapPrm}`) & bit, "permitted");
  assert.equal(BigInt(`0x${status.CapInh}`), 0n, "inheritable");
});

test("--no-new-privs sets no_new_privs", () => {
  assert.equal(statusFields(c.output("cat /proc/self/status", ["--no-new-privs"])).NoNewPrivs, "1");
});

test("--process takes everything from a file", () => {
  const file = processFile((process) => {
    Object.assign(process, { args: ["/bin/sh", "-c", "id -u; pwd; echo $A"], cwd: "/etc", env: ["A=b", "PATH=/bin"] });
    process.user = { uid: 12, gid: 34 };
  });
  const result = ws.runtime(["exec", "--process", file, c.id]);
  assert.equal(result.stdout, "12\n/etc\nb\n", result.stderr);
});

test("--process that is not JSON is refused", () => {
  const result = ws.runtime(["exec", "--process", ws.newFile("{"), c.id]);
  assert.equal(result.status, expected({ runc: 255, crun: 1, edgerun: 255 }));
});

test("--detach returns while the program runs, --pid-file names it", () => {
  const pidFile = ws.newFile();
  assert.equal(c.exec(["sleep", "1000"], ["--detach", "--pid-file", pidFile]).status, 0);
  const pid = readFileSync(pidFile, "utf8");
  assert.match(pid, /^\d+$/);
  assert.equal(readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0")[1], "1000");
  process.kill(Number(pid), "SIGKILL");
});

test("--detach --pid-file of a program that is missing writes no pid file", () => {
  const pidFile = ws.newFile();
  assert.notEqual(c.exec(["no-such-program"], ["--detach", "--pid-file", pidFile]).status, 0);
  assert.equal(existsSync(pidFile), false);
});

test("a program started by exec ends with the container", () => {
  const other = ws.running();
  const pidFile = ws.newFile();
  assert.equal(other.exec(["sleep", "1000"], ["--detach", "--pid-file", pidFile]).status, 0);
  other.stop();
  const pid = readFileSync(pidFile, "utf8");
  waitFor(
    "its end",
    () => !existsSync(`/proc/${pid}/exe`) || /\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, "utf8")),
  );
});

test("--preserve-fds hands descriptors on", () => {
  const fd = openSync(ws.newFile("third"), "r");
  try {
    const result = c.exec(["sh", "-c", "cat <&3"], ["--preserve-fds", "1"], { fds: [fd] });
    assert.deepEqual([result.status, result.stdout], [0, "third"], result.stderr);
  } finally {
    closeSync(fd);
  }
});

test("descriptors are not handed on otherwise", () => {
  const fd = openSync(ws.newFile("third"), "r");
  try {
    const result = c.exec(["ls", "-1", "/proc/self/fd"], [], { fds: [fd] });
    assert.deepEqual(result.stdout.trim().split("\n"), ["0", "1", "2", "3"]);
  } finally {
    closeSync(fd);
  }
});

test("flags after the id belong to the program", () => {
  assert.equal(c.exec(["echo", "--cwd", "/etc", "-t"]).stdout, "--cwd /etc -t\n");
});

test("exec of two programs at a time keeps them apart", async () => {
  const both = ["a", "b"].map((name) => ws.launchRuntime(["exec", c.id, "sh", "-c", `sleep 0.1; echo ${name}`]));
  const results = await Promise.all(both.map((running) => running.end()));
  assert.deepEqual(
    results.map((result) => result.stdout),
    ["a\n", "b\n"],
  );
});

test("exec is bound by the container's resource limits", lacking({ crun: "keeps the caller's limits" }), () => {
  assert.equal(c.output("ulimit -n"), "1024");
});

const hierarchies = ["pids", "freezer"].map((name) => `/sys/fs/cgroup/${name}`);
const onV1 = hierarchies.every((path) => existsSync(`${path}/tasks`))
  ? {}
  : { skip: "no pids and freezer on cgroup v1" };

test("exec --cgroup joins a cgroup below the container's, in the hierarchies that are named", {
  ...onV1,
  ...lacking({ crun: "1.8 takes no controllers" }),
}, () => {
  const below = hierarchies.map((path) => `${path}/${c.id}/inner`);
  for (const path of below) mkdirSync(path);
  try {
    const cgroupOf = (...flags: string[]) => {
      const lines = c.output("cat /proc/self/cgroup", flags).split("\n");
      return ["pids", "freezer", "memory"].map(
        (name) => lines.find((line) => line.includes(`:${name}:`))!.split(":")[2],
      );
    };
    const own = `/${c.id}`;
    assert.deepEqual(cgroupOf(), [own, own, own]);
    assert.deepEqual(cgroupOf("--cgroup", "pids:inner"), [`${own}/inner`, own, own]);
    assert.deepEqual(cgroupOf("--cgroup", "freezer,pids:/inner"), [`${own}/inner`, `${own}/inner`, own]);
    assert.deepEqual(cgroupOf("--cgroup=pids:inner", "--cgroup=freezer:/"), [`${own}/inner`, own, own]);
    assert.deepEqual(cgroupOf("--cgroup", "/"), [own, own, own]);
  } finally {
    for (const path of below) rmdirSync(path);
  }
});

for (const [flags, message] of [
  [["--cgroup", "nothing"], /no such file or directory/],
  [["--cgroup", "pids:nothing"], isVersion1("pids") ? /no such file or directory/ : /unknown controller pids/],
  [["--cgroup", "../x"], /\.\.\/x is not a sub cgroup path/],
  [["--cgroup", "a:b:c"], /invalid --cgroup argument: a:b:c/],
  [["--cgroup", "x", "--cgroup", "y"], /invalid --cgroup argument: x \(missing <controller>: prefix\)/],
  [["--cgroup", "nothing:x"], /unknown controller nothing/],
] as const) {
  test(`exec ${flags.join(" ")} is refused`, lacking({ crun: "has other texts" }), () => {
    const result = c.exec(["true"], flags);
    assert.match(result.stderr, message);
    assert.equal(result.status, 255);
  });
}
