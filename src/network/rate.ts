// SPDX-License-Identifier: Apache-2.0
// Rates of bytes: what is too fast waits in a queue at an end of the link, or is dropped by a rule. One of the two.
import type { Rate } from "../manifest/schema.ts";

const defaultBurstBytes = 65_536;

/** How much may pass at once. */
export function burstBytes(rate: Rate): number {
  return rate.burstBytes ?? defaultBurstBytes;
}

/** Whether bytes that are too fast wait. */
export function isDelayed(rate: Rate): boolean {
  return rate.excess !== "drop";
}
