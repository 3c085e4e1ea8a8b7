// SPDX-License-Identifier: Apache-2.0
// What a program's TAP output says (testanything.org).

export type Tap = {
  ok: number;
  notOk: number;
  skipped: number;
  /** Descriptions of the tests that were not ok. */
  failures: string[];
  /** There is no test line, but a diagnostic that speaks of an error. */
  complains: boolean;
};

/** Counts the test lines of TAP output. Diagnostics are indented, so a report inside a report is not counted twice. */
export function readTap(text: string): Tap {
  const tap: Tap = { ok: 0, notOk: 0, skipped: 0, failures: [], complains: false };
  for (const line of text.split("\n")) {
    if (/^ok\b.*# SKIP\b/i.test(line)) tap.skipped += 1;
    else if (/^ok\b/.test(line)) tap.ok += 1;
    else if (/^not ok\b/.test(line)) {
      tap.notOk += 1;
      tap.failures.push(line.replace(/^not ok\s*\d*\s*-?\s*/, ""));
    }
  }
  tap.complains = tap.ok + tap.notOk + tap.skipped === 0 && /^ +"error":/m.test(text);
  return tap;
}
