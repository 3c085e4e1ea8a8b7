// SPDX-License-Identifier: Apache-2.0
// config.json of a bundle: the default spec, with what the image says about its process (image-spec conversion.md).

import type { Spec } from "../../spec/config.ts";
import { defaultSpec } from "../../spec/default.ts";
import { createAnnotations, keys } from "./annotations.ts";
import { quote } from "./byte_string.ts";
import { asObject, asString, asStrings } from "./descriptor.ts";
import { imageError } from "./failure.ts";
import type { Image } from "./image.ts";
import type { Rootfs } from "./rootfs.ts";
import { resolveUser } from "./user.ts";

const DEFAULT_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** A config, and what of the image it doesn't hold, for the owner to know. */
export interface CreatedConfig {
  spec: Spec;
  warnings: string[];
}

/**
 * The config for the image unpacked in `rootfs`. `args`, if not empty, takes the place of Entrypoint and Cmd.
 * No limits and no devices: those are the owner's to add. The namespaces are new ones, the cgroup's too.
 * @throws EdgerunError IMAGE_INVALID for an image config that can't be run
 */
export function createConfig(image: Image, rootfs: Rootfs, args: readonly string[]): CreatedConfig {
  const config = asObject(image.config.config ?? {}, "image config: config");
  const imageArgs = [...asStrings(config.Entrypoint, "Entrypoint"), ...asStrings(config.Cmd, "Cmd")];
  if (args.length === 0 && imageArgs.length === 0) {
    throw imageError('the image has neither Entrypoint nor Cmd: give the program after "--"');
  }
  const cwd = asString(config.WorkingDir, "WorkingDir") || "/";
  if (!cwd.startsWith("/")) throw imageError(`WorkingDir ${JSON.stringify(cwd)} is not absolute`);
  const env = asStrings(config.Env, "Env");
  for (const variable of env) {
    if (variable.indexOf("=") < 1) throw imageError(`Env: ${JSON.stringify(variable)} is not NAME=VALUE`);
  }
  if (!env.some((variable) => variable.startsWith("PATH="))) env.unshift(DEFAULT_PATH);

  const { annotations, omitted } = createAnnotations(image);
  const spec = defaultSpec({ cgroupNamespace: true });
  spec.process = {
    ...spec.process,
    terminal: false,
    user: resolveUser(rootfs, asString(config.User, "User")),
    args: args.length === 0 ? imageArgs : [...args],
    env,
    cwd,
  };
  spec.root = { path: "rootfs", readonly: false };
  spec.hostname = "edgerun";
  spec.annotations = annotations;

  const warnings = omitted.map((key) => `label ${JSON.stringify(key)} is reserved: it is not in config.json`);
  const volumes = keys(config.Volumes, "Volumes");
  if (rootfs.firstAcl !== undefined) {
    const first = quote(`/${rootfs.firstAcl}`);
    warnings.push(`ACLs are ignored (first: ${first}): owner, group and mode alone can grant more than the ACL did`);
  }
  if (volumes.length > 0) warnings.push(`volumes are not mounted: add mounts to config.json for ${volumes.join(", ")}`);
  return { spec, warnings };
}

/** The text of config.json. The limits of the default rlimits are small: as numbers they lose nothing. */
export function printConfig(spec: Spec): string {
  return `${JSON.stringify(spec, (_key, value) => (typeof value === "bigint" ? Number(value) : value), "\t")}\n`;
}
