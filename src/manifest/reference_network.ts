// SPDX-License-Identifier: Apache-2.0
import type { Reference } from "../schema/reference.ts";

const optional = { means: "false: where this host does not have it, the app starts without", example: false };
const protocol = { means: "tcp or udp", example: "tcp" };
const ports = { means: "ports and ranges of ports", example: ["502", "5000-5010"] };

/** The keys below `grants.network`. `Rate` and `Volume` are what rate and volumes[] have in common everywhere. */
export const networkReference: Reference = {
  "grants.network": { means: "the network; absent: none" },
  "grants.network.mode": {
    means:
      "none: a namespace of its own with nothing but lo; indirect: the same, and the proxies; direct: a link to the host, which routes; interface: interfaces of the host; namespace: may join one that exists, as engines make them, but not the host's; host: the host's own",
    becomes: "the network namespace, and rules inside and outside of it",
    example: "direct",
  },
  "grants.network.path": { means: "with namespace: only this one", example: "/run/netns/app" },
  "grants.network.interfaces": { means: "with interface: which" },
  "grants.network.interfaces[].name": { means: "a name of the host inventory", example: "han" },
  "grants.network.interfaces[].method": {
    means: "move: the app has it alone; macvlan, ipvlan: shared with the host",
    example: "macvlan",
  },
  "grants.network.interfaces[].required": optional,
  "grants.network.proxies": { means: "with indirect: services of the host that are reached without an interface" },
  "grants.network.proxies[].name": { means: "a name of the host inventory", example: "broker" },
  "grants.network.proxies[].port": { means: "the port of 127.0.0.1 in the container that leads there", example: 1883 },
  "grants.network.proxies[].path": {
    means: "instead of port: the socket in the container that leads there",
    example: "/run/broker.sock",
  },
  "grants.network.proxies[].required": optional,
  "grants.network.classes": {
    means:
      "destinations by class: local, operator, internet, or names of your own; the host inventory says what they are",
  },
  "grants.network.classes{}": { means: "one class; a destination beyond the class stays denied" },
  "grants.network.classes{}.outbound": { means: "connections and packets that the app may send" },
  "grants.network.classes{}.outbound[].protocol": protocol,
  "grants.network.classes{}.outbound[].to": {
    means: "addresses and prefixes, IPv4 and IPv6; exactly one of to and names",
    example: ["192.0.2.0/24", "2001:db8::/32"],
  },
  "grants.network.classes{}.outbound[].names": {
    means: "DNS names; *. for all names below one. Only these are resolved for the app",
    example: ["api.example.com"],
  },
  "grants.network.classes{}.outbound[].ports": ports,
  "grants.network.classes{}.inbound": { means: "ports of the app that may be reached" },
  "grants.network.classes{}.inbound[].protocol": protocol,
  "grants.network.classes{}.inbound[].ports": ports,
  "grants.network.classes{}.inbound[].from": {
    means: "who may; everybody of the class unless given",
    example: ["192.0.2.0/24"],
  },
  "grants.network.classes{}.multicast": { means: "multicast groups (UDP)" },
  "grants.network.classes{}.multicast[].group": {
    means: "an address or a prefix of addresses",
    example: "224.0.0.251",
  },
  "grants.network.classes{}.multicast[].ports": { means: "ports and ranges of ports", example: ["5353"] },
  "grants.network.classes{}.multicast[].direction": { means: "both unless given", example: "both" },
  "grants.network.classes{}.ping": {
    means: "echo requests to the destinations of the class; false unless given",
    example: true,
  },
  "grants.network.classes{}.rate": { means: "the rate of this class" },
  "grants.network.classes{}.volumes": { means: "volumes of this class; all windows hold at once" },
  "grants.network.classes{}.required": optional,
  "grants.network.apps": { means: "connections between apps on this device; both sides must be granted" },
  "grants.network.apps[].app": { means: "the other app", example: "com.example.ev-charger" },
  "grants.network.apps[].direction": {
    means: "connect: this app may open them; accept: the other may",
    example: "connect",
  },
  "grants.network.apps[].protocol": protocol,
  "grants.network.apps[].ports": ports,
  "grants.network.host": { means: "ports of the host itself that may be reached" },
  "grants.network.host[].protocol": protocol,
  "grants.network.host[].ports": { means: "ports and ranges of ports", example: ["53"] },
  "grants.network.rate": { means: "the rate of everything together" },
  "grants.network.volumes": { means: "volumes of everything together; all windows hold at once" },
  "grants.network.flowLog": { means: "which connections are recorded; new unless given", example: "all" },
  "Rate.transmitBytesPerSecond": {
    means: "what the app sends, in bytes per second, headers counted from IP on",
    becomes: "tc tbf",
    example: 500000,
  },
  "Rate.receiveBytesPerSecond": { means: "what the app receives", example: 500000 },
  "Rate.transmitPacketsPerSecond": { means: "packets that the app sends", becomes: "nft limit", example: 1000 },
  "Rate.receivePacketsPerSecond": { means: "packets that the app receives", example: 1000 },
  "Rate.burstBytes": { means: "how much may pass at once", example: 65536 },
  "Rate.burstPackets": { means: "how many packets may pass at once", example: 64 },
  "Rate.excess": { means: "what is too fast is delayed, or dropped; delay unless given", example: "delay" },
  "Volume.limitBytes": { means: "how much in one period", becomes: "nft quota", example: 50000000 },
  "Volume.periodSeconds": { means: "the period; exactly one of this and monthStartDay", example: 86400 },
  "Volume.monthStartDay": { means: "the period is a month from this day on, at 0:00 UTC", example: 1 },
  "Volume.window": {
    means: "fixed: periods follow each other; rolling: always the last periodSeconds. fixed unless given",
    example: "fixed",
  },
  "Volume.direction": { means: "what is counted; both unless given", example: "both" },
  "Volume.counts": {
    means: "packets: from the IP header on; payload: what the app itself sends and receives. packets unless given",
    example: "packets",
  },
  "Volume.exhausted": {
    means: "what happens when it is used up: block or throttle. block unless given",
    example: "block",
  },
  "Volume.throttleBytesPerSecond": { means: "with throttle: the rate that is left", example: 1000 },
  "Volume.warnPercents": { means: "report when so much of it is used", example: [80, 95] },
};
