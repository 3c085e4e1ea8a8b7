// SPDX-License-Identifier: Apache-2.0
// The part of the program that starts processes.
export { create } from "./create.ts";
export { exec } from "./exec.ts";
export { findCgroups } from "./recovery.ts";
export { run } from "./run.ts";
