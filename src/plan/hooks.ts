// SPDX-License-Identifier: Apache-2.0
// hooks of config.json. prestart, createRuntime, poststart and poststop run on the host, by the host side;
// createContainer and startContainer run inside, by init.
import type { Hook, Spec } from "../spec/config.ts";
import type { Operation } from "./operations.ts";
import type { HookPlan, LaunchPlan } from "./plan.ts";

/**
 * Stands for the container's pid on the host in the stdin of a run_hook operation. Only init's parent knows the pid,
 * and tells init with `go`; init puts it where this text stands first.
 */
export const pidMarker = "@PID@";

/** What a hook reads from stdin. The pid is a number, or pidMarker. */
export type HookState = {
  ociVersion: string;
  id: string;
  status: "creating" | "created" | "running" | "stopped";
  pid: number | typeof pidMarker;
  bundle: string;
  annotations: { [name: string]: string };
};

/** The state as JSON (runtime-spec, runtime.md "State"). The pid comes first: text of the bundle can't be taken for it. */
export function formatHookState({ ociVersion, id, status, pid, bundle, annotations }: HookState): string {
  const rest = JSON.stringify({ ociVersion, id, status, bundle, annotations });
  return `{"pid":${pid},${rest.slice(1)}`;
}

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
  const stdin = formatHookState({
    ociVersion: spec.ociVersion,
    id,
    status: name === "createContainer" ? "creating" : "created",
    pid: pidMarker,
    bundle,
    annotations: spec.annotations ?? {},
  });
  return list.map((hook, index) => ({ op: "run_hook", name, index, ...planHook(hook), stdin }));
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
