// SPDX-License-Identifier: Apache-2.0
// STATE_ROOT/ID/config.json: what a container was started with. It bounds what `exec` may do later, whatever has become
// of the bundle and the manifest since.
import type { Host, Json } from "../host/functions.ts";
import type { Grants } from "../manifest/schema.ts";
import type { Spec } from "../spec/config.ts";
import { decodeSpec } from "../spec/decode.ts";
import { type Storable, toJsonText } from "./json_text.ts";
import type { StateDirectory } from "./store.ts";

const maxBytes = 32 << 20;

/** `grants`: of the manifest that it was started under; null where nothing was enforced. */
export type EffectiveConfig = { spec: Spec; grants: Grants | null };

/** As it was written; the grants are decoded where the policy is, which a container without a manifest never loads. */
export type StoredConfig = { spec: Spec; grants: Json };

function filePath(directory: StateDirectory): string {
  return `${directory.path}/config.json`;
}

/** By the creating command. Not fsynced: after a power loss there is no container to exec into. */
export function writeEffectiveConfig(host: Host, directory: StateDirectory, config: EffectiveConfig): void {
  const { process, ...rest } = config.spec;
  const stored = process.args.length === 0 ? { ...config, spec: rest } : config;
  host.createFile(filePath(directory), toJsonText(stored as Storable), 0o600, 0);
}

/** By a command that changed what is in force. Readers see the old or the new one. */
export function replaceEffectiveConfig(host: Host, directory: StateDirectory, config: StoredConfig): void {
  host.replaceFile(filePath(directory), toJsonText(config as Storable), 0o600, 0);
}

/** @throws EdgerunError HOST, CONFIG_INVALID */
export function readEffectiveConfig(host: Host, directory: StateDirectory): StoredConfig {
  const path = filePath(directory);
  const { spec, grants = null } = host.readJson(path, maxBytes) as { [name: string]: Json };
  return { spec: decodeSpec(spec ?? null, path).spec, grants };
}
