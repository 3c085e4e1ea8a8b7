// SPDX-License-Identifier: Apache-2.0
import { EdgerunError } from "../../errors.ts";
import { type Command, defineCommand } from "../grammar.ts";

/** `owner`: not on the device; bin/edgerun.mjs answers it under Node before main() is called. */
export function ownerCommand(): Command {
  return defineCommand({
    name: "owner",
    summary: "the owner's commands: keys, manifests, bundles (under Node.js only)",
    usage: "<command> [arguments...]",
    flags: {},
    flagPlaces: "before arguments",
    minArgs: 0,
    maxArgs: Number.POSITIVE_INFINITY,
    run() {
      throw new EdgerunError("UNSUPPORTED", "the owner's commands need Node.js: install the npm package edgerun");
    },
  });
}
