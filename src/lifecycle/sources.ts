// SPDX-License-Identifier: Apache-2.0
// The host side of `receive_sources`.
import type { Host } from "../host/functions.ts";
import type { LaunchPlan } from "../plan/plan.ts";
import type { InitProcess } from "./init.ts";

/** Opens the plan's sources in init's mount namespace, maps their ids, and sends them. */
export function handSources(host: Host, init: InitProcess, { sources }: Pick<LaunchPlan, "sources">): void {
  const maps: string[] = [];
  const flags = sources.map(({ recursive, idMaps, mapRecursively }) => {
    let map = 0;
    if (idMaps === "container") map = 1;
    else if (idMaps !== null) map = 1 + maps.push(idMaps.uid, idMaps.gid) / 2;
    return (recursive ? 1 : 0) | (mapRecursively ? 2 : 0) | (map << 2);
  });
  const paths = sources.map(({ path }) => path);
  host.handSources(init.controlFd, init.pid, paths, flags, maps);
}
