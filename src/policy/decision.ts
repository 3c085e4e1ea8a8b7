// SPDX-License-Identifier: Apache-2.0
// What the policy did about one thing that a bundle asks for, and why.
import { EdgerunError } from "../errors.ts";

/**
 * - granted: as asked
 * - clamped: less than asked, or a limit where the bundle has none
 * - dropped: not given; the container starts without it
 * - denied: not given; the container does not start
 */
export type Verdict = "granted" | "clamped" | "dropped" | "denied";

export type Decision = {
  /** Kind and name: "device /dev/ttyS0". The kind is one word. */
  subject: string;
  /** What the bundle asks for; "-": nothing. */
  asked: string;
  /** What the container gets, or what the manifest grants where that is not enough; "-": nothing. */
  granted: string;
  verdict: Verdict;
  /** What decided: a JSON path in the manifest ("grants.devices"), or "base: " and the name of a built-in rule. */
  rule: string;
};

/**
 * Stops if anything was denied.
 * @throws DENIED: one line with every denial, what was asked, what is granted, and the rule
 */
export function requireNoDenials(decisions: readonly Decision[]): void {
  const denials = decisions.filter((decision) => decision.verdict === "denied");
  if (denials.length === 0) return;
  const listed = denials.map(
    ({ subject, asked, granted, rule }) =>
      `${escapeControls(subject)} (asked: ${escapeControls(asked)}; granted: ${escapeControls(granted === "-" ? "nothing" : granted)}; rule: ${rule})`,
  );
  throw new EdgerunError("DENIED", `the manifest does not allow what the bundle asks for: ${listed.join(", ")}`);
}

/** Texts of decisions come from config.json: control characters must not reach a terminal or split a line. */
export function escapeControls(text: string): string {
  let escaped = "";
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const control = code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0x2028 || code === 0x2029;
    escaped += control ? `\\u${code.toString(16).padStart(4, "0")}` : character;
  }
  return escaped;
}
