// SPDX-License-Identifier: Apache-2.0
import type { ExecUser } from "../lifecycle/options.ts";
import { quote } from "../schema/describe.ts";
import { parseDecimal, usageError } from "./grammar.ts";

/** 2^32-1 is (uid_t)-1, "no change" to the kernel; never an id. */
const maxId = 0xfffffffe;

/**
 * A user from "uid" or "uid:gid". Names are not looked up (the container's /etc/passwd is hostile), and nothing that is
 * not exactly a decimal number is taken for one (CVE-2016-3697, CVE-2024-40635, CVE-2026-30892).
 * @throws EdgerunError USAGE
 */
export function parseUser(text: string): ExecUser {
  const colon = text.indexOf(":");
  const uid = parseDecimal(colon < 0 ? text : text.slice(0, colon), maxId);
  const gid = colon < 0 ? undefined : parseDecimal(text.slice(colon + 1), maxId);
  if (uid === undefined || (colon >= 0 && gid === undefined)) {
    throw usageError(`invalid user ${quote(text)}: want uid[:gid], decimal, up to ${maxId}`);
  }
  return { uid, gid };
}

/**
 * A supplementary group id.
 * @throws EdgerunError USAGE
 */
export function parseGroup(text: string): number {
  const gid = parseDecimal(text, maxId);
  if (gid === undefined) throw usageError(`invalid group ${quote(text)}: want a decimal up to ${maxId}`);
  return gid;
}
