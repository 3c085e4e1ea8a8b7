// SPDX-License-Identifier: Apache-2.0
import { type Command, defineCommand } from "../grammar.ts";
import { checkId } from "../id.ts";
import { absolutePath, optionalPath } from "../paths.ts";
import { configFlag, readConfigPath } from "./create.ts";

/** `plan`: what `create` would do, without doing it. */
export function planCommand(): Command {
  return defineCommand({
    name: "plan",
    summary: "print what a start would do: every grant, denial and operation",
    usage: "[container-id]",
    description:
      "Shows what the manifest grants, clamps, drops and denies, and the steps of the start. Nothing is started. The exit\ncode is 1 if something is denied.",
    flags: {
      bundle: { kind: "value", short: "b", doc: "the bundle's directory (default: the working directory)" },
      config: configFlag(),
      manifest: { kind: "value", doc: "file of the capability manifest, signed by the device's owner" },
      json: { kind: "bool", doc: "print JSON" },
    },
    minArgs: 0,
    maxArgs: 1,
    run(context, { flags, args }) {
      const { cwd } = context.request;
      return context.lifecycle.plan(context, {
        id: args[0] === undefined ? undefined : checkId(args[0]),
        bundle: absolutePath(cwd, flags.bundle ?? ""),
        config: readConfigPath(cwd, flags.config),
        manifest: optionalPath(cwd, flags.manifest),
        json: flags.json === true,
      });
    },
  });
}
