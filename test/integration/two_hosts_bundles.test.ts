// SPDX-License-Identifier: Apache-2.0
// The device binary and Node start the same containers: the same plan, the same bytes for edgerun-init, and the same
// sight from inside, for bundles of all sorts.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type Change, setUserNamespace } from "./support/config.ts";
import type { Container } from "./support/container.ts";
import { callBoth, callHost, hostNames, twoHosts } from "./support/hosts.ts";
import type { Options, Result } from "./support/process.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const same = (args: readonly string[], options?: Options): Result => callBoth(ws, args, options);
const flags = (c: Container): string[] => ["--bundle", c.directory, c.id];

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
  test(`the plan of a bundle: ${name}`, twoHosts, () => {
    const c = ws.bundle(change);
    const text = same(["plan", ...flags(c)]);
    assert.equal(text.status, 0, text.stderr);
    assert.equal(same(["plan", "--json", ...flags(c)]).status, 0);
  });

  test(`the bytes that edgerun-init gets: ${name}`, twoHosts, () => {
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

  test(`what a container sees: ${name}`, twoHosts, () => {
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

test("limits that the config does not set are those of the caller", twoHosts, () => {
  // Not the soft limit of open files: Node raises its own to the hard limit when it starts.
  const c = ws.script("ulimit -Hn; ulimit -Sc; ulimit -Sp; ulimit -Ss", (config) => {
    config.process.rlimits = [];
  });
  same(["run", ...flags(c)]);
});
