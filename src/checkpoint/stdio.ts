// SPDX-License-Identifier: Apache-2.0
// stdin, stdout and stderr of a container's first process come from outside: pipes, sockets or files of an engine. The
// images name them (IMAGES/descriptors.json, runc's file), and a restore puts its own stdio in their place.
// Source: criu(8), "--inherit-fd", "--external"; libcontainer's criu_linux.go for the file.
import type { Host } from "../host/functions.ts";
import type { MountEntry } from "./mount_table.ts";

const fileName = "descriptors.json";
const maxBytes = 64 << 10;
const typeMask = 0o170000;
const fifo = 0o010000;
const socket = 0o140000;
const characterDevice = 0o020000;

export type Stdio = {
  /** What CRIU calls descriptor 0, 1 and 2; "" where it is nothing of the outside. */
  names: string[];
  /** What CRIU is told to leave to the restore. */
  external: string[];
  /** Names of what is /dev/null: it stays that, whatever the restore's own stdio is. */
  nulls: string[];
};

/** @param mounts those of the container: a file on one of them CRIU restores by its path */
export function describeStdio(
  host: Host,
  pid: number,
  mounts: readonly MountEntry[],
  hostMounts: readonly MountEntry[],
): Stdio {
  const stdio: Stdio = { names: [], external: [], nulls: [] };
  for (let fd = 0; fd < 3; fd++) {
    const info = host.fileInfo(`/proc/${pid}/fd/${fd}`, 1);
    const mountId = info === null ? -1 : readMountId(host, pid, fd);
    const [mode = 0, , , , , inode = 0, major = 0, minor = 0] = info ?? [];
    const isNamed = hostMounts.some(({ id }) => id === mountId);
    let name = "";
    if (info === null || mounts.some(({ id }) => id === mountId)) name = "";
    else if ((mode & typeMask) === socket) name = `socket:[${inode}]`;
    else if ((mode & typeMask) === fifo && !isNamed) name = `pipe:[${inode}]`;
    else if (!isTerminal(mode, major)) name = `file[${mountId.toString(16)}:${inode.toString(16)}]`;
    if (name.startsWith("socket:")) stdio.external.push(`unix[${inode}]`);
    if (name.startsWith("file[")) stdio.external.push(name);
    if (name !== "" && (mode & typeMask) === characterDevice && major === 1 && minor === 3) {
      stdio.nulls.push(name);
      name = "";
    }
    stdio.names.push(name);
  }
  return stdio;
}

/** Terminals of the host are for --shell-job. Majors: TTY, alternate TTY, UNIX98 slaves. */
function isTerminal(mode: number, major: number): boolean {
  return (mode & typeMask) === characterDevice && (major === 4 || major === 5 || (major >= 136 && major <= 143));
}

function readMountId(host: Host, pid: number, fd: number): number {
  const text = host.readFileIfExists(`/proc/${pid}/fdinfo/${fd}`, maxBytes) ?? "";
  const label = "mnt_id:";
  const at = text.indexOf(label);
  return at < 0 ? -1 : Number.parseInt(text.slice(at + label.length), 10);
}

export function writeStdioNames(host: Host, images: string, names: readonly string[]): void {
  host.replaceFile(`${images}/${fileName}`, JSON.stringify(names), 0o600, 0);
}

/** What our own stdio stands in for, as CRIU wants it. @throws EdgerunError HOST */
export function readInheritedStdio(host: Host, images: string): { key: string; fd: number }[] {
  const names = host.readJson(`${images}/${fileName}`, maxBytes);
  if (!Array.isArray(names)) return [];
  const inherited: { key: string; fd: number }[] = [];
  const add = (key: string, fd: number): void => {
    // As stdout and stderr are often the same pipe: the first descriptor of a name counts.
    if (!inherited.some((other) => other.key === key)) inherited.push({ key, fd });
  };
  names.slice(0, 3).forEach((name, fd) => {
    if (typeof name !== "string") return;
    if (name.startsWith("pipe:[") || name.startsWith("socket:[")) add(name, fd);
    // A file has its name twice for CRIU. By the whole one it takes only a file of the old one's size and permissions;
    // without the first letter it is a path like others to it, and the descriptor is taken as it is.
    if (name.startsWith("file[")) add(name.slice(1), fd);
  });
  return inherited;
}
