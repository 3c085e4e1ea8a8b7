// SPDX-License-Identifier: Apache-2.0
// hooks of config.json. prestart, createRuntime, poststart and poststop run on the host, by the host side;
// createContainer and startContainer run inside, by init.
import type { Hook, Spec } from "../spec/config.ts";
import type { Operation } from "./operations.ts";
import type { HookPlan, LaunchPlan } from "./plan.ts";

/**
 * Stands for the container's pid on the host in the input of a run_hook operation. Only the host side knows the pid,
 * and tells init with `go`; init puts it where this text stands first.
 */
export const pidMarker = "@PID@";

/** The hooks of the host side. */
export function planHostHooks(spec: Spec): LaunchPlan["hooks"] {
  const hooks = spec.hooks ?? {};
  return {
    prestart: (hooks.prestart ?? []).map(planHook),
    createRuntime: (hooks.createRuntime ?? []).map(planHook),
    poststart: (hooks.poststart ?? []).map(planHook),
    poststop: (hooks.poststop ?? []).map(planHook),
  };
}

/** The hooks that init runs, at the place of this call in the plan. */
export function planInnerHooks(
  spec: Spec,
  name: "createContainer" | "startContainer",
  { id, bundle }: { id: string; bundle: string },
): Operation[] {
  const list = spec.hooks?.[name] ?? [];
  if (list.length === 0) return [];
  const status = name === "createContainer" ? "creating" : "created";
  const { ociVersion, annotations = {} } = spec;
  // The state as JSON (runtime-spec, "State"). The pid comes first: nothing of the bundle can stand before its marker.
  const input = `{"pid":${pidMarker},${JSON.stringify({ ociVersion, id, status, bundle, annotations }).slice(1)}`;
  return list.map((hook, index) => ({ op: "run_hook", name, index, ...planHook(hook), input }));
}

/** Its environment is what the bundle gives, and nothing of the runtime's or the container's (CVE-2025-23266). */
function planHook({ path, args, env, timeout }: Hook): HookPlan {
  return {
    path,
    args: args === undefined || args.length === 0 ? [path] : args,
    env: env ?? [],
    timeoutMs: Math.min((timeout ?? 0) * 1000, 0xffffffff),
  };
}
