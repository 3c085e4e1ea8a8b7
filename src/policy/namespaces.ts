// SPDX-License-Identifier: Apache-2.0
// Namespaces: a container has its own. The network is the one that a manifest can grant to share; with the network go
// the things that reach into it: sysctl and interfaces that are moved.
import type { Grants } from "../manifest/schema.ts";
import type { Linux, Namespace, NamespaceType } from "../spec/config.ts";
import { sysctlPath } from "../spec/sysctl.ts";
import type { Decision } from "./decision.ts";
import type { HostView } from "./host_view.ts";

/** Where a namespace comes from: made for the container, the host's own, or another one, joined by path. */
type Origin = { kind: "new" | "host" } | { kind: "joined"; path: string };

const isolated: readonly NamespaceType[] = ["pid", "mount", "ipc", "uts"];
/** Without these, edgerun isolates as well; entering another's is denied all the same. */
const optional: readonly NamespaceType[] = ["user", "time"];

/** The namespaces as granted: one that may not be shared is denied, and a missing cgroup namespace is made. */
export function limitNamespaces(linux: Linux, grants: Grants, view: HostView, decisions: Decision[]): Namespace[] {
  const namespaces = linux.namespaces ?? [];
  for (const type of isolated) judge(type, originOf(type, namespaces, view), decisions);
  for (const type of optional) {
    const origin = originOf(type, namespaces, view);
    if (origin.kind === "joined" || namespaces.some((one) => one.type === type)) judge(type, origin, decisions);
  }
  judgeNetwork(originOf("network", namespaces, view), grants, decisions);
  const cgroup = originOf("cgroup", namespaces, view);
  if (cgroup.kind === "joined") judge("cgroup", cgroup, decisions);
  if (cgroup.kind !== "host") return namespaces;
  const rule = "base: own namespaces";
  decisions.push({ subject: "namespace cgroup", asked: "host", granted: "new", verdict: "clamped", rule });
  return [...namespaces.filter((one) => one.type !== "cgroup"), { type: "cgroup" }];
}

/** If a type is there twice, the entry that asks for more counts: the one with a path. */
function originOf(type: NamespaceType, namespaces: readonly Namespace[], view: HostView): Origin {
  const entries = namespaces.filter((one) => one.type === type);
  const path = entries.find((one) => one.path !== undefined)?.path;
  if (entries.length === 0 || view.hostNamespaces.includes(type)) return { kind: "host" };
  return path === undefined ? { kind: "new" } : { kind: "joined", path };
}

function judge(type: NamespaceType, origin: Origin, decisions: Decision[]): void {
  if (origin.kind === "new") return;
  const rule = "base: own namespaces";
  decisions.push({ subject: `namespace ${type}`, asked: describe(origin), granted: "new", verdict: "denied", rule });
}

function describe(origin: Origin): string {
  return origin.kind === "joined" ? `joined ${origin.path}` : origin.kind;
}

function judgeNetwork(origin: Origin, grants: Grants, decisions: Decision[]): void {
  const { mode, path } = grants.network ?? { mode: "none" };
  const granted =
    origin.kind === "new" ||
    (origin.kind === "host" && mode === "host") ||
    (origin.kind === "joined" && mode === "namespace" && (path === undefined || path === origin.path));
  const most = mode === "namespace" ? `joined ${path ?? "any but the host's"}` : mode === "host" ? "host" : "new";
  decisions.push({
    subject: "namespace network",
    asked: describe(origin),
    granted: granted ? describe(origin) : most,
    verdict: granted ? "granted" : "denied",
    rule: "grants.network",
  });
}

/**
 * Kernel parameters of namespaces that the container has for itself. decodeSpec() has refused those of the whole host;
 * what it can't see is that the network namespace, joined by path, is the host's.
 */
export function limitSysctl(linux: Linux, view: HostView, decisions: Decision[]): void {
  const network = originOf("network", linux.namespaces ?? [], view);
  for (const [name, value] of Object.entries(linux.sysctl ?? {})) {
    const ofHost = network.kind === "host" && sysctlPath(name).startsWith("net/");
    decisions.push({
      subject: `sysctl ${name}`,
      asked: value,
      granted: ofHost ? "-" : value,
      verdict: ofHost ? "denied" : "granted",
      rule: "base: namespaced sysctl",
    });
  }
}

/** Interfaces of the host that the bundle wants to move into the container: nothing in a manifest grants that. */
export function denyNetDevices(linux: Linux, decisions: Decision[]): void {
  for (const name of Object.keys(linux.netDevices ?? {})) {
    decisions.push({
      subject: `interface ${name}`,
      asked: "moved in",
      granted: "-",
      verdict: "denied",
      rule: "grants.network",
    });
  }
}
