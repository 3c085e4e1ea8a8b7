// SPDX-License-Identifier: Apache-2.0
// process: where it runs, when, and where its memory lies: scheduler, ioPriority, execCPUAffinity, personality and
// linux.memoryPolicy. Read back from the kernel, on the host's side or inside.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Change } from "./support/config.ts";
import { statusFields } from "./support/inside.ts";
import { execute } from "./support/process.ts";
import { lacking, runtimePath } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const since11 = { runc: "1.1 has none" };
const since13 = { runc: "1.1 has none", crun: "1.8 has none" };
const process =
  (values: object): Change =>
  (config) => {
    Object.assign(config.process, values);
  };
const linux =
  (values: object): Change =>
  (config) => {
    Object.assign(config.linux, values);
  };

/** `chrt` of the host on the container's first process. */
function schedule(scheduler: object, change: Change = () => undefined): string {
  const c = ws.running((config) => {
    process({ scheduler })(config);
    change(config);
  });
  return execute("chrt", ["--pid", `${c.pid}`]).stdout;
}

for (const policy of ["SCHED_OTHER", "SCHED_BATCH", "SCHED_IDLE"]) {
  test(`${policy}`, lacking(since11), () => {
    assert.match(schedule({ policy }), new RegExp(`policy: ${policy}\n`));
  });
}

test("nice", lacking(since11), () => {
  assert.equal(
    ws.output("cut -d' ' -f19 /proc/self/stat", process({ scheduler: { policy: "SCHED_OTHER", nice: 7 } })),
    "7",
  );
  assert.equal(
    ws.output("cut -d' ' -f19 /proc/self/stat", process({ scheduler: { policy: "SCHED_OTHER", nice: -7 } })),
    "-7",
  );
});

/** Time for real-time processes, which a cgroup of version 1 has to be given. */
const realtime: Change = (config) => {
  config.linux.resources!.cpu = { realtimePeriod: 1_000_000, realtimeRuntime: 10_000 } as object;
};
const hasGroups = execute("test", ["-e", "/sys/fs/cgroup/cpu/cpu.rt_runtime_us"]).status === 0;

for (const policy of ["SCHED_FIFO", "SCHED_RR"]) {
  test(`${policy} with its priority, and not inherited by children`, lacking(since11), () => {
    const flags = ["SCHED_FLAG_RESET_ON_FORK"];
    const text = schedule({ policy, priority: 10, flags }, hasGroups ? realtime : undefined);
    assert.match(text, new RegExp(`policy: ${policy}\\|SCHED_RESET_ON_FORK\n`));
    assert.match(text, /priority: 10\n/);
  });
}

test("a policy that the kernel refuses ends the start", lacking(since11), () => {
  const c = ws.bundle(process({ scheduler: { policy: "SCHED_ISO" } }));
  assert.match(c.create().stderr, /set scheduler policy 4: invalid argument/i);
  ws.assertNothingLeft();
});

for (const [ioClass, priority, shown] of [
  ["IOPRIO_CLASS_BE", 6, "best-effort: prio 6"],
  ["IOPRIO_CLASS_RT", 2, "realtime: prio 2"],
  ["IOPRIO_CLASS_IDLE", 0, "idle"],
] as const) {
  test(`ioPriority ${ioClass}`, lacking(since11), () => {
    const c = ws.running(process({ ioPriority: { class: ioClass, priority } }));
    assert.equal(execute("ionice", ["-p", `${c.pid}`]).stdout.trim(), shown);
  });
}

test("personality", lacking({ runc: "1.1 has none" }), () => {
  assert.match(ws.output("uname -m", linux({ personality: { domain: "LINUX32" } })), /^i[3-6]86$|^armv/);
  assert.equal(
    ws.output("uname -m", linux({ personality: { domain: "LINUX" } })),
    execute("uname", ["-m"]).stdout.trim(),
  );
});

const memoryPolicy = (values: object) => ws.output("head -n 1 /proc/self/numa_maps", linux({ memoryPolicy: values }));

for (const [mode, nodes, flags, shown] of [
  ["MPOL_BIND", "0", [], "bind:0"],
  ["MPOL_BIND", "0", ["MPOL_F_STATIC_NODES"], "bind=static:0"],
  ["MPOL_BIND", "0", ["MPOL_F_RELATIVE_NODES"], "bind=relative:0"],
  ["MPOL_BIND", "0", ["MPOL_F_NUMA_BALANCING"], "bind=balancing:0"],
  ["MPOL_PREFERRED", "0", [], "prefer:0"],
  ["MPOL_INTERLEAVE", "0", [], "interleave:0"],
  ["MPOL_WEIGHTED_INTERLEAVE", "0", [], "weighted interleave:0"],
  ["MPOL_PREFERRED_MANY", "0", [], "prefer (many):0"],
  ["MPOL_LOCAL", "", [], "local"],
  ["MPOL_DEFAULT", "", [], "default"],
] as const) {
  test(`memory policy ${mode} ${flags.join()}`, lacking(since13), () => {
    assert.ok(memoryPolicy({ mode, nodes, flags }).includes(` ${shown}`), memoryPolicy({ mode, nodes, flags }));
  });
}

test("exec'd processes have the memory policy, too", lacking(since13), () => {
  const c = ws.running(linux({ memoryPolicy: { mode: "MPOL_BIND", nodes: "0" } }));
  assert.match(c.output("head -n 1 /proc/self/numa_maps"), / bind:0/);
});

test("a memory policy that the kernel refuses ends the start", lacking(since13), () => {
  for (const policy of [
    { mode: "MPOL_BIND" },
    { mode: "MPOL_BIND", nodes: "63" },
    { mode: "MPOL_LOCAL", nodes: "0" },
  ]) {
    const c = ws.bundle(linux({ memoryPolicy: policy }));
    c.fail(/linux\.memoryPolicy: .*invalid argument/i, ["create", "--bundle", c.directory, c.id]);
  }
  ws.assertNothingLeft();
});

const allowed = (text: string) => statusFields(text).Cpus_allowed_list;

test("execCPUAffinity final: the CPUs of exec'd processes, not of the container's own", lacking(since13), () => {
  const c = ws.running(process({ execCPUAffinity: { final: "1" } }));
  assert.equal(allowed(c.output("cat /proc/self/status")), "1");
  assert.notEqual(allowed(readFileSync(`/proc/${c.pid}/status`, "utf8")), "1");
});

test("execCPUAffinity initial: until the cgroups are joined", lacking(since13), () => {
  const c = ws.running(process({ execCPUAffinity: { initial: "1" } }));
  assert.equal(allowed(c.output("cat /proc/self/status")), allowed(readFileSync("/proc/self/status", "utf8")));
  const trace = ws.newFile();
  const exec = [runtimePath, ...ws.globalFlags, "exec", c.id, "true"];
  assert.equal(execute("strace", ["-f", "-e", "trace=sched_setaffinity", "-o", trace, ...exec]).status, 0);
  assert.match(
    readFileSync(trace, "utf8"),
    /sched_setaffinity\(0, \d+, \[1\]\) += 0\n.*sched_setaffinity\(0, \d+, \[0 1 /,
  );
});

test("the CPUs of a process.json count for it alone", lacking(since13), () => {
  const c = ws.running();
  const file = ws.newFile(
    JSON.stringify({
      user: { uid: 0, gid: 0 },
      cwd: "/",
      args: ["/bin/cat", "/proc/self/status"],
      execCPUAffinity: { initial: "0", final: "0" },
    }),
  );
  assert.equal(allowed(c.succeed("exec", "--process", file, c.id).stdout), "0");
});

test("CPUs that are not there are refused", lacking(since13), () => {
  const c = ws.running(process({ execCPUAffinity: { final: "4000" } }));
  c.fail(/process\.execCPUAffinity: set the CPU affinity: invalid argument/i, ["exec", c.id, "true"], 255);
});

const hasResctrl = execute("grep", ["-q", " - resctrl ", "/proc/self/mountinfo"]).status === 0;
const withoutResctrl = hasResctrl
  ? { skip: "this host has resctrl" }
  : lacking({ runc: "1.1 says less", crun: "says less" });

test("intelRdt without resctrl is refused by name, and nothing is left", withoutResctrl, () => {
  const c = ws.bundle(linux({ intelRdt: { closID: "gold" } }));
  c.fail(/\$\.linux\.intelRdt: this host has no resctrl/, ["create", "--bundle", c.directory, c.id]);
  ws.assertNothingLeft();
});
