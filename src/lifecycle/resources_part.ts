// SPDX-License-Identifier: Apache-2.0
// The part of the program about the limits of running containers.
export { update } from "./update.ts";
