// SPDX-License-Identifier: Apache-2.0
// A root file system being put together. Every access is by a path that is resolved here first, component by
// component from the root: no symbolic link is ever followed by the kernel in a parent path, and a link's target is
// taken relative to the root file system ("/" is the root, ".." stops at it), as in the container.
// Sound because nobody else writes here meanwhile: the tree is in a 0700 directory that this process made.
//
// Paths are byte strings relative to the root, without "." or ".." or empty components; "" is the root itself.

import {
  chmodSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  type Stats,
  unlinkSync,
} from "node:fs";
import { fromBytes, fromText, quote, toBytes } from "./byte_string.ts";
import { imageError } from "./failure.ts";

const MAX_LINKS = 40; // as the kernel's own path walk

export class Rootfs {
  readonly #root: string;
  readonly #scratch: string;
  /** Directories whose modification time is set at the end: making or removing a child changes it. */
  readonly #times = new Map<string, number>();
  readonly #withXattrs = new Set<string>();
  /** The first path that has an access control list in the image. The tree has none. */
  firstAcl: string | undefined;

  /** Makes the directory `root`, owned by root and 0755. `scratch`: a path beside it that this class may use. */
  constructor(root: string, scratch: string) {
    this.#root = fromText(root);
    this.#scratch = fromText(scratch);
    this.makeDirectory("");
  }

  /** The host path, for node:fs. */
  hostPath(path: string): Buffer {
    return toBytes(path === "" ? this.#root : `${this.#root}/${path}`);
  }

  /** What is at the path, not following a link; undefined if nothing. */
  stat(path: string): Stats | undefined {
    return lstatSync(this.hostPath(path), { throwIfNoEntry: false });
  }

  /** The names in a directory. */
  list(path: string): string[] {
    return readdirSync(this.hostPath(path), { encoding: "buffer" }).map(fromBytes);
  }

  /**
   * The path of the directory that the components lead to, links resolved within the root; undefined if it is not
   * there. With `make`, missing directories are made (0755, owned by root), those that a dangling link names too.
   * @throws EdgerunError IMAGE_INVALID when a component is neither directory nor link, or for a loop of links
   */
  findDirectory(components: readonly string[], make = false): string | undefined {
    const pending = [...components].reverse();
    const found: string[] = [];
    let links = 0;
    while (pending.length > 0) {
      const component = pending.pop()!;
      if (component === "" || component === ".") continue;
      if (component === "..") {
        found.pop();
        continue;
      }
      found.push(component);
      const path = found.join("/");
      const stat = this.stat(path);
      if (stat === undefined) {
        if (!make) return undefined;
        this.makeDirectory(path);
      } else if (stat.isSymbolicLink()) {
        if (++links > MAX_LINKS) throw imageError(`too many symbolic links in ${quote(components.join("/"))}`);
        const target = fromBytes(readlinkSync(this.hostPath(path), { encoding: "buffer" }));
        if (target.startsWith("/")) found.length = 0;
        else found.pop();
        pending.push(...target.split("/").reverse());
      } else if (!stat.isDirectory()) {
        throw imageError(`${quote(path)} is not a directory, but ${quote(components.join("/"))} goes through it`);
      }
    }
    return found.join("/");
  }

  /** Makes a directory, 0755 and owned by root, whose time is the epoch until `setTime` says otherwise. */
  makeDirectory(path: string): void {
    mkdirSync(this.hostPath(path));
    chmodSync(this.hostPath(path), 0o755); // whatever the umask
    this.#times.set(path, 0);
  }

  /** Removes whatever is at the path, with everything below it. Absent is fine. */
  remove(path: string): void {
    const stat = this.stat(path);
    if (stat === undefined) return;
    if (!stat.isDirectory()) {
      unlinkSync(this.hostPath(path));
      return;
    }
    for (const name of this.list(path)) this.remove(`${path}/${name}`);
    rmdirSync(this.hostPath(path));
    this.#times.delete(path);
    this.#withXattrs.delete(path);
  }

  /** A second name for the same file; a link is not followed. */
  link(existing: string, path: string): void {
    linkSync(this.hostPath(existing), this.hostPath(path));
  }

  /** Calls `make` with a plain host path beside the tree, then moves what it made to `path`. */
  moveIn(path: string, make: (hostPath: string) => void): void {
    make(toBytes(this.#scratch).toString("utf8"));
    renameSync(toBytes(this.#scratch), this.hostPath(path));
  }

  /** Puts a fresh inode in place of a directory that has extended attributes; what is in it stays. */
  clearXattrs(path: string): void {
    if (!this.#withXattrs.has(path)) return;
    if (path === "") throw imageError("two layers set extended attributes of the root directory");
    mkdirSync(toBytes(this.#scratch), 0o700);
    for (const name of this.list(path)) {
      renameSync(this.hostPath(`${path}/${name}`), toBytes(`${this.#scratch}/${name}`));
    }
    rmdirSync(this.hostPath(path));
    renameSync(toBytes(this.#scratch), this.hostPath(path));
    this.#withXattrs.delete(path);
  }

  /** Remembers that the directory has extended attributes, for `clearXattrs`. */
  noteXattrs(path: string): void {
    this.#withXattrs.add(path);
  }

  /** Remembers that the path has an access control list in the image, for a warning. */
  noteAcl(path: string): void {
    this.firstAcl ??= path;
  }

  /** The modification time (seconds since the epoch) that the directory gets from `finish`. */
  setTime(path: string, mtime: number): void {
    this.#times.set(path, mtime);
  }

  /** Sets the directories' times: the last thing to do. */
  finish(): void {
    for (const [path, mtime] of this.#times) lutimesSync(this.hostPath(path), mtime, mtime);
  }
}
