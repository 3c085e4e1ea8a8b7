// SPDX-License-Identifier: Apache-2.0
// From parsed JSON to a checked Spec, Process or LinuxResources. First the schema (types, ranges, enumerations), then
// what a schema can't say (validate*.ts). The specification wants unknown properties ignored: they become warnings.
import type { Json } from "../host/functions.ts";
import { decode } from "../schema/decode.ts";
import type { Decoded, Schema } from "../schema/schema.ts";
import { type Spec, specSchema } from "./config.ts";
import { type Mount, mountSchema } from "./mounts.ts";
import { type Process, processSchema } from "./process.ts";
import { type Report, warn } from "./report.ts";
import { type LinuxResources, resourcesSchema } from "./resources.ts";
import { validateMounts, validateSpec } from "./validate.ts";
import { validateProcess } from "./validate_process.ts";
import { validateResources } from "./validate_resources.ts";

/**
 * Decodes and checks config.json.
 *
 * @returns the spec, with unknown capabilities left out and relative mount destinations made absolute; and a warning,
 *   one line each, for everything that was ignored or changed
 * @throws EdgerunError CONFIG_INVALID, naming the JSON path
 */
export function decodeSpec(json: Json, label = "config.json"): { spec: Spec; warnings: string[] } {
  const report: Report = { label, warnings: [] };
  const decoded = decodeReporting(specSchema, json, report);
  if (decoded.process === undefined) warn(report, "$.process", "missing: the container will end when it is started");
  const spec = { ...decoded, process: decoded.process ?? { user: { uid: 0, gid: 0 }, cwd: "/", args: [] } };
  validateSpec(report, spec);
  return { spec, warnings: report.warnings };
}

/** Decodes and checks a process.json (`exec --process`); results and errors as in decodeSpec(). */
export function decodeProcess(json: Json, label: string): { process: Process; warnings: string[] } {
  const report: Report = { label, warnings: [] };
  const process = decodeReporting(processSchema, json, report);
  validateProcess(report, "$", process);
  return { process, warnings: report.warnings };
}

/** Decodes and checks a resources document (`update --resources`); results and errors as in decodeSpec(). */
export function decodeResources(json: Json, label: string): { resources: LinuxResources; warnings: string[] } {
  const report: Report = { label, warnings: [] };
  const resources = decodeReporting(resourcesSchema, json, report);
  validateResources(report, "$", resources);
  return { resources, warnings: report.warnings };
}

/** Decodes and checks a list of mounts (`mounts add`); results and errors as in decodeSpec(). */
export function decodeMounts(json: Json, label: string): { mounts: Mount[]; warnings: string[] } {
  const report: Report = { label, warnings: [] };
  const { value: mounts, unknown } = decode({ list: mountSchema, minItems: 1 } as const, json, label);
  for (const path of unknown) warn(report, path, "unknown property, ignored");
  validateMounts(report, "$", mounts);
  return { mounts, warnings: report.warnings };
}

function decodeReporting<S extends Schema>(schema: S, json: Json, report: Report): Decoded<S> {
  const { value, unknown } = decode(schema, json, report.label);
  for (const path of unknown) warn(report, path, "unknown property, ignored");
  return value;
}
