// SPDX-License-Identifier: Apache-2.0
import { type Command, defineCommand, usageError } from "../grammar.ts";
import { absolutePath } from "../paths.ts";

const description = `What the owner of this device has signed:
   install FILE     verify a manifest and put it into the store
   list             what is installed, and whether a start would take it
   show APP|FILE    a manifest as JSON
   remove APP       take a manifest out of the store
   verify FILE      verify a manifest as a start would
   revoke FILE      put a revocation list in force; containers that it is about are listed
   check            list containers whose manifest has expired, or is revoked
   trust-root FILE  put a trust root in force`;

/** `manifest`: the device's side of what the owner signs. */
export function manifestCommand(): Command {
  return defineCommand({
    name: "manifest",
    summary: "install, list, verify and revoke what the device's owner has signed",
    usage: "<command> [file or app]",
    description,
    flags: { stop: { kind: "bool", doc: "revoke, check: kill the containers that are listed" } },
    minArgs: 1,
    maxArgs: 2,
    run(context, { flags, args }) {
      const [action = "", name] = args;
      const { manifests } = context.lifecycle;
      const stop = flags.stop === true;
      if (action === "list" || action === "check") {
        if (name !== undefined) throw usageError(`"manifest ${action}" takes no argument`);
        return action === "list" ? manifests().listManifests(context) : manifests().check(context, stop);
      }
      if (name === undefined) throw usageError(`"manifest ${action}" needs a command, and its file or app: see --help`);
      const file = absolutePath(context.request.cwd, name);
      switch (action) {
        case "install":
          return manifests().install(context, file);
        case "verify":
          return manifests().verify(context, file);
        case "show":
          return manifests().show(context, name.endsWith(".jws") || name.includes("/") ? file : name);
        case "remove":
          return manifests().remove(context, name);
        case "revoke":
          return manifests().revoke(context, file, stop);
        case "trust-root":
          return manifests().replaceTrustRoot(context, file);
      }
      throw usageError(`"manifest" has no command "${action}": see --help`);
    },
  });
}
