// SPDX-License-Identifier: Apache-2.0
// A root file system made of one static busybox.

import { chmodSync, copyFileSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { execute } from "./process.ts";

const busybox = ["/usr/bin/busybox", "/bin/busybox"].find((path) => existsSync(path)) ?? "/bin/busybox";
let applets: string[] | undefined;

/** Makes a root file system with busybox, its applets, an /etc, and empty mount points. */
export function makeRootfs(directory: string): string {
  for (const name of ["bin", "dev", "etc", "proc", "root", "sys", "tmp", "usr/bin", "var"]) {
    mkdirSync(join(directory, name), { recursive: true });
  }
  copyFileSync(busybox, join(directory, "bin/busybox"));
  chmodSync(join(directory, "bin/busybox"), 0o755);
  chmodSync(join(directory, "tmp"), 0o1777);
  applets ??= execute(busybox, ["--list"]).stdout.trim().split("\n");
  for (const applet of applets) {
    if (applet !== "busybox") symlinkSync("busybox", join(directory, "bin", applet));
  }
  writeFileSync(join(directory, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000::/home/app:/bin/sh\n");
  writeFileSync(join(directory, "etc/group"), "root:x:0:\nwheel:x:10:app\napp:x:1000:\n");
  return directory;
}
