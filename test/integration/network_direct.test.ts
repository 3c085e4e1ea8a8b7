// SPDX-License-Identifier: Apache-2.0
// A network of one's own by manifest ("mode": "direct"), with real packets: a device between a LAN and a WAN, each a
// network namespace. For each rule the packet that is granted arrives, and its twin does not.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { NetworkGrant } from "../../src/manifest/schema.ts";
import type { Change } from "./support/config.ts";
import { setCapabilities, setUserNamespace } from "./support/config.ts";
import type { Container } from "./support/container.ts";
import { annotate, EnrolledHost, leastGrants, makeManifest } from "./support/enrolled.ts";
import { isAnswered, linkHosts, NetworkHost, type Server } from "./support/network.ts";
import { execute, launch, type Result, sleep, waitFor } from "./support/process.ts";
import { lacking, runtimePath } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const edgerunOnly = lacking({ runc: "has no manifests", crun: "has no manifests" });
let device: NetworkHost;
let lan: NetworkHost;
let wan: NetworkHost;
let lanServer: Server;
let wanServer: Server;

// Before the workspace compares this machine with what it was.
after(() => {
  lanServer.stop();
  wanServer.stop();
  for (const host of [device, lan, wan]) host.remove();
});

const ws = useWorkspace();
const owned = await EnrolledHost.make(ws);

const inventory = {
  schema: "edgerun/inventory/v1",
  interfaces: { lan: { device: "lan0" }, uplink: { device: "wan0" } },
  networkClasses: {
    local: { interface: "lan", prefixes: ["192.0.2.0/24", "2001:db8:1::/64"], exceptPrefixes: ["192.0.2.20"] },
    internet: { interface: "uplink", masquerade: true },
  },
};

before(() => {
  const prefix = `ert-${process.pid}`;
  device = new NetworkHost(`${prefix}-device`);
  lan = new NetworkHost(`${prefix}-lan`);
  wan = new NetworkHost(`${prefix}-wan`);
  linkHosts(
    [device, "lan0", "192.0.2.1/24", "2001:db8:1::1/64"],
    [lan, "eth0", "192.0.2.10/24", "192.0.2.20/24", "2001:db8:1::10/64"],
  );
  linkHosts(
    [device, "wan0", "198.51.100.1/24", "2001:db8:2::1/64"],
    [wan, "eth0", "198.51.100.10/24", "2001:db8:2::10/64"],
  );
  device.sysctl("net.ipv4.ip_forward", "1");
  device.sysctl("net.ipv6.conf.all.forwarding", "1");
  // The LAN knows the way to the apps; the WAN does not, and sees the device's address only.
  lan.ip("route", "add", "198.18.0.0/16", "via", "192.0.2.1");
  lan.ip("route", "add", "fd65:6467:6572::/48", "via", "2001:db8:1::1");
  writeFileSync(join(owned.configRoot, "inventory.json"), JSON.stringify(inventory), { mode: 0o644 });
  lanServer = lan.serve([502, 503, 5001]);
  wanServer = wan.serve([443, 444]);
});

/** Calls edgerun on the device. */
function call(...args: string[]): Result {
  const flags = [...ws.globalFlags, ...owned.flags];
  return execute("nsenter", [`--net=${device.path}`, runtimePath, ...flags, ...args]);
}

async function start(network: NetworkGrant, change?: Change): Promise<Container> {
  const manifest = await owned.sign(
    makeManifest({
      grants: { ...leastGrants, capabilities: ["CAP_NET_RAW", "CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE"], network },
    }),
  );
  const c = owned.bundle((config) => {
    setCapabilities(config, ["CAP_NET_RAW"]);
    annotate(config);
    change?.(config);
  });
  const result = call("run", "--detach", "--manifest", manifest, "--bundle", c.directory, c.id);
  assert.equal(result.status, 0, result.stderr);
  return c;
}

/** A script inside, to its end. */
function inside(c: Container, script: string): Result {
  return call("exec", c.id, "/bin/sh", "-c", script);
}

/** Whether a connection, or a datagram, gets an answer; from the app's network, with every capability. */
function reaches(c: Container, protocol: "tcp" | "udp", address: string, port: number, source?: string): boolean {
  return isAnswered(`/proc/${c.pid}/ns/net`, protocol, address, port, source);
}

const pings = (c: Container, address: string) => inside(c, `ping -c 1 -W 1 ${address}`).status === 0;

/** The first packets over a new link may be lost to the discovery of neighbours. */
function waitForLink(c: Container, address: string, port: number): void {
  waitFor("the link", () => inside(c, `nc -w 1 ${address} ${port} </dev/null`).stdout.includes(`answer of ${port}`));
}

/** The app's IPv4 address. */
function addressOf(c: Container): string {
  return inside(c, "ip -o -4 addr show eth0").stdout.match(/inet ([\d.]+)/)![1]!;
}

const tables = () => device.expect("nft", "list", "tables");
const links = () =>
  device
    .ip("-brief", "link")
    .split("\n")
    .filter((line) => line.startsWith("er"));

test("outbound: what is granted arrives, by TCP, UDP, IPv4 and IPv6; every twin is dropped", edgerunOnly, async () => {
  const c = await start({
    mode: "direct",
    classes: {
      local: {
        outbound: [
          { protocol: "tcp", to: ["192.0.2.10"], ports: ["502"] },
          { protocol: "udp", to: ["192.0.2.0/24", "2001:db8:1::/64"], ports: ["5000-5010"] },
          { protocol: "tcp", to: ["2001:db8:1::10"], ports: ["502", "600"] },
        ],
        ping: true,
      },
      internet: { outbound: [{ protocol: "tcp", to: ["0.0.0.0/0"], ports: ["443"] }] },
    },
  });
  waitForLink(c, "192.0.2.10", 502);
  waitForLink(c, "2001:db8:1::10", 502);
  const granted: ["tcp" | "udp", string, number][] = [
    ["tcp", "192.0.2.10", 502],
    ["udp", "192.0.2.10", 5001],
    ["udp", "2001:db8:1::10", 5001],
    ["tcp", "2001:db8:1::10", 502],
    ["tcp", "198.51.100.10", 443],
  ];
  for (const [protocol, address, port] of granted)
    assert.ok(reaches(c, protocol, address, port), `${protocol} ${address} ${port}`);
  assert.ok(pings(c, "192.0.2.10"));
  assert.ok(pings(c, "2001:db8:1::10"));
  assert.ok(wanServer.received().includes("tcp 443 ::ffff:198.51.100.1"), "hidden behind the device's address");
  assert.match(lanServer.received().join("\n"), /^tcp 502 ::ffff:198\.18\./m);

  const before = [lanServer.received().length, wanServer.received().length];
  const refused: ["tcp" | "udp", string, number][] = [
    ["tcp", "192.0.2.10", 503], // the port
    ["udp", "192.0.2.10", 502], // the protocol
    ["tcp", "192.0.2.20", 502], // the address
    ["udp", "192.0.2.20", 5001], // excepted from the class, though the grant has it
    ["tcp", "198.51.100.10", 444],
    ["udp", "198.51.100.10", 443],
    ["tcp", "2001:db8:2::10", 443], // IPv4 only
  ];
  for (const [protocol, address, port] of refused)
    assert.ok(!reaches(c, protocol, address, port), `${protocol} ${address} ${port}`);
  assert.ok(!pings(c, "198.51.100.10"));
  assert.deepEqual([lanServer.received().length, wanServer.received().length], before, "at the receivers");
  // Inside is where it was dropped.
  const rules = execute("nsenter", [
    `--net=/proc/${c.pid}/ns/net`,
    "nft",
    "list",
    "chain",
    "inet",
    "edgerun",
    "output",
  ]);
  assert.match(rules.stdout, /policy drop;/);
  assert.match(rules.stdout, /counter packets [1-9]\d* bytes \d+ drop comment "not granted"/);
});

test("nothing of the host answers, unless a port of it is granted", edgerunOnly, async () => {
  const server = device.serve([53, 8080]);
  try {
    const c = await start({ mode: "direct", host: [{ protocol: "tcp", ports: ["53"] }] });
    const gateway = inside(c, "ip route").stdout.match(/^default via (\S+)/)![1]!;
    waitForLink(c, gateway, 53);
    assert.ok(!reaches(c, "udp", gateway, 53));
    assert.ok(!reaches(c, "tcp", gateway, 8080));
    for (const address of ["192.0.2.1", "198.51.100.1"]) assert.ok(!reaches(c, "tcp", address, 53), address);
    assert.ok(!pings(c, gateway));
    assert.deepEqual([...new Set(server.received().map((line) => line.split(" ").slice(0, 2).join(" ")))], ["tcp 53"]);
  } finally {
    server.stop();
  }
});

test("the host's rules hold where those inside are gone, and addresses are not forged", edgerunOnly, async () => {
  const c = await start({
    mode: "direct",
    classes: { local: { outbound: [{ protocol: "tcp", to: ["192.0.2.10"], ports: ["502"] }] } },
  });
  waitForLink(c, "192.0.2.10", 502);
  const before = lanServer.received().length;
  const flush = execute("nsenter", [`--net=/proc/${c.pid}/ns/net`, "nft", "flush", "ruleset"]);
  assert.equal(flush.status, 0, flush.stderr);
  assert.ok(!reaches(c, "tcp", "192.0.2.10", 503));
  assert.ok(!pings(c, "192.0.2.10"));
  assert.equal(lanServer.received().length, before);
  assert.match(
    device.expect("nft", "list", "ruleset"),
    /counter packets [1-9]\d* bytes \d+ drop comment "not granted"/,
  );
  assert.ok(reaches(c, "tcp", "192.0.2.10", 502), "what is granted passes still");
  execute("nsenter", [`--net=/proc/${c.pid}/ns/net`, "ip", "address", "add", "198.18.255.1/32", "dev", "eth0"]);
  const own = addressOf(c);
  assert.ok(reaches(c, "tcp", "192.0.2.10", 502, own));
  assert.ok(!reaches(c, "tcp", "192.0.2.10", 502, "198.18.255.1"));
  assert.ok(!lanServer.received().some((line) => line.includes("198.18.255.1")));
});

test("root of a user namespace of its own, with CAP_NET_ADMIN, gets no further", edgerunOnly, async () => {
  const c = await start(
    { mode: "direct", classes: { local: { outbound: [{ protocol: "tcp", to: ["192.0.2.10"], ports: ["502"] }] } } },
    (config) => {
      setUserNamespace(config, 200_000);
      setCapabilities(config, ["CAP_NET_RAW", "CAP_NET_ADMIN"]);
    },
  );
  waitForLink(c, "192.0.2.10", 502);
  const nft = execute("nsenter", [
    `--net=/proc/${c.pid}/ns/net`,
    `--user=/proc/${c.pid}/ns/user`,
    "nft",
    "flush",
    "ruleset",
  ]);
  assert.equal(nft.status, 0, `it may change its own rules: ${nft.stderr}`);
  assert.ok(!reaches(c, "tcp", "192.0.2.10", 503));
  assert.ok(reaches(c, "tcp", "192.0.2.10", 502));
});

test("inbound: the port that is granted is reached, by whom it is granted to", edgerunOnly, async () => {
  const grant: NetworkGrant = {
    mode: "direct",
    classes: {
      local: { inbound: [{ protocol: "tcp", ports: ["8080"], from: ["192.0.2.10"] }] },
      internet: { inbound: [{ protocol: "tcp", ports: ["8081"] }] },
    },
  };
  const serve = "for p in 8080 8081 8082; do while :; do echo answer | nc -l -p $p; done & done; wait";
  const c = await start(grant, (config) => {
    config.process.args = ["/bin/sh", "-c", serve];
  });
  const inner = addressOf(c);
  const get = (from: NetworkHost, to: string, port: number, source?: string) =>
    isAnswered(from.path, "tcp", to, port, source);
  waitFor("the app", () => get(lan, inner, 8080, "192.0.2.10"));
  assert.ok(!get(lan, inner, 8080, "192.0.2.20"), "another source");
  assert.ok(!get(lan, inner, 8082), "another port");
  assert.ok(!get(lan, inner, 8081), "another class");
  assert.ok(get(wan, "198.51.100.1", 8081), "by the device's address");
  assert.ok(!get(wan, "198.51.100.1", 8080));
});

test("apps do not reach one another, nor see each other's addresses", edgerunOnly, async () => {
  const grant: NetworkGrant = {
    mode: "direct",
    classes: { internet: { outbound: [{ protocol: "tcp", to: ["0.0.0.0/0"], ports: ["1-65535"] }] } },
  };
  const first = await start(grant, (config) => {
    config.process.args = ["/bin/sh", "-c", "while :; do echo answer | nc -l -p 8080; done"];
  });
  const second = await start(grant);
  waitForLink(second, "198.51.100.10", 443);
  assert.ok(!reaches(second, "tcp", addressOf(first), 8080));
  waitFor("the server", () => reaches(first, "tcp", "127.0.0.1", 8080));
  assert.ok(!inside(second, "ip neigh; ip route; cat /proc/net/arp").stdout.includes(addressOf(first)));
});

const sink = `
import socket, sys
one = socket.create_server(("", int(sys.argv[2]))); peer, _ = one.accept(); peer.settimeout(10)
while True:
    if sys.argv[1] == "receive": peer.sendall(bytes(65536))
    elif not peer.recv(65536): break
`;

/** Bytes that have passed the host's end of an app's link: [to the app, from the app]. */
function countBytes(c: Container): [number, number] {
  const links = JSON.parse(device.ip("-json", "-stats", "link")) as {
    ifalias?: string;
    stats64: { tx: { bytes: number }; rx: { bytes: number } };
  }[];
  const { tx, rx } = links.find(({ ifalias }) => ifalias?.startsWith(c.id.slice(0, 64)))!.stats64;
  return [tx.bytes, rx.bytes];
}

test(
  "rates: what is faster waits; over 5 s of TCP, within 5 % of the rate in each direction",
  edgerunOnly,
  async () => {
    const rate = 500_000;
    const c = await start({
      mode: "direct",
      classes: { local: { outbound: [{ protocol: "tcp", to: ["192.0.2.10"], ports: ["700-701"] }] } },
      rate: { transmitBytesPerSecond: rate, receiveBytesPerSecond: rate, burstBytes: 16_384 },
    });
    for (const direction of ["receive", "transmit"] as const) {
      const port = direction === "receive" ? "700" : "701"; // a client that lost its server comes again
      const server = launch("nsenter", [`--net=${lan.path}`, "timeout", "20", "python3", "-c", sink, direction, port]);
      const client =
        direction === "receive"
          ? `nc 192.0.2.10 ${port} </dev/null`
          : `head -c 8000000 /dev/zero | nc 192.0.2.10 ${port}`;
      call("exec", "--detach", c.id, "/bin/sh", "-c", `while ! ${client}; do sleep 0.1; done > /dev/null`);
      const before = countBytes(c)[direction === "receive" ? 0 : 1];
      const count = () => countBytes(c)[direction === "receive" ? 0 : 1] - before;
      waitFor("the stream", () => count() > 300_000);
      const [start, startTime] = [count(), performance.now()];
      sleep(5_000);
      const share = (count() - start) / ((performance.now() - startTime) / 1000) / rate;
      server.child.kill("SIGKILL");
      assert.ok(share > 0.95 && share < 1.05, `${direction}: ${share} of the rate`);
    }
  },
);

test("deleting leaves no interface, table, route or rule; nor does a creation that fails", edgerunOnly, async () => {
  const clean = [tables(), device.ip("route"), device.ip("-6", "route")];
  const c = await start({
    mode: "direct",
    classes: { local: { outbound: [{ protocol: "tcp", to: ["192.0.2.10"], ports: ["502"] }] } },
  });
  assert.equal(links().length > 0, true);
  assert.notEqual(tables(), clean[0]);
  assert.equal(call("delete", "--force", c.id).status, 0);
  const broken = owned.bundle((config) => {
    annotate(config);
    config.process.args = ["/absent"];
  });
  const manifest = await owned.sign(makeManifest({ grants: { ...leastGrants, network: { mode: "direct" } } }));
  assert.equal(call("run", "--manifest", manifest, "--bundle", broken.directory, broken.id).status, 1);
  assert.deepEqual([tables(), device.ip("route"), device.ip("-6", "route")], clean);
});

test(
  "a class that the inventory lacks, a host that does not forward, an interface that is missing: one clear line",
  edgerunOnly,
  async () => {
    const attempt = async (network: NetworkGrant): Promise<string> => {
      const manifest = await owned.sign(makeManifest({ grants: { ...leastGrants, network } }));
      const c = owned.bundle();
      const result = call("run", "--manifest", manifest, "--bundle", c.directory, c.id);
      assert.equal(result.status, 1);
      return result.stderr;
    };
    const outbound = [{ protocol: "tcp" as const, to: ["192.0.2.10"], ports: ["502"] }];
    assert.match(
      await attempt({ mode: "direct", classes: { operator: { outbound } } }),
      /network class "operator", and the host inventory has no "networkClasses\.operator"/,
    );
    device.sysctl("net.ipv4.conf.lan0.forwarding", "0");
    try {
      assert.match(
        await attempt({ mode: "direct", classes: { local: { outbound } } }),
        /does not forward on interface "lan0" \(sysctl -w net\.ipv4\.conf\.lan0\.forwarding=1\)/,
      );
    } finally {
      device.sysctl("net.ipv4.conf.lan0.forwarding", "1");
    }
  },
);
