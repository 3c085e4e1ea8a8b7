// SPDX-License-Identifier: Apache-2.0
// Applies one layer, a tar of changes, to a root file system (image-spec layer.md). The names, links and types in it
// are the attacker's; Rootfs keeps every access inside.

import { quote } from "./byte_string.ts";
import { imageError } from "./failure.ts";
import { makeNode, setMetadata } from "./make_node.ts";
import type { Rootfs } from "./rootfs.ts";
import type { TarEntry, TarReader } from "./tar_reader.ts";

const WHITEOUT = ".wh.";
const OPAQUE = ".wh..wh..opq";
const AUFS_METADATA = ".wh..wh.";

/**
 * Applies the layer's entries in order. `signal` ends it between two entries, with the signal's reason.
 * @throws EdgerunError IMAGE_INVALID for an entry that can't be in an honest layer; the tree is then half changed
 */
export async function applyLayer(rootfs: Rootfs, reader: TarReader, signal?: AbortSignal): Promise<void> {
  const layer = new Layer(rootfs, reader);
  for (let entry = await reader.next(); entry !== undefined; entry = await reader.next()) {
    signal?.throwIfAborted();
    await layer.apply(entry);
  }
}

class Layer {
  readonly #rootfs: Rootfs;
  readonly #reader: TarReader;
  /** What this layer made or went through: whiteouts are only for what lower layers brought. */
  readonly #touched = new Set<string>();

  constructor(rootfs: Rootfs, reader: TarReader) {
    this.#rootfs = rootfs;
    this.#reader = reader;
  }

  async apply(entry: TarEntry): Promise<void> {
    const components = splitName(entry.name, entry.name);
    const name = components.pop();
    if (name === undefined) {
      this.#applyToRoot(entry);
    } else if (name === OPAQUE) {
      this.#hideBelow(this.#rootfs.findDirectory(components));
    } else if ([...components, name].some((component) => component.startsWith(AUFS_METADATA))) {
      // Left over by old versions of Docker: not part of the file system.
    } else if (components.some((component) => component.startsWith(WHITEOUT))) {
      throw imageError(`tar entry ${quote(entry.name)} is below a whiteout`);
    } else if (name.startsWith(WHITEOUT)) {
      this.#applyWhiteout(entry, components, name.slice(WHITEOUT.length));
    } else {
      await this.#make(entry, join(this.#findParent(components), name));
    }
  }

  #applyToRoot(entry: TarEntry): void {
    if (entry.type !== "directory") throw imageError(`tar entry ${quote(entry.name)} would replace the root directory`);
    this.#rootfs.clearXattrs("");
    setMetadata(this.#rootfs, "", entry);
  }

  #applyWhiteout(entry: TarEntry, components: string[], hidden: string): void {
    if (hidden === "" || hidden === "." || hidden === "..") {
      throw imageError(`tar entry ${quote(entry.name)} is a whiteout of no file`);
    }
    const parent = this.#rootfs.findDirectory(components);
    if (parent !== undefined) this.#hide(join(parent, hidden));
  }

  /** Removes what lower layers have at the path; what this layer has there, before or after, stays. */
  #hide(path: string): void {
    if (!this.#touched.has(path)) this.#rootfs.remove(path);
    else if (this.#rootfs.stat(path)?.isDirectory()) this.#hideBelow(path);
  }

  #hideBelow(directory: string | undefined): void {
    if (directory === undefined) return;
    for (const name of this.#rootfs.list(directory)) this.#hide(join(directory, name));
  }

  #findParent(components: string[]): string {
    const parent = this.#rootfs.findDirectory(components, true)!;
    for (let path = parent; path !== ""; path = path.slice(0, Math.max(0, path.lastIndexOf("/")))) {
      this.#touched.add(path);
    }
    return parent;
  }

  async #make(entry: TarEntry, path: string): Promise<void> {
    if (entry.type === "hardlink") {
      this.#makeHardLink(entry, path);
    } else if (entry.type === "directory" && this.#rootfs.stat(path)?.isDirectory()) {
      this.#rootfs.clearXattrs(path);
      setMetadata(this.#rootfs, path, entry);
    } else {
      this.#rootfs.remove(path);
      await makeNode(this.#rootfs, path, entry, this.#reader.data());
    }
    this.#touched.add(path);
  }

  /** The owner, mode and time of a hard link are those of the file: what its own entry says is not used. */
  #makeHardLink(entry: TarEntry, path: string): void {
    const components = splitName(entry.linkname, entry.name);
    const name = components.pop();
    const parent = name === undefined ? undefined : this.#rootfs.findDirectory(components);
    const existing = parent === undefined ? undefined : join(parent, name!);
    const stat = existing === undefined ? undefined : this.#rootfs.stat(existing);
    if (existing === undefined || stat === undefined || stat.isDirectory() || existing === path) {
      throw imageError(`tar entry ${quote(entry.name)}: no file ${quote(entry.linkname)} to link to`);
    }
    // "a" as a link to "a/b" would remove what it links to.
    if (existing.startsWith(`${path}/`))
      throw imageError(`tar entry ${quote(entry.name)} links to a file below itself`);
    this.#rootfs.remove(path);
    this.#rootfs.link(existing, path);
  }
}

/**
 * A tar name as components, without "" and ".": absolute names are relative to the root of the file system.
 * No honest layer has "..", and programs disagree about what it means after a link: it is refused.
 */
function splitName(name: string, entryName: string): string[] {
  const components = name.split("/").filter((component) => component !== "" && component !== ".");
  if (name === "" || name.includes("\0") || components.includes("..")) {
    throw imageError(`tar entry ${quote(entryName)} has the unsafe name ${quote(name)}`);
  }
  return components;
}

function join(directory: string, name: string): string {
  return directory === "" ? name : `${directory}/${name}`;
}
