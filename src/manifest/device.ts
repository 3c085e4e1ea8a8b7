// SPDX-License-Identifier: Apache-2.0
// Who this device is, CONFIG_ROOT/device.json: written when it is made or provisioned, only root can write it. It is what
// the audience of a manifest is compared with.
import { decode } from "../schema/decode.ts";
import { quote } from "../schema/describe.ts";
import type { Decoded, Schema } from "../schema/schema.ts";
import { manifestFormats } from "./formats.ts";
import type { Audience } from "./schema.ts";
import { readOwnedJson, type Site } from "./site.ts";
import { invalidManifest } from "./text.ts";

export const deviceV1 = "edgerun/device/v1";

export const deviceSchema = {
  required: { schema: { oneOf: [deviceV1] }, id: "nonempty_string" },
  optional: { classes: { list: { text: "logical_name" } } },
  unknown: "reject",
} as const satisfies Schema;

export type Device = Decoded<typeof deviceSchema>;

const maxDeviceBytes = 65536;

/** @throws MANIFEST_INVALID if the file is not in order; null if there is none */
export function readDevice(site: Site): Device | null {
  const path = `${site.configRoot}/device.json`;
  const json = readOwnedJson(site, path, maxDeviceBytes, "device identity");
  if (json === undefined) return null;
  return decode(deviceSchema, json, path, "MANIFEST_INVALID", manifestFormats).value;
}

/**
 * Checks that this device is one of those that are meant.
 * @param what names the document in the error: `manifest "a"`
 * @throws MANIFEST_INVALID naming both
 */
export function requireAudience(site: Site, audience: Audience, what: string): void {
  const device = readDevice(site);
  if (device === null) {
    throw invalidManifest(`${what} is for certain devices, and ${quote(`${site.configRoot}/device.json`)} is missing`);
  }
  const { devices = [], classes = [] } = audience;
  if (devices.includes(device.id)) return;
  if (device.classes?.some((name) => classes.includes(name))) return;
  const meant = [...devices.map((id) => `device ${quote(id)}`), ...classes.map((name) => `class ${quote(name)}`)];
  const more = meant.length > 4 ? ", ..." : "";
  throw invalidManifest(
    `${what} is for ${meant.slice(0, 4).join(", ")}${more}; this is device ${quote(device.id)}${describeClasses(device)}`,
  );
}

function describeClasses({ classes = [] }: Device): string {
  return classes.length === 0 ? "" : ` of class ${classes.map(quote).join(", ")}`;
}
