// SPDX-License-Identifier: Apache-2.0
// linux.netDevices: interfaces of the runtime's network namespace, which here is one that the test makes.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Change,
  type Config,
  dropNamespace,
  setCapabilities,
  setNamespace,
  setUserNamespace,
} from "./support/config.ts";
import type { Container } from "./support/container.ts";
import { execute, launch, type Result, type Running, waitFor } from "./support/process.ts";
import { lacking, runtimePath } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const skip = lacking({ runc: "1.1 has no netDevices", crun: "1.8 has no netDevices" });

type Address = { family: string; local: string; prefixlen: number; scope: string };
type Link = { ifname: string; mtu: number; address: string; flags: string[]; addr_info: Address[] };

/** A network namespace with two pairs of interfaces, of which "meter" and "spare" are there to be moved. */
class Network {
  readonly holder: Running = launch("unshare", ["--net", "sleep", "1000"]);

  constructor() {
    const own = execute("readlink", ["/proc/self/ns/net"]).stdout;
    waitFor("the network namespace", () => execute("readlink", [this.path]).stdout !== own);
    for (const command of [
      "link add meter mtu 1400 address 02:00:00:00:00:07 type veth peer name outside",
      "addr add 192.0.2.7/24 brd 192.0.2.255 dev meter",
      "addr add 2001:db8::7/64 dev meter nodad",
      "addr add 192.0.2.8/32 scope link dev meter",
      "link set meter up",
      "addr add 192.0.2.1/24 dev outside",
      "link set outside up",
      "link add spare type veth peer name spare-peer",
    ]) {
      this.ip(...command.split(" "));
    }
  }

  get path(): string {
    return `/proc/${this.holder.pid}/ns/net`;
  }

  in(program: string, ...args: string[]): Result {
    return execute("nsenter", [`--net=${this.path}`, program, ...args]);
  }

  ip(...args: string[]): string {
    const result = this.in("ip", ...args);
    assert.equal(result.status, 0, `ip ${args.join(" ")}: ${result.stderr}`);
    return result.stdout;
  }

  runtime(command: string, c: Container): Result {
    return this.in(runtimePath, ...ws.globalFlags, command, "--bundle", c.directory, c.id);
  }

  links(): Link[] {
    return JSON.parse(this.ip("-json", "addr", "show"));
  }

  link(name: string): Link | undefined {
    return this.links().find(({ ifname }) => ifname === name);
  }
}

async function withNetwork(use: (network: Network) => void): Promise<void> {
  const network = new Network();
  try {
    use(network);
  } finally {
    network.holder.child.kill("SIGKILL");
    await network.holder.end();
  }
}

const devices =
  (netDevices: Record<string, { name?: string }>, more?: Change): Change =>
  (config: Config) => {
    Object.assign(config.linux, { netDevices });
    setCapabilities(config, ["CAP_NET_RAW"]);
    more?.(config);
  };

/** What the host's `ip` sees in a container. */
function linkInside(c: Container, name: string): Link | undefined {
  const text = execute("nsenter", [`--net=/proc/${c.pid}/ns/net`, "ip", "-json", "addr", "show"]).stdout;
  return (JSON.parse(text) as Link[]).find(({ ifname }) => ifname === name);
}

function globalAddresses({ addr_info }: Link): string[] {
  return addr_info.filter(({ scope }) => scope === "global").map(({ local, prefixlen }) => `${local}/${prefixlen}`);
}

function create(network: Network, change: Change, script = "while :; do sleep 1000; done"): Container {
  const c = ws.script(script, change);
  const result = network.runtime("create", c);
  assert.equal(result.status, 0, result.stderr);
  return c;
}

test("an interface comes with its addresses, MTU and hardware address, and is up", skip, async () => {
  await withNetwork((network) => {
    const link = linkInside(create(network, devices({ meter: {} })), "meter")!;
    assert.deepEqual([link.mtu, link.address], [1400, "02:00:00:00:00:07"]);
    assert.deepEqual(globalAddresses(link), ["192.0.2.7/24", "2001:db8::7/64"]);
    assert.equal(
      link.addr_info.some(({ local }) => local === "192.0.2.8"),
      false,
      "addresses of the link stay behind",
    );
    assert.ok(link.flags.includes("UP"));
    assert.equal(network.link("meter"), undefined);
  });
});

test("a packet passes through it", skip, async () => {
  await withNetwork((network) => {
    const c = ws.script("ping -c 1 -W 5 192.0.2.1", devices({ meter: {} }));
    const result = network.runtime("run", c);
    assert.match(result.stdout, /1 packets received/, result.stderr);
  });
});

test("it has another name inside, before its sysctls are set", skip, async () => {
  await withNetwork((network) => {
    const change = devices({ meter: { name: "uplink" } }, (config) => {
      config.linux.sysctl = { "net.ipv4.conf.uplink.forwarding": "1" };
    });
    const c = ws.script("ls /sys/class/net; cat /proc/sys/net/ipv4/conf/uplink/forwarding", change);
    assert.deepEqual(network.runtime("run", c).stdout.split("\n"), ["lo", "uplink", "1", ""]);
  });
});

test("the kernel chooses a name by a template", skip, async () => {
  await withNetwork((network) => {
    const c = create(network, devices({ meter: { name: "eth%d" }, spare: { name: "eth%d" } }));
    assert.deepEqual(globalAddresses(linkInside(c, "eth0")!), ["192.0.2.7/24", "2001:db8::7/64"]);
    assert.ok(linkInside(c, "eth1")?.flags.includes("UP"));
  });
});

test("a virtual interface ends with its namespace", skip, async () => {
  await withNetwork((network) => {
    const c = create(network, devices({ meter: {} }));
    c.succeed("delete", "--force", c.id);
    waitFor("the end of the pair", () => network.link("outside") === undefined);
    assert.equal(network.link("meter"), undefined);
  });
});

test("in a user namespace", skip, async () => {
  await withNetwork((network) => {
    const rootfs = ws.newRootfs();
    const change = devices({ meter: {} }, (config) => {
      config.root = { path: rootfs, readonly: false };
      setUserNamespace(config, 0);
    });
    assert.ok(linkInside(create(network, change), "meter")?.flags.includes("UP"));
  });
});

test("into a network namespace that is joined", skip, async () => {
  await withNetwork((network) => {
    const first = create(network, devices({}));
    const join: Change = (config) => setNamespace(config, "network", `/proc/${first.pid}/ns/net`);
    create(network, devices({ meter: {} }, join));
    assert.deepEqual(globalAddresses(linkInside(first, "meter")!), ["192.0.2.7/24", "2001:db8::7/64"]);
  });
});

/** `create` fails with this text, and the network is as before. */
async function assertRefused(change: Change, pattern: RegExp): Promise<void> {
  await withNetwork((network) => {
    const strip = () => network.links().map((link) => ({ ...link, addr_info: globalAddresses(link), link: undefined }));
    const before = strip();
    const c = ws.script("true", change);
    const result = network.runtime("create", c);
    assert.notEqual(result.status, 0);
    assert.match(result.stderr, pattern);
    assert.equal(result.stderr.trimEnd().split("\n").length, 1);
    const names = (links: { ifname: string }[]) => links.map(({ ifname }) => ifname).sort();
    const after = strip();
    assert.deepEqual(names(after), names(before));
    for (const link of before) {
      const now = after.find(({ ifname }) => ifname === link.ifname)!;
      assert.deepEqual([now.addr_info, now.mtu, now.address], [link.addr_info, link.mtu, link.address]);
      assert.equal(now.flags.includes("UP"), link.flags.includes("UP"), `${link.ifname} is up`);
    }
  });
  ws.assertNothingLeft();
}

test("one that is missing is named", skip, async () => {
  await assertRefused(devices({ nosuch0: {} }), /\$\.linux\.netDevices\.nosuch0: this host has no interface "nosuch0"/);
});

test("when one is missing, those before it go back", skip, async () => {
  await assertRefused(devices({ meter: { name: "uplink" }, spare: {}, nosuch0: {} }), /no interface "nosuch0"/);
});

test("a name that the container has already", skip, async () => {
  await assertRefused(
    devices({ meter: { name: "lo" } }),
    /netDevices\.meter: the container has an interface "lo" already/,
  );
});

test("one that can't be moved", skip, async () => {
  await assertRefused(
    devices({ lo: { name: "lo1" } }),
    /netDevices\.lo: can't move interface "lo": .*invalid argument/i,
  );
});

test("when the start fails later, all go back", skip, async () => {
  const hook = { path: "/bin/false" };
  await assertRefused(
    devices({ meter: { name: "uplink" }, spare: {} }, (config) => {
      config.hooks = { createRuntime: [hook] };
    }),
    /hook/,
  );
  await assertRefused(
    devices({ meter: { name: "uplink" } }, (config) => {
      config.process.args = ["/no/such/program"];
    }),
    /no such file or directory/i,
  );
});

for (const [what, change, pattern] of [
  [
    "no network namespace",
    devices({ meter: {} }, (c) => dropNamespace(c, "network")),
    /meter: needs a network namespace/,
  ],
  ["a name that is too long", devices({ "interface-number-1": {} }), /is not the name of a network interface/],
  ["a new name with a slash", devices({ meter: { name: "a/b" } }), /meter\.name: "a\/b" is not the name/],
  ["two templates in one", devices({ meter: { name: "a%d%d" } }), /meter\.name/],
  ["the same new name twice", devices({ meter: { name: "a" }, spare: { name: "a" } }), /spare: a second "a"/],
] as const) {
  test(`refused: ${what}`, skip, async () => assertRefused(change, pattern));
}
