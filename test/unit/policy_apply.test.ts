// SPDX-License-Identifier: Apache-2.0
// The policy as a whole: collected denials, the pod sandbox, determinism, and the table.
import assert from "node:assert/strict";
import { test } from "node:test";
import { sandboxManifest } from "../../src/manifest/sandbox.ts";
import { applyManifest } from "../../src/policy/apply.ts";
import { requireNoDenials } from "../../src/policy/decision.ts";
import { formatDecisions } from "../../src/policy/format.ts";
import { readHostView } from "../../src/policy/host_view.ts";
import { defaultSpec } from "../../src/spec/default.ts";
import { exampleManifest, failure, now } from "./manifest_fixture.ts";
import { nodeHost } from "./node_host.ts";
import { apply, decisionsOn, denials, exampleView, specWith } from "./policy_fixture.ts";

const greedy = specWith(
  {
    mounts: [{ destination: "/host", type: "bind", source: "/", options: ["rbind"] }],
    hooks: { prestart: [{ path: "/usr/bin/engine-hook" }] },
  },
  {
    devices: [{ path: "/dev/mem", type: "c", major: 1, minor: 1 }],
    namespaces: [{ type: "mount" }, { type: "ipc" }, { type: "uts" }, { type: "cgroup" }],
    maskedPaths: [],
    rootfsPropagation: "rshared",
  },
);

test("denials are collected, and one line names all of them", () => {
  const { decisions } = apply(greedy);
  const subjects = ["device /dev/mem", "namespace pid", "namespace network", "mount /host"];
  assert.deepEqual(denials(decisions), subjects);
  for (const subject of subjects) assert.throws(() => requireNoDenials(decisions), failure("DENIED", subject));
  const whole = "device /dev/mem (asked: c 1:1 node only; granted: nothing; rule: grants.devices)";
  assert.throws(() => requireNoDenials(decisions), failure("DENIED", whole));
  assert.doesNotThrow(() => requireNoDenials(apply(defaultSpec()).decisions));
});

test("control characters of a bundle reach neither the error nor the table", () => {
  const mount = { destination: "/a\n\x1b[2J", type: "bind", source: "/b\u009b", options: [] };
  const { decisions } = apply(specWith({ mounts: [mount] }));
  assert.throws(() => requireNoDenials(decisions), failure("DENIED", "/a\\u000a\\u001b[2J"));
  const table = formatDecisions(decisions);
  assert.ok(!table.includes("\x1b") && !table.includes("\u009b"));
});

test("masked and read-only paths of a container can't be left out; sharing of mounts with the host can't be had", () => {
  const { linux, decisions } = apply(greedy);
  assert.ok(linux.maskedPaths?.includes("/proc/kcore"));
  assert.ok(linux.readonlyPaths?.includes("/proc/sys"));
  assert.equal(linux.rootfsPropagation, undefined);
  assert.deepEqual(decisionsOn(decisions, "paths readonlyPaths"), []);
  assert.match(decisionsOn(decisions, "paths maskedPaths")[0] ?? "", /^clamped: 0 paths -> \d+ paths/);
  assert.equal(apply(specWith({}, { rootfsPropagation: "rslave" })).linux.rootfsPropagation, "rslave");
});

test("hooks are the engine's, and listed", () => {
  assert.deepEqual(decisionsOn(apply(greedy).decisions, "hook /usr/bin/engine-hook"), [
    "granted: prestart -> prestart (base: engine hooks)",
  ]);
});

test("the policy is pure: the same result twice, and the bundle's spec is not touched", () => {
  const before = structuredClone(greedy);
  assert.deepEqual(apply(greedy), apply(greedy));
  assert.deepEqual(greedy, before);
});

test("what the policy made passes it unchanged", () => {
  const { spec } = apply(defaultSpec(), { capabilities: ["CAP_KILL"], cpu: { quotaPercent: 50, cpus: "0" } });
  const again = apply(spec, { capabilities: ["CAP_KILL"], cpu: { quotaPercent: 50, cpus: "0" } });
  assert.deepEqual(again.spec, spec);
  assert.deepEqual(
    again.decisions.filter((decision) => decision.verdict !== "granted"),
    [],
  );
});

test("a pod sandbox enters the network that the engine made for the pod, and gets little else", () => {
  const namespaces = [
    { type: "pid" as const },
    { type: "ipc" as const },
    { type: "uts" as const },
    { type: "mount" as const },
    { type: "network" as const, path: "/run/netns/cni-1" },
  ];
  const spec = specWith({}, { namespaces });
  const sandbox = applyManifest(spec, sandboxManifest(), exampleView);
  assert.doesNotThrow(() => requireNoDenials(sandbox.decisions));
  assert.deepEqual(sandbox.spec.process.capabilities?.bounding, []);
  assert.equal(sandbox.spec.linux?.resources?.pids?.limit, 8n);
  const host = applyManifest(spec, sandboxManifest(), { ...exampleView, hostNamespaces: ["network"] });
  assert.deepEqual(denials(host.decisions), ["namespace network"]);
  assert.ok(denials(applyManifest(greedy, sandboxManifest(), exampleView).decisions).length >= 4);
});

test("the view of the host: numbers of granted devices, and which joined namespaces are the host's", () => {
  const devices = [
    { path: "/dev/null", access: "rw" },
    { path: "/dev/absent-device", access: "rw" },
    { path: "/dev", access: "r" },
  ];
  const spec = specWith(
    {},
    {
      namespaces: [
        { type: "network", path: `/proc/${process.pid}/ns/net` },
        { type: "uts", path: "/proc/self/ns/ipc" },
        { type: "ipc", path: "/proc/absent" },
        { type: "pid" },
      ],
    },
  );
  const view = readHostView(nodeHost(now), spec, { ...exampleManifest().grants, devices }, null);
  assert.deepEqual(view.devices, [{ path: "/dev/null", type: "c", major: 1, minor: 3 }]);
  assert.deepEqual(view.hostNamespaces, ["network"]);
});

test("the table: aligned, merged by kind, denials last, colours only on request", () => {
  const { decisions } = apply(specWith({ mounts: greedy.mounts ?? [] }));
  assert.equal(
    formatDecisions(decisions),
    `  VERDICT  WHAT                                 ASKED                                 GETS    RULE
+ granted  namespace network                    new                                   new     grants.network
~ clamped  memory limit                         no limit                              64 MiB  grants.memory.limitBytes
~ clamped  memory swap                          no limit                              none    base: no swap
~ clamped  cpu time                             no limit                              100 %   base: one CPU
~ clamped  pids limit                           no limit                              32      grants.pids.limit
~ clamped  namespace cgroup                     host                                  new     base: own namespaces
- dropped  capability CAP_AUDIT_WRITE CAP_KILL  bounding effective permitted ambient  -       grants.capabilities
                      CAP_NET_BIND_SERVICE
! denied   mount /host                          / rw                                  -       grants.mounts
1 granted, 5 clamped, 3 dropped, 1 denied
`,
  );
  assert.ok(formatDecisions(decisions, { colour: true }).includes("\x1b[1;31m! denied\x1b[0m   mount /host"));
  assert.ok(formatDecisions([]).endsWith("nothing to decide\n"));
});
