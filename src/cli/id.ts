// SPDX-License-Identifier: Apache-2.0
import { EdgerunError } from "../errors.ts";
import { quote } from "../schema/describe.ts";

const maxIdLength = 1024;

/**
 * Returns a container id that is fit to be a directory's name: letters, digits and `_+.-`, not `.` or `..`.
 * A leading `-` is allowed, as in runc; on the command line it needs `--` before it.
 * @throws EdgerunError USAGE
 */
export function checkId(id: string): string {
  let valid = id !== "" && id !== "." && id !== ".." && id.length <= maxIdLength;
  for (let i = 0; valid && i < id.length; i++) valid = isIdCharacter(id.charCodeAt(i));
  if (!valid) throw new EdgerunError("USAGE", `invalid container ID format: ${quote(id)}`);
  return id;
}

function isIdCharacter(c: number): boolean {
  const isLetter = (c >= 0x61 && c <= 0x7a) || (c >= 0x41 && c <= 0x5a);
  const isDigit = c >= 0x30 && c <= 0x39;
  return isLetter || isDigit || c === 0x5f || c === 0x2b || c === 0x2d || c === 0x2e;
}
