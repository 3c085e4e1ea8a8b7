// SPDX-License-Identifier: Apache-2.0
// Faults of the machine and of whoever uses it: commands killed at any system call, system calls that fail, a state
// root that is full, read-only or not ours. What counts: a failed command leaves nothing, and a container is never
// weaker than its config.

import assert from "node:assert/strict";
import { chmodSync, chownSync, mkdirSync, readdirSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Change, setUserNamespace } from "./support/config.ts";
import type { Container } from "./support/container.ts";
import { needsStrace, type Point, recordCalls, runFailingAt, runKilledAt, spread } from "./support/fault.ts";
import { capabilityMask, parseMountinfo, statusFields } from "./support/inside.ts";
import { execute, type Result } from "./support/process.ts";
import { lacking, runtimePath } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const edgerunOnly = lacking({ runc: "tests edgerun's own calls", crun: "tests edgerun's own calls" });
const sweep = { ...needsStrace, ...edgerunOnly };

// --- killed at any system call

/** Kills the command at points of a spread; after each, a forced deletion must bring the host back. */
function sweepKills(wanted: number, prepare: () => Container, command: (c: Container) => string[]): void {
  // A command that waits asks again and again: the shortest of its runs has what every run has.
  const records = [1, 2, 3].map(() => {
    const sample = prepare();
    const calls = recordCalls(ws, command(sample), false);
    sample.dispose();
    return calls;
  });
  const points = records.sort((a, b) => a.length - b.length)[0]!;
  assert.ok(points.length > 20, `${points.length} system calls`);
  const chosen = spread(points, wanted);
  let killed = 0;
  for (const point of chosen) {
    const where = `${point.name} #${point.occurrence}`;
    const c = prepare();
    if (runKilledAt(ws, point, command(c)).signal === "SIGKILL") killed++;
    const result = c.call("delete", "--force", c.id);
    assert.equal(result.status, 0, `delete --force after a kill at ${where}: ${result.stderr}`);
    try {
      ws.assertHostUnchanged();
    } catch (error) {
      throw new Error(`killed at ${where}: ${(error as Error).message}`);
    }
  }
  assert.ok(killed > chosen.length * 0.3, `${killed} of ${chosen.length} were killed on their way`);
}

const sleeper = () => ws.script("sleep 1000");

test("create, killed at any system call, is undone by delete --force", sweep, () => {
  sweepKills(30, sleeper, (c) => ["create", "--bundle", c.directory, c.id]);
});

test("run, killed at any system call, is undone by delete --force", sweep, () => {
  sweepKills(20, sleeper, (c) => ["run", "--detach", "--bundle", c.directory, c.id]);
});

test("start, killed at any system call, leaves what delete --force removes", sweep, () => {
  sweepKills(
    12,
    () => ws.created(),
    (c) => ["start", c.id],
  );
});

test("delete, killed at any system call, can be repeated", sweep, () => {
  sweepKills(
    15,
    () => ws.running(),
    (c) => ["delete", "--force", c.id],
  );
});

// --- any system call fails

const errnos = ["ENOSPC", "ENOMEM", "EMFILE", "EIO", "EPERM", "EINTR"];
/** Every kernel has these. */
const hidden = ["/proc/cmdline", "/proc/interrupts", "/proc/version"];

/** One process that tells all there is to check, so that no call of the runtime's is taken for one of its children's. */
const tellAll: Change = (config) => {
  config.process.args = ["/bin/cat", "/proc/self/status", "/proc/self/mountinfo", ...hidden];
  config.process.user = { uid: 1000, gid: 1000, additionalGids: [10] };
  config.linux.maskedPaths = hidden;
  config.linux.readonlyPaths = ["/proc/sys", "/proc/irq"];
  config.linux.seccomp = {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["kexec_load"], action: "SCMP_ACT_ERRNO" }],
  };
};

/** The container must be what its config says. */
function assertWhole(output: string, where: string): void {
  const lines = output.split("\n");
  const isMount = (line: string) => / - \S+ \S+ \S+$/.test(line);
  const status = statusFields(lines.filter((line) => !isMount(line)).join("\n"));
  const held = {
    CapInh: [],
    CapPrm: [],
    CapEff: [],
    CapAmb: [],
    CapBnd: ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"],
  };
  for (const [set, names] of Object.entries(held)) {
    // A permitted set is given up at exec by a user that is not root.
    assert.equal(status[set], capabilityMask(names), `${where}: ${set}`);
  }
  assert.equal(status.Uid, "1000\t1000\t1000\t1000", `${where}: Uid`);
  assert.equal(status.Gid, "1000\t1000\t1000\t1000", `${where}: Gid`);
  assert.equal(status.Groups, "10", `${where}: Groups`);
  assert.equal(status.Seccomp, "2", `${where}: Seccomp`);
  const mounts = parseMountinfo(lines.filter(isMount).join("\n"));
  for (const target of ["/", "/proc/sys", "/proc/irq", "/sys", "/sys/fs/cgroup"]) {
    assert.ok(
      mounts.findLast((mount) => mount.target === target)?.options.includes("ro"),
      `${where}: ${target} is read-only`,
    );
  }
  for (const target of hidden)
    assert.ok(
      mounts.some((mount) => mount.target === target),
      `${where}: ${target} is masked`,
    );
}

function checkFailing(change: Change, point: Point, errno: string): void {
  const where = `${errno} at ${point.name} #${point.occurrence} ${point.inInit ? "of init" : "of edgerun"}`;
  const c = ws.bundle(change);
  let result: Result;
  try {
    result = runFailingAt(ws, point, errno, ["run", "--bundle", c.directory, c.id]);
  } catch (error) {
    throw new Error(`${where}: ${(error as Error).message}`);
  }
  if (result.status === 0) assertWhole(result.stdout, where);
  // A failure that hits the cleanup itself may leave what a forced deletion then removes.
  assert.equal(c.call("delete", "--force", c.id).status, 0, where);
}

const variants: [string, Change, number][] = [
  ["run", tellAll, 70],
  [
    "run in a user namespace",
    (config) => {
      tellAll(config);
      setUserNamespace(config, 200_000);
    },
    30,
  ],
  [
    "run without no_new_privs",
    (config) => {
      tellAll(config);
      config.process.noNewPrivileges = false;
    },
    20,
  ],
];
for (const [what, change, wanted] of variants) {
  test(`${what}, with any system call failing: it fails, or the container is whole`, sweep, () => {
    const c = ws.bundle(change);
    const good = c.run();
    assert.equal(good.status, 0, good.stderr);
    assertWhole(good.stdout, "without a fault");
    const points = recordCalls(ws, ["run", "--bundle", c.directory, c.id], true);
    assert.ok(points.length > 100, `${points.length} system calls`);
    for (const [index, point] of spread(points, wanted).entries()) {
      checkFailing(change, point, errnos[index % errnos.length]!);
    }
    ws.assertHostUnchanged();
  });
}

// --- the state root

/** Calls the runtime with another state root. */
function callAt(root: string, ...args: string[]): Result {
  return execute(runtimePath, ["--root", root, ...args]);
}

/** Runs the body with a tmpfs as state root. */
function withTmpfs(options: string, body: (root: string) => void): void {
  const root = ws.newDirectory();
  assert.equal(execute("mount", ["-t", "tmpfs", "-o", `mode=700,${options}`, "tmpfs", root]).status, 0);
  try {
    body(root);
  } finally {
    execute("umount", ["--lazy", root]);
  }
}

for (const options of [
  "nr_inodes=2",
  "nr_inodes=3",
  "nr_inodes=4",
  "nr_inodes=5",
  "nr_inodes=6",
  "size=4k",
  "size=8k",
  "size=12k",
]) {
  test(`a state root that is too small (${options}): create works, or leaves nothing`, edgerunOnly, () => {
    withTmpfs(options, (root) => {
      const c = sleeper();
      const result = callAt(root, "create", "--bundle", c.directory, c.id);
      if (result.status !== 0) {
        assert.match(result.stderr, /no space left|cannot allocate/i);
        assert.deepEqual(readdirSync(root), []);
      }
      assert.equal(callAt(root, "delete", "--force", c.id).status, 0);
      assert.deepEqual(readdirSync(root), []);
    });
    ws.assertHostUnchanged();
  });
}

test("a container is deleted though the state root is full", edgerunOnly, () => {
  withTmpfs("size=64k", (root) => {
    const c = sleeper();
    assert.equal(callAt(root, "create", "--bundle", c.directory, c.id).status, 0);
    assert.throws(() => writeFileSync(join(root, "ballast"), Buffer.alloc(1 << 20)), /ENOSPC/);
    assert.equal(callAt(root, "start", c.id).status, 0);
    assert.equal(callAt(root, "delete", "--force", c.id).status, 0);
    assert.deepEqual(readdirSync(root), ["ballast"]);
  });
  ws.assertHostUnchanged();
});

test("a read-only state root is refused", edgerunOnly, () => {
  withTmpfs("ro", (root) => {
    const c = sleeper();
    const result = callAt(root, "create", "--bundle", c.directory, c.id);
    assert.equal(result.status, 1);
    assert.match(result.stderr, /read-only file system/i);
  });
  ws.assertHostUnchanged();
});

const untrusted: Record<string, (root: string) => void> = {
  "is a link": (root) => symlinkSync(ws.newDirectory(), root),
  "is a file": (root) => writeFileSync(root, ""),
  "others can write to": (root) => {
    mkdirSync(root);
    chmodSync(root, 0o777);
  },
  "a group can write to": (root) => {
    mkdirSync(root);
    chmodSync(root, 0o770);
  },
  "belongs to another user": (root) => {
    mkdirSync(root, { mode: 0o700 });
    chownSync(root, 1000, 1000);
  },
};
for (const [what, make] of Object.entries(untrusted)) {
  test(`CVE-2015-1331: a state root that ${what} is refused`, edgerunOnly, () => {
    const root = ws.newFile();
    make(root);
    const c = sleeper();
    const result = callAt(root, "create", "--bundle", c.directory, c.id);
    assert.equal(result.status, 1);
    assert.match(result.stderr, /state root/);
    ws.assertHostUnchanged();
  });
}

// --- many at a time, and what init is

test(
  "of 64 creates of one id, at a time, exactly one wins",
  lacking({ runc: "has no lock", crun: "has no lock" }),
  async () => {
    const c = sleeper();
    const all = Array.from({ length: 64 }, () => ws.launchRuntime(["create", "--bundle", c.directory, c.id]));
    const results = await Promise.all(all.map((running) => running.end(60_000)));
    const losers = results.filter(({ status }) => status !== 0);
    assert.equal(losers.length, 63);
    for (const { stderr } of losers) assert.match(stderr, /already exists/);
    assert.equal(c.status(), "created");
  },
);

test("CVE-2019-5736: the first process of a created container runs from a sealed memfd", edgerunOnly, () => {
  const exe = `/proc/${ws.created().pid}/exe`;
  assert.match(readlinkSync(exe), /^\/memfd:edgerun-init/);
  // F_GET_SEALS; seal, shrink, grow and write are bits 0 to 3.
  const seals = execute("python3", [
    "-c",
    `import fcntl, os; print(fcntl.fcntl(os.open("${exe}", os.O_RDONLY), 1034) & 15)`,
  ]);
  assert.equal(seals.stdout.trim(), "15");
  assert.match(execute("sh", ["-c", `: >> ${exe}`]).stderr, /busy|not permitted/i);
});

// MUST be updated when init keeps another descriptor until `start`: each one is a handle that a container may get at.
test(
  "a created container's first process holds its stdio, the control socket and the start socket",
  edgerunOnly,
  () => {
    const directory = `/proc/${ws.created().pid}/fd`;
    const held = readdirSync(directory)
      .filter((fd) => Number(fd) > 2)
      .map((fd) => readlinkSync(join(directory, fd)).replace(/\d+/, "N"));
    assert.deepEqual(held, ["socket:[N]", "socket:[N]"]);
  },
);
