// SPDX-License-Identifier: Apache-2.0
import { formatPlan, formatPlanJson } from "../plan/format.ts";
import { noService } from "../plan/service.ts";
import { formatDecisions } from "../policy/format.ts";
import { planBundle, readBundle } from "./bundle.ts";
import type { Context, PlanOptions } from "./options.ts";

/**
 * `plan`: what a start would do, and what the manifest decides, without doing any of it. Denials are shown, not thrown;
 * the exit code is then 1.
 */
export function plan(context: Context, options: PlanOptions): number {
  const { host } = context;
  const bundle = readBundle(context, options, true);
  const flags = { noPivot: false, noNewKeyring: false, preserveFds: 0 };
  const start = { id: options.id ?? "edgerun", ...flags, service: noService };
  // A start by root, whoever looks at it.
  const launch = planBundle(context, bundle, start, true);
  const { decisions } = bundle.authorization;
  if (options.json) {
    host.writeFd(1, `${JSON.stringify({ decisions, plan: formatPlanJson(launch) }, null, 2)}\n`);
  } else {
    if (decisions !== null) host.writeFd(1, `${formatDecisions(decisions)}\n`);
    host.writeFd(1, formatPlan(launch));
  }
  return decisions?.some(({ verdict }) => verdict === "denied") ? 1 : 0;
}
