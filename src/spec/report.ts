// SPDX-License-Identifier: Apache-2.0
// What the checks of a document find, by JSON path: an error ends the check, warnings are collected.
import { EdgerunError } from "../errors.ts";

/** `label` names the document: "config.json". */
export type Report = { readonly label: string; readonly warnings: string[] };

/** @throws EdgerunError CONFIG_INVALID: `config.json: $.process.args: must not be empty` */
export function fail(report: Report, path: string, problem: string): never {
  throw new EdgerunError("CONFIG_INVALID", `${report.label}: ${path}: ${problem}`);
}

/** Adds a warning, in the same form as an error. */
export function warn(report: Report, path: string, problem: string): void {
  report.warnings.push(`${report.label}: ${path}: ${problem}`);
}
