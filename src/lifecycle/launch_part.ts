// SPDX-License-Identifier: Apache-2.0
// The part of the program that starts processes.

export { readEffectiveConfig, writeEffectiveConfig } from "../state/effective_config.ts";
export { writeStoredManifest } from "../state/stored_manifest.ts";
export { checkTerminal, claimContainer, create, handTerminalOver, newRecord, writePidFile } from "./create.ts";
export { exec } from "./exec.ts";
export { findCgroups } from "./recovery.ts";
export { run } from "./run.ts";
