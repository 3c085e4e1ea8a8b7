// SPDX-License-Identifier: Apache-2.0
// Durations as Go writes them, which is how runc's callers do.

/** Units, in nanoseconds. */
const units: { readonly [unit: string]: number } = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** "1h30m", "1.5s", "-250ms" or "0" in milliseconds, which may have a fraction; undefined for another text. */
export function parseDuration(text: string): number | undefined {
  const negative = text.startsWith("-");
  let rest = negative || text.startsWith("+") ? text.slice(1) : text;
  if (rest === "0") return 0;
  let nanoseconds = 0;
  do {
    const numberLength = countWhile(rest, isNumberCharacter);
    const unitLength = countWhile(rest.slice(numberLength), (c) => !isNumberCharacter(c));
    const number = rest.slice(0, numberLength);
    const unit = units[rest.slice(numberLength, numberLength + unitLength)];
    if (unit === undefined || number === "" || number === "." || number.split(".").length > 2) return undefined;
    nanoseconds += Number(number) * unit;
    rest = rest.slice(numberLength + unitLength);
  } while (rest !== "");
  if (nanoseconds > Number.MAX_SAFE_INTEGER * 1000) return undefined; // Go's have 63 bits
  return (negative ? -nanoseconds : nanoseconds) / 1e6;
}

function countWhile(text: string, holds: (character: string) => boolean): number {
  let count = 0;
  while (count < text.length && holds(text[count]!)) count++;
  return count;
}

function isNumberCharacter(character: string): boolean {
  return (character >= "0" && character <= "9") || character === ".";
}
