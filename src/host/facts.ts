// SPDX-License-Identifier: Apache-2.0
// Reads what the planner needs to know of the machine. Every start does this, in an interpreter: files are searched for
// the few lines that count, not split.
import type { HostFacts } from "../plan/plan.ts";
import type { Host } from "./functions.ts";

type CgroupMount = HostFacts["cgroupMounts"][number];
type OwnCgroup = HostFacts["ownCgroups"][number];

/** A host with ten thousand mounts has about 2 MiB of mountinfo. */
const MAX_MOUNTINFO = 16 << 20;
const MAX_SMALL_FILE = 64 << 10;

/** @throws EdgerunError HOST when /proc is not mounted */
export function readHostFacts(host: Host): HostFacts {
  const ownCgroups = parseOwnCgroups(host.readFile("/proc/self/cgroup", MAX_SMALL_FILE));
  const initialUserNamespace = isIdentityMap(host.readFile("/proc/self/uid_map", MAX_SMALL_FILE));
  const groups = initialUserNamespace ? null : host.readFileIfExists("/proc/self/setgroups", MAX_SMALL_FILE);
  return {
    cgroupMounts: parseCgroupMounts(host.readFile("/proc/self/mountinfo", MAX_MOUNTINFO), ownCgroups),
    ownCgroups,
    initialUserNamespace,
    ...(groups?.startsWith("deny") ? { groupsDenied: true } : {}),
    securityModules: readSecurityModules(host),
  };
}

/** /proc/PID/cgroup: "4:memory:/path" for each version 1 hierarchy, "0::/path" for version 2. */
export function parseOwnCgroups(text: string): OwnCgroup[] {
  const own: OwnCgroup[] = [];
  for (const line of text.split("\n")) {
    const first = line.indexOf(":");
    const second = line.indexOf(":", first + 1);
    if (first < 0 || second < 0) continue;
    own.push({ controllers: line.slice(first + 1, second), path: line.slice(second + 1) });
  }
  return own;
}

/**
 * The cgroup lines of /proc/PID/mountinfo, each hierarchy once: where it is mounted again (for a container, say), the
 * first mount counts. Super block options that are no controllers of /proc/PID/cgroup are left out.
 */
export function parseCgroupMounts(mountinfo: string, ownCgroups: readonly OwnCgroup[]): CgroupMount[] {
  const mounts: CgroupMount[] = [];
  const seen: string[] = [];
  const marker = " - cgroup";
  for (let at = mountinfo.indexOf(marker); at >= 0; at = mountinfo.indexOf(marker, at + marker.length)) {
    const start = mountinfo.lastIndexOf("\n", at) + 1;
    const newline = mountinfo.indexOf("\n", at);
    const [type, , options = ""] = mountinfo.slice(at + 3, newline < 0 ? undefined : newline).split(" ");
    const key = type === "cgroup2" ? "" : findHierarchy(options, ownCgroups);
    if (key === undefined || seen.includes(key)) continue;
    seen.push(key);
    // id, parent, device, root, mount point, ...
    const fields = mountinfo.slice(start, at).split(" ");
    mounts.push({
      version: type === "cgroup2" ? 2 : 1,
      mountPoint: unescapeOctal(fields[4] ?? ""),
      root: unescapeOctal(fields[3] ?? ""),
      controllers: key === "" ? [] : key.split(","),
    });
  }
  return mounts;
}

/** The hierarchy whose controllers are all among the options: "rw,xattr,name=systemd" is "name=systemd". */
function findHierarchy(options: string, ownCgroups: readonly OwnCgroup[]): string | undefined {
  const set = options.split(",");
  return ownCgroups.find(
    ({ controllers }) => controllers !== "" && controllers.split(",").every((name) => set.includes(name)),
  )?.controllers;
}

/** mountinfo writes space, tab, newline and backslash as \040, \011, \012 and \134. */
export function unescapeOctal(text: string): string {
  let at = text.indexOf("\\");
  if (at < 0) return text;
  let result = "";
  let done = 0;
  for (; at >= 0; at = text.indexOf("\\", done)) {
    result += text.slice(done, at) + String.fromCharCode(Number.parseInt(text.slice(at + 1, at + 4), 8));
    done = at + 4;
  }
  return result + text.slice(done);
}

/** "0 0 4294967295" in columns: every id is itself, as it is in the first user namespace. */
export function isIdentityMap(text: string): boolean {
  const fields = text.split(" ").filter((field) => field !== "");
  return fields.length === 3 && fields[0] === "0" && fields[1] === "0" && fields[2]?.trim() === "4294967295";
}

/** securityfs is not always mounted; then the modules that matter here are found by their own files. */
function readSecurityModules(host: Host): string[] {
  const list = host.readFileIfExists("/sys/kernel/security/lsm", MAX_SMALL_FILE);
  if (list !== null) return list.trim().split(",");
  const found: string[] = [];
  if (host.readFileIfExists("/sys/module/apparmor/parameters/enabled", MAX_SMALL_FILE)?.startsWith("Y")) {
    found.push("apparmor");
  }
  if (host.fileInfo("/sys/fs/selinux/enforce", 0) !== null) found.push("selinux");
  return found;
}
