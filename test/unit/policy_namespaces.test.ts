// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Linux, Namespace, NamespaceType } from "../../src/spec/config.ts";
import { apply, decisionsOn, denials, exampleView, specWith } from "./policy_fixture.ts";

const all: NamespaceType[] = ["pid", "network", "mount", "ipc", "uts", "cgroup"];

/** Own namespaces, except for the ones given: null is missing, a text is joined. */
function withNamespaces(changes: { [type in NamespaceType]?: string | null }, linux: Linux = {}) {
  const namespaces: Namespace[] = all.filter((type) => !(type in changes)).map((type) => ({ type }));
  for (const [type, path] of Object.entries(changes)) {
    if (path !== null) namespaces.push({ type: type as NamespaceType, path });
  }
  return specWith({}, { ...linux, namespaces });
}

test("namespaces of the host, or of others, are denied", () => {
  assert.deepEqual(denials(apply(withNamespaces({})).decisions), []);
  for (const type of ["pid", "mount", "ipc", "uts"] as const) {
    const missing = apply(withNamespaces({ [type]: null }));
    assert.deepEqual(decisionsOn(missing.decisions, `namespace ${type}`), [
      "denied: host -> new (base: own namespaces)",
    ]);
  }
  for (const type of ["pid", "mount", "ipc", "uts", "user", "cgroup", "time"] as const) {
    const joined = apply(withNamespaces({ [type]: "/proc/77/ns/x" }));
    assert.deepEqual(decisionsOn(joined.decisions, `namespace ${type}`), [
      "denied: joined /proc/77/ns/x -> new (base: own namespaces)",
    ]);
  }
});

test("user and time namespaces may be new or absent; a cgroup namespace is made where there is none", () => {
  const namespaces: Namespace[] = [...all, "user" as const, "time" as const].map((type) => ({ type }));
  assert.deepEqual(denials(apply(specWith({}, { namespaces })).decisions), []);
  const { linux, decisions } = apply(withNamespaces({ cgroup: null }));
  assert.ok(linux.namespaces?.some((one) => one.type === "cgroup" && one.path === undefined));
  assert.deepEqual(decisionsOn(decisions, "namespace cgroup"), ["clamped: host -> new (base: own namespaces)"]);
  const twice = [...(withNamespaces({}).linux?.namespaces ?? []), { type: "pid" as const, path: "/proc/1/ns/pid" }];
  assert.deepEqual(denials(apply(specWith({}, { namespaces: twice })).decisions), ["namespace pid"]);
});

test("network: each mode grants what it says and what is less, and nothing else", () => {
  const path = "/run/netns/app";
  const requests = {
    new: withNamespaces({}),
    host: withNamespaces({ network: null }),
    joined: withNamespaces({ network: path }),
    other: withNamespaces({ network: "/run/netns/other" }),
  };
  const allowed = (network?: { mode: "none" | "host" | "namespace"; path?: string }): string[] =>
    Object.entries(requests)
      .filter(([, spec]) => denials(apply(spec, network === undefined ? {} : { network }).decisions).length === 0)
      .map(([name]) => name);
  assert.deepEqual(allowed(), ["new"]);
  assert.deepEqual(allowed({ mode: "none" }), ["new"]);
  assert.deepEqual(allowed({ mode: "host" }), ["new", "host"]);
  assert.deepEqual(allowed({ mode: "namespace" }), ["new", "joined", "other"]);
  assert.deepEqual(allowed({ mode: "namespace", path }), ["new", "joined"]);
  assert.deepEqual(decisionsOn(apply(requests.joined).decisions, "namespace network"), [
    `denied: joined ${path} -> new (grants.network)`,
  ]);
});

test("the host's network under another name is the host's network", () => {
  const view = { ...exampleView, hostNamespaces: ["network" as const] };
  const sysctl = { "net.ipv4.ip_forward": "1" };
  const spec = withNamespaces({ network: "/proc/4321/ns/net" }, { sysctl });
  const joined = apply(spec, { network: { mode: "namespace" } }, view);
  assert.deepEqual(denials(joined.decisions), ["namespace network", "sysctl net.ipv4.ip_forward"]);
  const host = apply(spec, { network: { mode: "host" } }, view);
  assert.deepEqual(denials(host.decisions), ["sysctl net.ipv4.ip_forward"]);
  const slashes = withNamespaces({ network: "/proc/4321/ns/net" }, { sysctl: { "net/ipv4/ip_forward": "1" } });
  assert.deepEqual(denials(apply(slashes, { network: { mode: "host" } }, view).decisions), [
    "sysctl net/ipv4/ip_forward",
  ]);
  assert.deepEqual(denials(apply(withNamespaces({}, { sysctl })).decisions), []);
});

test("moved interfaces are denied", () => {
  const spec = specWith({}, { netDevices: { eth0: {} } });
  const { decisions, linux } = apply(spec, { network: { mode: "host" } });
  assert.deepEqual(denials(decisions), ["interface eth0"]);
  assert.equal(linux.netDevices, undefined);
});
