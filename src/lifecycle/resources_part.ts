// SPDX-License-Identifier: Apache-2.0
// The part of the program about limits and figures of running containers.
export { events } from "./events.ts";
export { update } from "./update.ts";
