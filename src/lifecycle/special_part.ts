// SPDX-License-Identifier: Apache-2.0
// What few containers ask for.
export { moveInterfaces } from "./interfaces.ts";
export { claimResctrlGroup, findResctrl, joinResctrlGroup, makeResctrlGroup } from "./resctrl.ts";
