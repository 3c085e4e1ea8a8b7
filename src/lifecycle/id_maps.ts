// SPDX-License-Identifier: Apache-2.0
// The id maps of a new user namespace. Root writes them. Anybody else maps their own id, and nothing more; ranges that
// /etc/subuid and /etc/subgid give them are mapped by newuidmap(1) and newgidmap(1).
import { EdgerunError } from "../errors.ts";
import type { Host, Request } from "../host/functions.ts";
import type { LaunchPlan } from "../plan/plan.ts";

const helperTimeoutMs = 10_000;

/** @throws EdgerunError HOST; UNSUPPORTED where it takes a helper that is not there */
export function writeIdMaps(host: Host, request: Request, pid: number, maps: NonNullable<LaunchPlan["idMaps"]>): void {
  if (request.uid === 0) {
    host.writeFile(`/proc/${pid}/uid_map`, maps.uid);
    host.writeFile(`/proc/${pid}/gid_map`, maps.gid);
    return;
  }
  if (mapsOnly(maps.uid, request.uid)) host.writeFile(`/proc/${pid}/uid_map`, maps.uid);
  else runHelper(host, request, "newuidmap", pid, maps.uid);
  if (mapsOnly(maps.gid, request.gid)) {
    // Else a user could leave a group that takes rights away (user_namespaces(7)).
    host.writeFile(`/proc/${pid}/setgroups`, "deny");
    host.writeFile(`/proc/${pid}/gid_map`, maps.gid);
  } else {
    runHelper(host, request, "newgidmap", pid, maps.gid);
  }
}

function mapsOnly(map: string, id: number): boolean {
  const fields = map.trim().split("\n").join(" ").split(" ");
  return fields.length === 3 && fields[1] === String(id) && fields[2] === "1";
}

function runHelper(host: Host, request: Request, name: string, pid: number, map: string): void {
  const path = findProgram(host, request, name);
  if (path === undefined) {
    const what = name === "newuidmap" ? "linux.uidMappings" : "linux.gidMappings";
    throw new EdgerunError(
      "UNSUPPORTED",
      `config.json: $.${what}: a user can map one id, their own, to itself; for more it takes ${name}, which is not in $PATH`,
    );
  }
  const args = [name, String(pid), ...map.trim().split("\n").join(" ").split(" ")];
  const result = host.runProgram(path, args, [], "", helperTimeoutMs) as { exitCode: number; output: string };
  if (result.exitCode === 0) return;
  throw new EdgerunError("HOST", `cannot map ids: "${path}": ${result.output.trim().replaceAll("\n", " | ")}`);
}

function findProgram(host: Host, request: Request, name: string): string | undefined {
  const prefix = "PATH=";
  const searchPath = request.env.find((entry) => entry.startsWith(prefix))?.slice(prefix.length) ?? "/usr/bin:/bin";
  return searchPath
    .split(":")
    .filter((directory) => directory.startsWith("/"))
    .map((directory) => `${directory}/${name}`)
    .find((path) => host.fileInfo(path, 1) !== null);
}
