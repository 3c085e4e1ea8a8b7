// SPDX-License-Identifier: Apache-2.0
// The part of the program with commands on containers that no start and no end of one needs.
export { list, ps } from "./listing.ts";
export { pause, resume } from "./pause.ts";
export { deleteMatching, killMatching } from "./several.ts";
