// SPDX-License-Identifier: Apache-2.0
// The forms that figures have in cgroup files.
import { EdgerunError } from "../errors.ts";

/** Reads a file of one cgroup directory; null where there is no such file, or no such directory. */
export type FileReader = (file: string) => string | null;

/** What "max" stands for, as runc counts it. */
export const noLimit = 18446744073709551615n;

/** A file with one number; 0 where it is absent. */
export function readNumber(read: FileReader, file: string): bigint {
  const text = read(file);
  return text === null ? 0n : parseNumber(text.trim(), file);
}

/** A file with numbers beside each other. */
export function readNumbers(read: FileReader, file: string): bigint[] {
  return splitWords(read(file) ?? "").map((word) => parseNumber(word, file));
}

/** Lines of a name and a number: memory.stat, cpu.stat, memory.events; none where the file is absent. */
export function readNamed(read: FileReader, file: string): Map<string, bigint> {
  const figures = new Map<string, bigint>();
  for (const line of readLines(read, file)) {
    const [name = "", value = ""] = splitWords(line);
    figures.set(name, parseNumber(value, file));
  }
  return figures;
}

/** The lines of a file that are not empty. */
export function readLines(read: FileReader, file: string): string[] {
  return (read(file) ?? "").split("\n").filter((line) => line !== "");
}

/** "0-2,7" as [0, 1, 2, 7]. */
export function readRanges(read: FileReader, file: string): number[] {
  const numbers: number[] = [];
  for (const range of (read(file) ?? "").trim().split(",")) {
    if (range === "") continue;
    const [first = "", last = first] = range.split("-");
    const end = Number(parseNumber(last, file));
    for (let number = Number(parseNumber(first, file)); number <= end; number++) numbers.push(number);
  }
  return numbers;
}

export function splitWords(text: string): string[] {
  return text
    .replaceAll("\n", " ")
    .split(" ")
    .filter((word) => word !== "");
}

/** A decimal integer, or "max". */
export function parseNumber(text: string, file: string): bigint {
  if (text === "max") return noLimit;
  const digits = text.startsWith("-") ? text.slice(1) : text;
  const isNumber = digits !== "" && digits.length < 21 && [...digits].every((digit) => digit >= "0" && digit <= "9");
  if (!isNumber) throw new EdgerunError("HOST", `unexpected text in ${file} of the cgroup: ${JSON.stringify(text)}`);
  return BigInt(text);
}
