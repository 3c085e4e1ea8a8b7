// SPDX-License-Identifier: Apache-2.0
// What a fuzz target in TypeScript is, and the loop that runs one.
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { EdgerunError, type ErrorCode } from "../../src/errors.ts";
import { Random } from "./random.ts";

export type Target = {
  /** A new input. */
  make(random: Random): string;
  /** Throws if something is wrong with how the program takes this input. */
  check(input: string): void;
};

/** No input may take longer: config.json is read before anything is known about who wrote it. */
const maxMilliseconds = 2_000;

/** Checks one input, and the time that it takes. */
export function checkInput(target: Target, input: string): void {
  const start = performance.now();
  target.check(input);
  const took = performance.now() - start;
  if (took > maxMilliseconds) throw new Error(`took ${Math.round(took)} ms`);
}

/**
 * Makes and checks inputs for a number of seconds. Stops at the first finding, whose input is saved in a file.
 * @returns false if there was a finding
 */
export function runTarget(name: string, target: Target, seconds: number, seed: number, findings: string): boolean {
  const random = new Random(seed);
  const end = performance.now() + 1000 * seconds;
  let count = 0;
  for (; performance.now() < end; count++) {
    const input = target.make(random);
    try {
      checkInput(target, input);
    } catch (error) {
      const hash = createHash("sha256").update(input).digest("hex").slice(0, 16);
      const file = join(findings, `${name}-${hash}`);
      mkdirSync(findings, { recursive: true });
      writeFileSync(file, input);
      console.log(`${error instanceof Error ? error.stack : error}\nthe input is in ${file}`);
      return false;
    }
  }
  console.log(`${count} inputs`);
  return true;
}

/**
 * What a function returns, or undefined where it refuses its input in the way that it should: by an EdgerunError of
 * one of these codes.
 */
export function attempt<T>(codes: readonly ErrorCode[], action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof EdgerunError)) throw error;
    if (!codes.includes(error.code)) throw new Error(`refused as ${error.code}: ${error.message}`, { cause: error });
    return undefined;
  }
}

/** Output for people must not be able to steer a terminal, or to forge a line. (Errors go through oneLine() of the log.) */
export function assertPrintable(text: string): void {
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const isControl = code < 0x20 || (code >= 0x7f && code < 0xa0);
    if (isControl) throw new Error(`control character ${code} in ${JSON.stringify(text.slice(0, 500))}`);
  }
}
