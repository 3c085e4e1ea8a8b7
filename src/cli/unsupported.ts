// SPDX-License-Identifier: Apache-2.0
import { EdgerunError } from "../errors.ts";
import { quote } from "../schema/describe.ts";

/** Answers a command that is part of the grammar, but not of this version. */
export function unsupportedCommand(name: string): never {
  throw new EdgerunError("UNSUPPORTED", `${quote(name)} is not in this version of edgerun`);
}
