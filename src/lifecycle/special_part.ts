// SPDX-License-Identifier: Apache-2.0
// What few containers ask for.
export { moveInterfaces } from "./interfaces.ts";
