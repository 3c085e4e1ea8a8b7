// SPDX-License-Identifier: Apache-2.0
// STATE_ROOT/ID/manifest.jws: the signed manifest that a container was created under, as it was verified. It is checked
// again when the container is started, whatever has become of the file that it came from.
import type { Host } from "../host/functions.ts";
import type { StateDirectory } from "./store.ts";

const maxBytes = 8 << 20;

function filePath(directory: StateDirectory): string {
  return `${directory.path}/manifest.jws`;
}

/** Written once, by the creating command. Not fsynced: after a power loss there is no container to start. */
export function writeStoredManifest(host: Host, directory: StateDirectory, text: string): void {
  host.createFile(filePath(directory), text, 0o600, 0);
}

/** @throws EdgerunError HOST */
export function readStoredManifest(host: Host, directory: StateDirectory): string {
  return host.readFile(filePath(directory), maxBytes);
}
