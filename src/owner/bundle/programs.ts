// SPDX-License-Identifier: Apache-2.0
// What Node has no function for is done by the usual programs: mknod (coreutils) and setfattr (attr).

import { spawnSync } from "node:child_process";
import { fromBytes, quote } from "./byte_string.ts";
import { imageError, unsupported } from "./failure.ts";

/** Makes a device node or FIFO (type "c", "b", "p"). `path` is a host path that is not in the image's hands. */
export function makeSpecialFile(path: string, type: "c" | "b" | "p", major: number, minor: number): void {
  run("mknod", "coreutils", type === "p" ? [path, type] : [path, type, String(major), String(minor)], "");
}

/** Sets extended attributes of one file, directory or link, not following a link. */
export function setXattrs(hostPath: Buffer, xattrs: ReadonlyMap<string, string>): void {
  // The dump format has escapes, so it holds names that are not UTF-8, which an argument to a program can't.
  const lines = [`# file: ${escapeOctal(fromBytes(hostPath))}`];
  for (const [name, value] of xattrs) {
    // Not trusted.*: in trusted.overlay.*, an image could tell overlayfs how to arrange its layers.
    if (!/^(user|security)\.[\x21-\x7e]+$/.test(name)) {
      throw imageError(`the image may not set the extended attribute ${quote(name)}`);
    }
    lines.push(`${escapeOctal(name)}=${value === "" ? '""' : `0x${Buffer.from(value, "latin1").toString("hex")}`}`);
  }
  run("setfattr", "attr", ["-h", "--restore=-"], `${lines.join("\n")}\n\n`);
}

function escapeOctal(name: string): string {
  return name.replace(/[^A-Za-z0-9/._-]/gs, (c) => `\\${c.charCodeAt(0).toString(8).padStart(3, "0")}`);
}

function run(program: string, debianPackage: string, args: string[], input: string): void {
  const result = spawnSync(program, args, { input, encoding: "utf8", timeout: 60_000 });
  if (result.error !== undefined && (result.error as NodeJS.ErrnoException).code === "ENOENT") {
    throw unsupported(`this image needs the program ${program}: install it (Debian: apt install ${debianPackage})`);
  }
  if (result.error !== undefined) throw result.error;
  if (result.status !== 0) throw unsupported(`${program} failed: ${result.stderr.trim().replaceAll("\n", "; ")}`);
}
