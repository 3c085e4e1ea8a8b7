// SPDX-License-Identifier: Apache-2.0
// Values of the flags of `update`: 64-bit integers and sizes. The beginnings of the errors are runc's.

import { quote } from "../schema/describe.ts";
import { integerRanges } from "../schema/schema.ts";
import { usageError } from "./grammar.ts";

/**
 * A decimal integer of 64 bits.
 * @throws EdgerunError USAGE
 */
export function parseInteger(flag: string, text: string, kind: "u64" | "i64"): bigint {
  const [least, most] = integerRanges[kind];
  const digits = text.startsWith("-") ? text.slice(1) : text;
  const value = isDigits(digits) ? BigInt(text) : undefined;
  if (value === undefined || value < least || value > most) {
    throw usageError(`invalid value for ${flag}: ${quote(text)} is not an integer between ${least} and ${most}`);
  }
  return value;
}

/** Powers of 1024, by the letter of their unit. */
const unitLetters = "bkmgtp";

/**
 * Bytes: a number, which may have a fraction, and perhaps a unit (b, k, m, g, t or p in any case; "kb" and "KiB" say the
 * same), each 1024 of the one before; -1 is "no limit".
 * @throws EdgerunError USAGE
 */
export function parseSize(flag: string, text: string): bigint {
  if (text === "-1") return -1n;
  const invalid = () =>
    usageError(
      `invalid value for ${flag}: invalid size: ${quote(text)} (want -1, or a number with b, k, m, g, t or p)`,
    );
  let end = text.length;
  while (end > 0 && !isDigit(text.charCodeAt(end - 1)) && text[end - 1] !== ".") end--;
  const power = parseUnit(text.slice(end).trimStart());
  const [whole = "", fraction] = text.slice(0, end).split(".", 2);
  const isNumber = isDigits(whole) && whole.length < 20 && (fraction === undefined || isDigits(fraction));
  if (power === undefined || !isNumber || text.slice(0, end).split(".").length > 2) throw invalid();
  const unit = 1024n ** BigInt(power);
  const part = fraction === undefined ? 0 : Number(`0.${fraction}`) * Number(unit);
  const bytes = BigInt(whole) * unit + BigInt(Math.floor(part));
  if (bytes > integerRanges.i64[1]) throw invalid();
  return bytes;
}

/** The power of 1024 of a unit ("", "k", "kb", "kib", in any case), or undefined. */
function parseUnit(unit: string): number | undefined {
  const letters = unit.toLowerCase();
  if (letters === "") return 0;
  const power = unitLetters.indexOf(letters[0]!);
  const rest = letters.slice(1);
  const isWhole = rest === "" || (power > 0 && (rest === "b" || rest === "ib"));
  return power < 0 || !isWhole ? undefined : power;
}

function isDigits(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (!isDigit(text.charCodeAt(index))) return false;
  return text !== "";
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
