// SPDX-License-Identifier: Apache-2.0
// The part of the program for `checkpoint` and `restore`, by criu(8).
export { checkpoint } from "./checkpoint.ts";
export { restore } from "./restore.ts";
