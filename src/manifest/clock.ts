// SPDX-License-Identifier: Apache-2.0
// What time it is, on devices whose clock stands at 1970 after every power cut. The time never runs backwards: it is at
// least that of the build, and the latest that was ever seen here (systemd-timesyncd keeps its clock file for the same
// reason). DATA_ROOT/clock.json is written once an hour at most, because flash wears out.
import type { Json } from "../host/functions.ts";
import { prepareDataRoot, withLock } from "./data_root.ts";
import { readOwnedJson, type Site } from "./site.ts";

declare const EDGERUN_BUILD_TIME: number | undefined;

const writeEverySeconds = 3600;
const maxClockBytes = 4096;

export type Clock = {
  /** Seconds since the epoch: no less than what was seen before. */
  now: number;
  /** What was seen before; 0 for nothing. */
  known: number;
  /** False: the device's own clock is behind what is known, so it can't tell what is in the future. */
  isPlausible: boolean;
};

/** @throws MANIFEST_INVALID if clock.json is not ours; HOST */
export function readClock(site: Site): Clock {
  const [wall = 0] = site.host.clock();
  const json = readOwnedJson(site, clockPath(site), maxClockBytes, "clock");
  const built = typeof EDGERUN_BUILD_TIME === "number" ? EDGERUN_BUILD_TIME : 0;
  const known = Math.max(readSeconds(json), built);
  return { now: Math.max(wall, known), known, isPlausible: wall >= known };
}

/**
 * Keeps the time that was seen.
 * @param issued when something was signed that is believed: it was not earlier than that
 * @returns why it could not be kept; undefined if it could, or need not
 */
export function keepTime(site: Site, clock: Clock, issued: number): string | undefined {
  const seen = Math.max(clock.now, issued);
  if (seen < clock.known + writeEverySeconds && issued <= clock.known) return undefined;
  try {
    prepareDataRoot(site);
    // Starts at the same time write it at the same time; the latest one stays.
    withLock(site, site.dataRoot, () => {
      if (seen <= readClock(site).known) return;
      site.host.replaceFile(clockPath(site), `{"seconds":${seen}}\n`, 0o600, 1);
    });
  } catch (error) {
    // The time that is known stays as it was: later than that, nothing is accepted that would not be now.
    return `cannot keep the time: ${error instanceof Error ? error.message : String(error)}`;
  }
  return undefined;
}

function clockPath(site: Site): string {
  return `${site.dataRoot}/clock.json`;
}

function readSeconds(json: Json | undefined): number {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return 0;
  const { seconds } = json;
  return typeof seconds === "number" && Number.isSafeInteger(seconds) ? seconds : 0;
}
