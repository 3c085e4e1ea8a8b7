// SPDX-License-Identifier: Apache-2.0
// Networks for tests: network namespaces that stand for hosts, links between them, servers in them. Nothing of this
// machine's own network is touched.

import assert from "node:assert/strict";
import { execute, launch, type Result, type Running, waitFor } from "./process.ts";

/** A network namespace of a test's own. */
export class NetworkHost {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
    execute("ip", ["netns", "add", name]);
    this.ip("link", "set", "lo", "up");
  }

  get path(): string {
    return `/run/netns/${this.name}`;
  }

  /** Runs a program in this network, and otherwise where it is called. */
  run(command: string, ...args: string[]): Result {
    return execute("nsenter", [`--net=${this.path}`, command, ...args]);
  }

  /** ip(8), which must succeed. */
  ip(...args: string[]): string {
    return this.expect("ip", ...args);
  }

  expect(command: string, ...args: string[]): string {
    const result = this.run(command, ...args);
    assert.equal(result.status, 0, `${this.name}: ${command} ${args.join(" ")}: ${result.stderr}`);
    return result.stdout;
  }

  /** Sets a kernel parameter of this network: "net.ipv4.ip_forward". */
  sysctl(name: string, value: string): void {
    this.expect("sh", "-c", `echo ${value} > /proc/sys/${name.replaceAll(".", "/")}`);
  }

  /** A server on TCP and UDP ports, on every address, which answers each connection and datagram. */
  serve(ports: readonly number[]): Server {
    return new Server(launch("nsenter", [`--net=${this.path}`, "python3", "-c", serverProgram, ports.join(",")]));
  }

  remove(): void {
    execute("ip", ["netns", "delete", this.name]);
  }
}

/** Answers "PORT from ADDRESS" and writes each line that it receives, with where it came from. */
const serverProgram = `
import selectors, socket, sys
selector = selectors.DefaultSelector()
for port in map(int, sys.argv[1].split(",")):
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        one = socket.socket(socket.AF_INET6, kind)
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind(("::", port))
        if kind == socket.SOCK_STREAM:
            one.listen(16)
        selector.register(one, selectors.EVENT_READ, port)
print("serving", flush=True)
while True:
    for key, _ in selector.select():
        one, port = key.fileobj, key.data
        if one.type == socket.SOCK_STREAM:
            peer, address = one.accept()
            peer.settimeout(1)
            print("tcp", port, address[0], flush=True)
            peer.sendall(b"answer of %d\\n" % port)
            peer.close()
        else:
            text, address = one.recvfrom(2000)
            print("udp", port, address[0], flush=True)
            one.sendto(b"answer of %d\\n" % port, address)
`;

/** Sends to a port, by TCP or UDP, from an address if it is given; writes what is answered within a second. */
const clientProgram = `
import socket, sys
protocol, address, port, source = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
family = socket.AF_INET6 if ":" in address else socket.AF_INET
one = socket.socket(family, socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM)
one.settimeout(0.8)
if source: one.bind((source, 0))
try:
    one.connect((address, port))
    if protocol == "udp": one.send(b"hello")
    print(one.recv(2000).decode())
except OSError as error:
    print(error)
`;

/** Whether a port answers in the network namespace with that path, as Server and any server that speaks first do. */
export function isAnswered(
  namespace: string,
  protocol: "tcp" | "udp",
  address: string,
  port: number,
  source = "",
): boolean {
  const args = [`--net=${namespace}`, "python3", "-c", clientProgram, protocol, address, String(port), source];
  return execute("nsenter", args).stdout.includes("answer");
}

export class Server {
  private readonly running: Running;

  constructor(running: Running) {
    this.running = running;
    waitFor("the server", () => running.stdout().startsWith("serving"));
  }

  /** What it received so far: "tcp 502 ::ffff:192.0.2.1". */
  received(): string[] {
    return this.running.stdout().trimEnd().split("\n").slice(1);
  }

  stop(): void {
    this.running.child.kill("SIGKILL");
  }
}

/** Links two hosts, each by an interface with an IPv4 and an IPv6 address ("192.0.2.1/24", "2001:db8::1/64"). */
export function linkHosts(
  [left, leftName, ...leftAddresses]: [NetworkHost, string, ...string[]],
  [right, rightName, ...rightAddresses]: [NetworkHost, string, ...string[]],
): void {
  left.ip("link", "add", leftName, "type", "veth", "peer", "name", rightName, "netns", right.name);
  for (const [host, name, addresses] of [
    [left, leftName, leftAddresses],
    [right, rightName, rightAddresses],
  ] as const) {
    host.ip("link", "set", name, "up");
    for (const address of addresses)
      host.ip("address", "add", address, "dev", name, ...(address.includes(":") ? ["nodad"] : []));
  }
}
