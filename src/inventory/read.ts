// SPDX-License-Identifier: Apache-2.0
import { EdgerunError, wrap } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import { manifestFormats } from "../manifest/formats.ts";
import { decode } from "../schema/decode.ts";
import { quote } from "../schema/describe.ts";
import { type Inventory, inventorySchema, inventorySchemaV1 } from "./schema.ts";

const maxInventoryBytes = 1 << 20;
const fileTypeMask = 0o170000;
const regularFile = 0o100000;
const writableByOthers = 0o022;

/**
 * The host inventory; an empty one where there is no such file.
 * @throws EdgerunError CONFIG_INVALID if it is not in order, or if others than root (or our user) could have written it
 */
export function readInventory(host: Host, path: string, uid: number): Inventory {
  const info = host.fileInfo(path, 0);
  if (info === null) return { schema: inventorySchemaV1 };
  const [mode = 0, owner = -1] = info;
  if ((mode & fileTypeMask) !== regularFile || (owner !== 0 && owner !== uid) || (mode & writableByOthers) !== 0) {
    throw new EdgerunError(
      "CONFIG_INVALID",
      `host inventory ${quote(path)} must be a regular file that belongs to root and is not writable by others (chown 0, chmod go-w)`,
    );
  }
  try {
    const json = host.readJson(path, maxInventoryBytes);
    return decode(inventorySchema, json, "inventory", "CONFIG_INVALID", manifestFormats).value;
  } catch (error) {
    throw wrap(`host inventory ${quote(path)} is refused`, error);
  }
}
