// SPDX-License-Identifier: Apache-2.0
// Netlink messages on a real kernel: what was asked for is read back by other people's programs (ip, nft), and packets
// between network namespaces do what the rules say.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { after, test } from "node:test";
import { EdgerunError } from "../../src/errors.ts";
import { makeHostError } from "../../src/host/error.ts";
import type { Host } from "../../src/host/functions.ts";
import {
  listObjects,
  listRuleCounts,
  listTables,
  NftablesBatch,
  type SetDefinition,
  type SetElement,
} from "../../src/netlink/nftables.ts";
import {
  accept,
  connectionState,
  counter,
  countIn,
  destinationNat,
  drop,
  type Expression,
  jump,
  log,
  masquerade,
  matchAddressSet,
  matchConnectionState,
  matchEndpointSet,
  matchIcmpType,
  matchInterface,
  matchPorts,
  matchPrefix,
  matchProtocol,
  matchVersion,
  overConnections,
  overQuota,
  overRate,
  protocolNumbers,
  reject,
  returnToCaller,
} from "../../src/netlink/nftables_expressions.ts";
import {
  AF_INET,
  AF_INET6,
  addAddress,
  addLink,
  addRoute,
  addVeth,
  deleteLink,
  exchangeRoute,
  findLinkIndex,
  listLinks,
  moveLink,
  setLinkUp,
} from "../../src/netlink/route.ts";
import { NetlinkWriter } from "../../src/netlink/writer.ts";
import { execute, waitFor } from "./support/process.ts";

const addon = resolve("build/node/edgerun.node");
const host = (createRequire(addon)(addon) as { createHost: (make: unknown) => Host }).createHost(makeHostError);

const namespaces: string[] = [];
after(() => {
  for (const name of namespaces) execute("ip", ["netns", "delete", name]);
});

/** A network namespace of this test's own: its path. */
function newNamespace(): string {
  const name = `ert-${process.pid}-${namespaces.length}`;
  ip("netns", "add", name);
  namespaces.push(name);
  return `/run/netns/${name}`;
}

function ip(...args: string[]): string {
  const result = execute("ip", args);
  assert.equal(result.status, 0, result.stderr);
  return result.stdout;
}

function inside(namespace: string, ...command: string[]): ReturnType<typeof execute> {
  return execute("ip", ["netns", "exec", namespace.slice("/run/netns/".length), ...command]);
}

function ruleset(namespace: string): string {
  const result = inside(namespace, "nft", "list", "ruleset");
  assert.equal(result.status, 0, result.stderr);
  return result.stdout;
}

function route(namespace: string, fill: (writer: NetlinkWriter) => void): void {
  const writer = new NetlinkWriter();
  fill(writer);
  exchangeRoute(host, namespace, writer);
}

const v4 = (...bytes: number[]) => new Uint8Array(bytes);
/** 2001:db8::LAST */
const v6 = (last: number) => new Uint8Array([0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);

/** Two namespaces with a link between them: 192.0.2.1 and .2, 2001:db8::1 and ::2. */
function newPair(): [string, string] {
  const [left, right] = [newNamespace(), newNamespace()];
  const holder = execute("ip", [
    "netns",
    "exec",
    right.slice("/run/netns/".length),
    "sh",
    "-c",
    "sleep 20 >&- 2>&- & echo $!",
  ]);
  const pid = Number(holder.stdout);
  route(left, (writer) => addVeth(writer, { name: "left0", mtu: 1400 }, { name: "right0", namespacePid: pid }));
  process.kill(pid);
  for (const [namespace, name, last] of [
    [left, "left0", 1],
    [right, "right0", 2],
  ] as const) {
    const index = findLinkIndex(host, namespace, name)!;
    route(namespace, (writer) => {
      addAddress(writer, index, v4(192, 0, 2, last), 24);
      addAddress(writer, index, v6(last), 64);
      setLinkUp(writer, index, true);
      setLinkUp(writer, 1, true);
    });
  }
  return [left, right];
}

const ping = (from: string, to: string) => inside(from, "ping", "-c", "1", "-W", "1", to).status === 0;

test("links, addresses and routes are what ip(8) says they are", () => {
  const [left, right] = newPair();
  const index = findLinkIndex(host, left, "left0")!;
  route(left, (writer) => {
    const gateway = { gateway: v4(192, 0, 2, 2), interfaceIndex: index };
    addRoute(writer, { family: AF_INET, destination: new Uint8Array(), prefixLength: 0, ...gateway });
    addRoute(writer, { family: AF_INET, destination: v4(198, 51, 100, 0), prefixLength: 24, interfaceIndex: index });
    addRoute(writer, { family: AF_INET6, destination: v6(0), prefixLength: 32, gateway: v6(2), interfaceIndex: index });
  });
  const routes = inside(left, "ip", "route").stdout;
  assert.match(routes, /^default via 192\.0\.2\.2 dev left0 proto static/m);
  assert.match(routes, /^198\.51\.100\.0\/24 dev left0 proto static scope link/m);
  assert.match(inside(left, "ip", "-6", "route").stdout, /^2001:db8::\/32 via 2001:db8::2 dev left0 proto static/m);
  const links = listLinks(host, left);
  assert.deepEqual(
    links.map(({ name, isUp }) => [name, isUp]),
    [
      ["lo", true],
      ["left0", true],
    ],
  );
  assert.equal(links[1]!.mtu, 1400);
  assert.ok(ping(left, "192.0.2.2"));
  waitFor("the link to carry IPv6", () => ping(left, "2001:db8::2"));
  route(right, (writer) => deleteLink(writer, "right0"));
  assert.equal(findLinkIndex(host, left, "left0"), undefined);
});

test("an interface moves to another namespace under another name", () => {
  const [from, to] = [newNamespace(), newNamespace()];
  route(from, (writer) => addLink(writer, "bridge", "lan0"));
  const holder = execute("ip", [
    "netns",
    "exec",
    to.slice("/run/netns/".length),
    "sh",
    "-c",
    "sleep 20 >&- 2>&- & echo $!",
  ]);
  route(from, (writer) => addVeth(writer, { name: "meter0" }, { name: "peer0" }));
  route(from, (writer) =>
    moveLink(writer, findLinkIndex(host, from, "meter0")!, "eth0", { pid: Number(holder.stdout) }),
  );
  process.kill(Number(holder.stdout));
  assert.deepEqual(
    listLinks(host, from).map(({ name }) => name),
    ["lo", "lan0", "peer0"],
  );
  assert.ok(findLinkIndex(host, to, "eth0") !== undefined);
});

test("what the kernel refuses names the step, and why", () => {
  const namespace = newNamespace();
  const isRefusal = (step: RegExp, errno: string) => (error: unknown) =>
    error instanceof EdgerunError && error.code === "HOST" && error.errno === errno && step.test(error.message);
  assert.throws(
    () => route(namespace, (w) => addVeth(w, { name: "lo" }, { name: "x0" })),
    isRefusal(/make interface "lo"/, "EEXIST"),
  );
  assert.throws(() => route(namespace, (w) => deleteLink(w, "none0")), isRefusal(/delete interface "none0"/, "ENODEV"));
  assert.throws(
    () => route("/run/netns/absent", () => {}),
    isRefusal(/network namespace "\/run\/netns\/absent"/, "ENOENT"),
  );
  assert.throws(() => route("/proc/self/ns/ipc", () => {}), isRefusal(/network namespace/, "EINVAL"));
});

const endpoints4: SetDefinition = {
  name: "endpoints4",
  fields: ["ipv4_addr", "inet_proto", "inet_service"],
  isInterval: true,
  hasTimeout: false,
};

/** A key of endpoints4. */
function endpoint(address: Uint8Array, protocol: number, port: number): Uint8Array {
  return new Uint8Array([...address, protocol, 0, 0, 0, port >> 8, port & 0xff, 0, 0]);
}

test("every kind of rule is what nft(8) says it is", () => {
  const namespace = newNamespace();
  const batch = new NftablesBatch("edgerun-meter");
  batch.addTable("for meter");
  batch.addChain("output", { type: "filter", hook: "output", priority: 0, policy: "drop" });
  batch.addChain("input", { type: "filter", hook: "input", priority: -5, policy: "accept" });
  batch.addChain("source", { type: "nat", hook: "postrouting", priority: 100, policy: "accept" });
  batch.addChain("destination", { type: "nat", hook: "prerouting", priority: -100, policy: "accept" });
  batch.addChain("internet", null);
  batch.addQuota("daily", 50_000_000, 1234);
  batch.addCounter("denied", 3, 400);
  batch.addSet(endpoints4);
  const element = (low: number, high: number): SetElement => ({
    first: endpoint(v4(192, 0, 2, low), 6, 500),
    last: endpoint(v4(192, 0, 2, high), 6, 510),
  });
  batch.addElements(endpoints4, [element(16, 31)]);
  const private4: SetDefinition = { name: "private4", fields: ["ipv4_addr"], isInterval: true, hasTimeout: false };
  batch.addSet(private4);
  batch.addElements(private4, [{ first: v4(10, 0, 0, 0), last: v4(10, 255, 255, 255) }]);
  const names6: SetDefinition = { name: "names6", fields: ["ipv6_addr"], isInterval: false, hasTimeout: true };
  batch.addSet(names6);
  batch.addElements(names6, [{ first: v6(9), last: v6(9), timeoutSeconds: 3600 }]);
  const rules: [chain: string, shown: string, expressions: Expression[]][] = [
    ["output", 'oifname "lo" accept', [...matchInterface("out", "lo"), accept()]],
    ["input", 'iifname "eth0" counter packets 0 bytes 0 drop', [...matchInterface("in", "eth0"), counter(), drop()]],
    [
      "output",
      "meta nfproto ipv4 ip daddr 192.0.2.1 tcp dport 80 accept",
      [
        ...matchVersion(4),
        ...matchPrefix("destination", v4(192, 0, 2, 1), 32),
        ...matchProtocol(6),
        ...matchPorts("destination", 80, 80),
        accept(),
      ],
    ],
    [
      "output",
      "ip saddr 198.51.100.0/24 udp sport 1000-2000 return",
      [
        ...matchVersion(4),
        ...matchPrefix("source", v4(198, 51, 100, 0), 24),
        ...matchProtocol(17),
        ...matchPorts("source", 1000, 2000),
        returnToCaller(),
      ],
    ],
    [
      "output",
      "ip6 daddr 2001:db8::/32 jump internet",
      [...matchVersion(6), ...matchPrefix("destination", v6(0), 32), jump("internet")],
    ],
    [
      "internet",
      "ip daddr != @private4 accept",
      [...matchVersion(4), ...matchAddressSet("destination", 4, "private4", false), accept()],
    ],
    [
      "internet",
      "ip6 daddr @names6 accept",
      [...matchVersion(6), ...matchAddressSet("destination", 6, "names6"), accept()],
    ],
    [
      "internet",
      "ip daddr . meta l4proto . th dport @endpoints4 accept",
      [...matchVersion(4), ...matchEndpointSet("destination", 4, "endpoints4"), accept()],
    ],
    [
      "input",
      "ct state established,related accept",
      [...matchConnectionState(connectionState.established | connectionState.related), accept()],
    ],
    [
      "input",
      "icmpv6 type nd-neighbor-solicit accept",
      [...matchProtocol(protocolNumbers.icmpv6), ...matchIcmpType(135), accept()],
    ],
    ["output", 'quota name "daily" drop', [overQuota("daily"), drop()]],
    [
      "output",
      "limit rate over 500000 bytes/second burst 64 kbytes drop",
      [overRate("bytes", 500_000, 65_536), drop()],
    ],
    ["output", "limit rate over 100/second burst 20 packets drop", [overRate("packets", 100, 20), drop()]],
    ["output", "ct count over 64 reject with icmpx admin-prohibited", [overConnections(64), reject()]],
    ["output", 'counter name "denied" log prefix "meter out: " group 5', [countIn("denied"), log(5, "meter out: ")]],
    ["source", "masquerade", [masquerade()]],
    [
      "destination",
      "tcp dport 8080 dnat ip to 192.0.2.7:80",
      [
        ...matchVersion(4),
        ...matchProtocol(6),
        ...matchPorts("destination", 8080, 8080),
        ...destinationNat(v4(192, 0, 2, 7), 80),
      ],
    ],
    ["destination", "dnat ip6 to 2001:db8::7", [...matchVersion(6), ...destinationNat(v6(7), 0)]],
  ];
  for (const [index, [chain, , expressions]] of rules.entries()) batch.addRule(chain, expressions, `rule ${index}`);
  batch.commit(host, namespace);

  const text = ruleset(namespace);
  for (const [index, [, shown]] of rules.entries()) {
    const line = text.split("\n").find((candidate) => candidate.endsWith(`comment "rule ${index}"`)) ?? "";
    const found = line.trim().replace(/ comment ".*/, "");
    // nft leaves out or adds what a protocol depends on.
    const plain = (rule: string) => rule.replace(/^meta (nfproto ipv[46]|l4proto tcp|protocol ip6?) /, "");
    assert.equal(plain(found), plain(shown));
  }
  assert.match(text, /chain output \{\s+type filter hook output priority filter; policy drop;/);
  assert.match(text, /chain source \{\s+type nat hook postrouting priority srcnat; policy accept;/);
  assert.match(text, /quota daily \{\s+over 50000000 bytes used 1234 bytes/);
  assert.match(
    text,
    /set endpoints4 \{\s+type ipv4_addr \. inet_proto \. inet_service\s+flags interval\s+elements = \{ 192\.0\.2\.16\/28 \. tcp \. 500-510 \}/,
  );
  assert.match(text, /elements = \{ 10\.0\.0\.0\/8 \}/);
  assert.match(text, /elements = \{ 2001:db8::9 timeout 1h expires /);
  assert.deepEqual(
    listObjects(host, namespace, "edgerun-meter"),
    [
      { kind: "quota", name: "daily", bytes: 1234, packets: 0, limitBytes: 50_000_000 },
      { kind: "counter", name: "denied", bytes: 400, packets: 3, limitBytes: 0 },
    ].toSorted((a, b) => a.name.localeCompare(b.name)),
  );
  assert.deepEqual(listTables(host, namespace), [{ name: "edgerun-meter", comment: "for meter" }]);
  assert.deepEqual(listRuleCounts(host, namespace, "edgerun-meter"), [
    { chain: "input", comment: "rule 1", packets: 0, bytes: 0 },
  ]);
});

test("a transaction that fails leaves nothing, and names the rule", () => {
  const namespace = newNamespace();
  const batch = new NftablesBatch("edgerun-meter");
  batch.addTable("for meter");
  batch.addChain("output", { type: "filter", hook: "output", priority: 0, policy: "drop" });
  batch.addRule("output", [jump("absent")], "to nowhere");
  assert.throws(
    () => batch.commit(host, namespace),
    /add rule "to nowhere" to chain "output".*: no such file or directory/i,
  );
  assert.equal(ruleset(namespace), "");
});

test("packets are let through by the rules, and their twins are not", () => {
  const [left, right] = newPair();
  assert.ok(ping(left, "192.0.2.2"));
  const batch = new NftablesBatch("edgerun-meter");
  batch.addTable("for meter");
  batch.addChain("output", { type: "filter", hook: "output", priority: 0, policy: "drop" });
  const toRight = [...matchVersion(4), ...matchPrefix("destination", v4(192, 0, 2, 2), 32)];
  batch.addRule(
    "output",
    [...toRight, ...matchProtocol(protocolNumbers.icmp), counter(), accept()],
    "ping to 192.0.2.2",
  );
  batch.commit(host, left);
  assert.ok(ping(left, "192.0.2.2"));
  assert.equal(listRuleCounts(host, left, "edgerun-meter")[0]!.packets, 1);
  assert.ok(!ping(left, "2001:db8::2"));
  const removal = new NftablesBatch("edgerun-meter");
  removal.deleteTable();
  removal.commit(host, left);
  waitFor("the link to carry IPv6", () => ping(left, "2001:db8::2"));
  assert.equal(ruleset(right), "");
});

test("100,000 destinations are one transaction", () => {
  const namespace = newNamespace();
  const batch = new NftablesBatch("edgerun-meter");
  batch.addTable("for meter");
  const set: SetDefinition = { name: "many", fields: ["ipv4_addr"], isInterval: false, hasTimeout: false };
  batch.addSet(set);
  const elements: SetElement[] = Array.from({ length: 100_000 }, (_, n) => {
    const key = v4(10, n >> 16, (n >> 8) & 0xff, n & 0xff);
    return { first: key, last: key };
  });
  batch.addElements(set, elements);
  batch.commit(host, namespace);
  assert.equal(ruleset(namespace).match(/10\.\d+\.\d+\.\d+/g)?.length, 100_000);
});
