// SPDX-License-Identifier: Apache-2.0
// Maps of ids: of the container's user namespace, and of mounts (config.md "mounts", uidMappings and idmap).
import type { IdMapping, Linux } from "../spec/config.ts";
import { findNamespace } from "../spec/linux.ts";
import type { ParsedMount } from "./mounts.ts";
import type { IdMaps, SourcePlan } from "./plan.ts";
import { invalid } from "./refusal.ts";

/** The text of /proc/PID/uid_map or gid_map. */
export function formatIdMap(mappings: readonly IdMapping[]): string {
  return mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join("");
}

/** Does the mount ask for other ids than those of its source? */
export function isMapped({ mount, options }: ParsedMount): boolean {
  return options.idMap !== undefined || (mount.uidMappings ?? []).length > 0 || (mount.gidMappings ?? []).length > 0;
}

/**
 * How the ids of a mount are mapped: by its own mappings, by those in the option's text, or as in the container's user
 * namespace.
 * @throws CONFIG_INVALID where there is none of them
 */
export function planMountMap(parsed: ParsedMount, linux: Linux): Pick<SourcePlan, "idMaps" | "mapRecursively"> {
  const { mount, jsonPath, options } = parsed;
  const mapRecursively = options.idMap?.recursive ?? false;
  const { uidMappings = [], gidMappings = [] } = mount;
  if (uidMappings.length > 0 || gidMappings.length > 0) {
    if (uidMappings.length === 0 || gidMappings.length === 0) {
      throw invalid(jsonPath, "a mapped mount needs uidMappings and gidMappings");
    }
    return { idMaps: { uid: formatIdMap(uidMappings), gid: formatIdMap(gidMappings) }, mapRecursively };
  }
  const maps = options.idMap?.maps ?? "";
  if (maps !== "") return { idMaps: parseMaps(maps, `${jsonPath}.options`), mapRecursively };
  if (findNamespace(linux, "user") === undefined) {
    throw invalid(
      `${jsonPath}.options`,
      "idmap needs uidMappings and gidMappings, or a user namespace to take them from",
    );
  }
  return { idMaps: "container", mapRecursively };
}

/** crun's form: "uids=0-1000-1;gids=0-1000-1#10-2000-5": for each range its start, what it becomes, its size. */
function parseMaps(text: string, jsonPath: string): IdMaps {
  const maps: { [name: string]: string } = {};
  for (const part of text.split(";")) {
    const [name = "", ranges = ""] = part.split("=");
    if ((name !== "uids" && name !== "gids") || name in maps) {
      throw invalid(jsonPath, `expected idmap=uids=FROM-TO-SIZE;gids=FROM-TO-SIZE, found "${text}"`);
    }
    maps[name] = ranges
      .split("#")
      .map((range) => `${parseRange(range, jsonPath)}\n`)
      .join("");
  }
  const { uids, gids } = maps;
  if (uids === undefined || gids === undefined) throw invalid(jsonPath, `"${text}" needs uids and gids`);
  return { uid: uids, gid: gids };
}

function parseRange(range: string, jsonPath: string): string {
  const numbers = range.split("-");
  const isRange = numbers.length === 3 && numbers.every((digits) => isId(digits)) && numbers[2] !== "0";
  if (!isRange) throw invalid(jsonPath, `expected a range FROM-TO-SIZE of ids, found "${range}"`);
  return numbers.join(" ");
}

function isId(digits: string): boolean {
  if (digits === "" || digits.length > 10) return false;
  for (const digit of digits) if (digit < "0" || digit > "9") return false;
  return Number(digits) < 0xffff_ffff;
}
