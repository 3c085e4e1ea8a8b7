// SPDX-License-Identifier: Apache-2.0
// STATE_ROOT/ID/mounts.json: the mounts that were added to the running container.
import type { Host } from "../host/functions.ts";
import { decode } from "../schema/decode.ts";
import type { Decoded, Schema } from "../schema/schema.ts";
import { toJsonText } from "./json_text.ts";
import type { StateDirectory } from "./store.ts";

const maxBytes = 1 << 20;

/** `mountId`: as in /proc/PID/mountinfo of the container. */
const addedMountSchema = {
  required: { destination: "absolute_path", mountId: "u32" },
  optional: {},
} as const satisfies Schema;

export type AddedMount = Decoded<typeof addedMountSchema>;

function filePath(directory: StateDirectory): string {
  return `${directory.path}/mounts.json`;
}

/** In the order in which they were added. @throws EdgerunError HOST, CONFIG_INVALID */
export function readAddedMounts(host: Host, directory: StateDirectory): AddedMount[] {
  const path = filePath(directory);
  if (host.fileInfo(path, 0) === null) return [];
  return decode({ list: addedMountSchema }, host.readJson(path, maxBytes), path).value;
}

export function writeAddedMounts(host: Host, directory: StateDirectory, mounts: readonly AddedMount[]): void {
  host.replaceFile(filePath(directory), toJsonText(mounts), 0o600, 0);
}
