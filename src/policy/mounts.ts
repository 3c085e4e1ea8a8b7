// SPDX-License-Identifier: Apache-2.0
// Mounts: those that every container has (base), files of the engine, tmpfs that are bounded, and bind mounts that the
// manifest grants. Everything else is denied.
import type { Grants, MountGrant } from "../manifest/schema.ts";
import { isPlainPath } from "../manifest/text.ts";
import type { IdMapping, Linux, Mount } from "../spec/config.ts";
import type { Decision } from "./decision.ts";
import { isEngineFile } from "./engine_files.ts";
import { formatBytes } from "./quantities.ts";

type BaseMount = { destination: string; types: readonly string[]; force: readonly string[] };

/** File systems that show the container itself, and may be mounted in their usual place only. */
function baseMounts(): BaseMount[] {
  return [
    { destination: "/proc", types: ["proc"], force: ["nosuid", "noexec", "nodev"] },
    { destination: "/sys", types: ["sysfs"], force: ["nosuid", "noexec", "nodev", "ro"] },
    { destination: "/sys/fs/cgroup", types: ["cgroup", "cgroup2"], force: ["nosuid", "noexec", "nodev", "ro"] },
    { destination: "/dev", types: ["tmpfs"], force: ["nosuid"] },
    { destination: "/dev/pts", types: ["devpts"], force: ["nosuid", "noexec"] },
    { destination: "/dev/mqueue", types: ["mqueue"], force: ["nosuid", "noexec", "nodev"] },
  ];
}

/** The mounts as far as they are granted, in the bundle's order; denied ones are left out. */
export function limitMounts(mounts: readonly Mount[], linux: Linux, grants: Grants, decisions: Decision[]): Mount[] {
  const limited: Mount[] = [];
  for (const mount of mounts) {
    if (mapsIds(mount, linux)) {
      deny(mount, "-", "base: no mapped mounts", decisions);
      continue;
    }
    const result = limitMount(mount, grants, decisions);
    if (result !== undefined) limited.push(result);
  }
  return limited;
}

function limitMount(asked: Mount, grants: Grants, decisions: Decision[]): Mount | undefined {
  const mount = { ...asked, destination: plainPath(`/${asked.destination}`) };
  // Compared as text, so it must be in the one form that has no other meaning.
  if (!isPlainPath(mount.destination)) return deny(mount, "-", "base: plain paths", decisions);
  // It would undo what is granted here of the mount that is there: read-only, nodev.
  if (mount.options?.includes("remount")) return deny(mount, "-", "base: no remounts", decisions);
  if (isBind(mount)) return limitBind({ ...mount, source: plainPath(mount.source ?? "") }, grants, decisions);
  const base = baseMounts().find((one) => one.destination === mount.destination);
  if (base?.types.includes(mount.type ?? "")) {
    const result = forceOptions(mount, base.force);
    if (base.force.includes("ro") && !isReadOnly(mount)) {
      const rule = "base: mounts";
      const subject = `mount ${mount.destination}`;
      decisions.push({ subject, asked: `${mount.type} rw`, granted: `${mount.type} ro`, verdict: "clamped", rule });
    }
    return result;
  }
  if (mount.type === "tmpfs") return limitTmpfs(mount, grants, decisions);
  return deny(mount, "-", "base: mounts", decisions);
}

/**
 * Ids that are mapped let the container be somebody in the volume that it is not in the container. As in its own user
 * namespace they don't.
 */
function mapsIds({ uidMappings, gidMappings, options = [] }: Mount, linux: Linux): boolean {
  if (options.some((option) => option.startsWith("idmap=") || option.startsWith("ridmap="))) return true;
  if (uidMappings === undefined && gidMappings === undefined) return false;
  return !isSameMap(uidMappings, linux.uidMappings) || !isSameMap(gidMappings, linux.gidMappings);
}

function isSameMap(asked: readonly IdMapping[] = [], own: readonly IdMapping[] = []): boolean {
  return JSON.stringify(asked) === JSON.stringify(own);
}

function isBind(mount: Mount): boolean {
  return mount.type === "bind" || (mount.options ?? []).some((option) => option === "bind" || option === "rbind");
}

function limitBind(mount: Mount & { source: string }, grants: Grants, decisions: Decision[]): Mount | undefined {
  const { source, destination } = mount;
  if (!isPlainPath(source)) return deny(mount, "-", "base: plain paths", decisions);
  const index = (grants.mounts ?? []).findIndex((one) => one.source === source && one.destination === destination);
  const grant = grants.mounts?.[index];
  const subject = `mount ${destination}`;
  const asked = describe(mount);
  if (grant === undefined) {
    if (!isEngineFile(source, destination)) {
      return deny(mount, explainMissing(destination, grants), "grants.mounts", decisions);
    }
    decisions.push({ subject, asked, granted: asked, verdict: "granted", rule: "base: engine files" });
    return forceOptions(mount, ["nosuid", "nodev"]);
  }
  const force = ["nosuid", "nodev"];
  // rro: a read-only bind mount leaves what is mounted below its source writable.
  if (grant.access === "ro") force.push("ro", "rro");
  const clamped = grant.access === "ro" && !isReadOnly(mount);
  decisions.push({
    subject,
    asked,
    granted: `${source} ${clamped || isReadOnly(mount) ? "ro" : "rw"}`,
    verdict: clamped ? "clamped" : "granted",
    rule: `grants.mounts[${index}]`,
  });
  return forceOptions(mount, force);
}

function explainMissing(destination: string, grants: Grants): string {
  const grant = grants.mounts?.find((one: MountGrant) => one.destination === destination);
  return grant === undefined ? "-" : `${grant.source} ${grant.access}`;
}

/** A tmpfs takes memory, which is granted: so it may be made, but no larger than that, and without devices or setuid. */
function limitTmpfs(mount: Mount, grants: Grants, decisions: Decision[]): Mount | undefined {
  const { destination } = mount;
  // Over these it would hide what is masked and read-only there.
  const hides = ["/proc", "/sys"].some((path) => destination === path || destination.startsWith(`${path}/`));
  if (hides || destination === "/") return deny(mount, "-", "base: tmpfs", decisions);
  const limit = BigInt(grants.memory.limitBytes);
  const sizes = (mount.options ?? []).filter(isSizeOption);
  const size = sizes.length === 1 ? parseSize(sizes[0]!) : undefined;
  const fits = size !== undefined && size <= limit;
  const kept = (mount.options ?? []).filter((option) => !isSizeOption(option));
  const bounded = { ...mount, options: [...kept, `size=${fits ? size : limit}`] };
  decisions.push({
    subject: `mount ${destination}`,
    asked: sizes.length === 0 ? "tmpfs no limit" : `tmpfs ${size === undefined ? sizes.join(",") : formatBytes(size)}`,
    granted: `tmpfs ${formatBytes(fits ? size : limit)}`,
    verdict: fits ? "granted" : "clamped",
    rule: "base: tmpfs",
  });
  return forceOptions(bounded, ["nosuid", "nodev"]);
}

function isSizeOption(option: string): boolean {
  return option.startsWith("size=") || option.startsWith("nr_blocks=");
}

/** Bytes of "size=65536k" (tmpfs(5)); undefined for blocks, per cent, zero (no limit) and what is no number. */
function parseSize(option: string): bigint | undefined {
  if (!option.startsWith("size=")) return undefined;
  const text = option.slice("size=".length);
  const shift = { k: 10n, m: 20n, g: 30n }[text.slice(-1).toLowerCase()];
  const digits = shift === undefined ? text : text.slice(0, -1);
  if (digits === "" || digits.length > 18 || [...digits].some((digit) => digit < "0" || digit > "9")) return undefined;
  const bytes = BigInt(digits) << (shift ?? 0n);
  return bytes > 0n ? bytes : undefined;
}

const opposites: { readonly [option: string]: readonly string[] } = {
  nosuid: ["suid", "rsuid"],
  nodev: ["dev", "rdev"],
  noexec: ["exec", "rexec"],
  ro: ["rw", "rrw"],
  rro: ["rw", "rrw"],
};
/** Mounts made inside must not appear on the host. */
const sharing: readonly string[] = ["shared", "rshared"];

function forceOptions(mount: Mount, force: readonly string[]): Mount {
  const unwanted = [...sharing, ...force, ...force.flatMap((option) => opposites[option] ?? [])];
  const kept = (mount.options ?? []).filter((option) => !unwanted.includes(option));
  return { ...mount, options: [...kept, ...force] };
}

/** The last of the options that say it counts, as in mount(8). */
function isReadOnly(mount: Mount): boolean {
  const said = (mount.options ?? []).filter((option) => ["ro", "rro", "rw", "rrw"].includes(option));
  return said.at(-1)?.endsWith("ro") ?? false;
}

/** Collapses "//" and "/./" and drops a slash at the end. What is relative, or has "..", is left to isPlainPath(). */
function plainPath(path: string): string {
  if (!path.startsWith("/")) return path;
  const names = path.split("/").filter((name) => name !== "" && name !== ".");
  return `/${names.join("/")}`;
}

function describe(mount: Mount): string {
  const what = isBind(mount) ? mount.source : (mount.type ?? "no type");
  return `${what} ${isReadOnly(mount) ? "ro" : "rw"}`;
}

function deny(mount: Mount, granted: string, rule: string, decisions: Decision[]): undefined {
  decisions.push({ subject: `mount ${mount.destination}`, asked: describe(mount), granted, verdict: "denied", rule });
}
