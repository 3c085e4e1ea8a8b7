// SPDX-License-Identifier: Apache-2.0
import { quote } from "../schema/describe.ts";
import { parseDecimal, usageError } from "./grammar.ts";

/** The highest real-time signal of Linux on every architecture that edgerun is built for. */
const maxSignal = 64;

/**
 * A signal's number from "9", "KILL" or "SIGKILL", in any case. 0 is allowed: it only asks whether the process exists.
 * @throws EdgerunError USAGE
 */
export function parseSignal(text: string): number {
  const number = parseDecimal(text, maxSignal);
  if (number !== undefined) return number;
  const upper = text.toUpperCase();
  const signal = signalNumber(upper.startsWith("SIG") ? upper.slice(3) : upper);
  if (signal === undefined) throw usageError(`unknown signal ${quote(text)}`);
  return signal;
}

/** Signal numbers of x86, ARM and RISC-V (asm-generic/signal.h). */
function signalNumber(name: string): number | undefined {
  switch (name) {
    case "IOT":
      return 6;
    case "CLD":
      return 17;
    case "POLL":
      return 29;
  }
  const index = signalNames().indexOf(name);
  return index < 0 ? undefined : index + 1;
}

/** The names of the signals from 1 on, without SIG. */
export function signalNames(): string[] {
  const names =
    "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS";
  return names.split(" ");
}
