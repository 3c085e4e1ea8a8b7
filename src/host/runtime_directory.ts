// SPDX-License-Identifier: Apache-2.0
// Where what lives as long as the machine runs is kept. Only root can write in /run; root of a user namespace (podman
// without root) is a user, too, unless they say otherwise: the rule is runc's.
import { isIdentityMap } from "./facts.ts";
import type { Host, Request } from "./functions.ts";

export const systemRuntimeDirectory = "/run/edgerun";

/** Absolute; it need not be there. */
export function findRuntimeDirectory(host: Host, { env, uid }: Request): string {
  const directory = variable(env, "XDG_RUNTIME_DIR") ?? "";
  if (!directory.startsWith("/")) return systemRuntimeDirectory;
  if (uid === 0 && variable(env, "USER") === "root") return systemRuntimeDirectory;
  if (uid === 0 && isIdentityMap(host.readFile("/proc/self/uid_map", 4096))) return systemRuntimeDirectory;
  return `${directory}/edgerun`;
}

function variable(env: readonly string[], name: string): string | undefined {
  const prefix = `${name}=`;
  return env.find((entry) => entry.startsWith(prefix))?.slice(prefix.length);
}
