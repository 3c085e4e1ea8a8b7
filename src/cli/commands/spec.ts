// SPDX-License-Identifier: Apache-2.0
import { EdgerunError } from "../../errors.ts";
import { printDefaultSpec } from "../../spec/default.ts";
import { type Command, defineCommand } from "../grammar.ts";
import { absolutePath } from "../paths.ts";

/** `spec`: a config.json to start from. */
export function specCommand(): Command {
  return defineCommand({
    name: "spec",
    summary: "write a config.json to start from",
    usage: "",
    flags: {
      bundle: { kind: "value", short: "b", doc: "the bundle's directory (default: the working directory)" },
      file: { kind: "value", short: "f", default: '"config.json"', doc: "file to write, in the bundle's directory" },
      rootless: { kind: "bool", doc: "for a user who is not root" },
    },
    minArgs: 0,
    maxArgs: 0,
    run({ host, request }, { flags }) {
      const file = flags.file === undefined || flags.file === "" ? "config.json" : flags.file;
      const path = absolutePath(absolutePath(request.cwd, flags.bundle ?? ""), file);
      const rootless = flags.rootless === true ? { uid: request.uid, gid: request.gid } : undefined;
      try {
        host.createFile(path, printDefaultSpec({ rootless }), 0o644, 0);
      } catch (error) {
        if (!(error instanceof EdgerunError) || error.errno !== "EEXIST") throw error;
        throw new EdgerunError("USAGE", `File ${file} exists. Remove it first`, { cause: error, errno: "EEXIST" });
      }
      return 0;
    },
  });
}
