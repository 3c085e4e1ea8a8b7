// SPDX-License-Identifier: Apache-2.0
// Decisions as a table for people: worst last, where a terminal ends.
import { type Decision, escapeControls, type Verdict } from "./decision.ts";

const order: readonly Verdict[] = ["granted", "clamped", "dropped", "denied"];
const marks = { granted: "+", clamped: "~", dropped: "-", denied: "!" } as const;
/** SGR colours: green, yellow, none in particular (dim), red and bold. */
const colours = { granted: "32", clamped: "33", dropped: "2", denied: "1;31" } as const;
/** Names of one row are wrapped at this width of the column. */
const subjectWidth = 44;

type Row = { verdict: Verdict; subject: string[]; rest: [string, string, string] };

/**
 * Renders decisions as aligned columns; what differs only in its name shares a row. Ends with a newline.
 * @param options.colour adds SGR colour codes to the verdicts
 */
export function formatDecisions(decisions: readonly Decision[], options: { colour?: boolean } = {}): string {
  const rows = order.flatMap((verdict) => mergeRows(decisions.filter((decision) => decision.verdict === verdict)));
  const header: Row = { verdict: "granted", subject: ["WHAT"], rest: ["ASKED", "GETS", "RULE"] };
  const all = [header, ...rows];
  const subject = Math.max(...all.flatMap((row) => row.subject.map((line) => line.length)));
  const asked = Math.max(...all.map((row) => row.rest[0].length));
  const granted = Math.max(...all.map((row) => row.rest[1].length));
  const lines = all.flatMap((row, index) => {
    const label = index === 0 ? "  VERDICT" : `${marks[row.verdict]} ${row.verdict}`;
    const painted = options.colour === true && index > 0 ? `\x1b[${colours[row.verdict]}m${label}\x1b[0m` : label;
    const gap = " ".repeat(11 - label.length);
    const [first = "", ...more] = row.subject;
    const cells = [first.padEnd(subject), row.rest[0].padEnd(asked), row.rest[1].padEnd(granted), row.rest[2]];
    return [`${painted}${gap}${cells.join("  ")}`, ...more.map((line) => `${" ".repeat(11)}${line}`)];
  });
  return `${lines.join("\n")}\n${summarize(decisions)}\n`;
}

function summarize(decisions: readonly Decision[]): string {
  const counts = order.map((verdict) => [verdict, decisions.filter((one) => one.verdict === verdict).length] as const);
  const present = counts.filter(([, count]) => count > 0).map(([verdict, count]) => `${count} ${verdict}`);
  return present.length === 0 ? "nothing to decide" : present.join(", ");
}

/** Puts decisions of one verdict, kind, request and rule in one row: "capability CAP_CHOWN CAP_KILL ...". */
function mergeRows(decisions: readonly Decision[]): Row[] {
  const groups = new Map<string, { kind: string; names: string[]; decision: Decision }>();
  for (const decision of decisions) {
    const [kind = "", ...name] = escapeControls(decision.subject).split(" ");
    const key = JSON.stringify([kind, decision.asked, decision.granted, decision.rule]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { kind, names: [name.join(" ")], decision });
    else group.names.push(name.join(" "));
  }
  return [...groups.values()].map(({ kind, names, decision }) => ({
    verdict: decision.verdict,
    subject: wrapNames(kind, names),
    rest: [escapeControls(decision.asked), escapeControls(decision.granted), decision.rule],
  }));
}

function wrapNames(kind: string, names: readonly string[]): string[] {
  const indent = " ".repeat(kind.length);
  const lines = [kind];
  for (const name of names) {
    const line = lines[lines.length - 1]!;
    const whole = name === "" ? line : `${line} ${name}`;
    if (whole.length <= subjectWidth || line.trim() === "" || line === kind) lines[lines.length - 1] = whole;
    else lines.push(`${indent} ${name}`);
  }
  return lines;
}
