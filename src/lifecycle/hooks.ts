// SPDX-License-Identifier: Apache-2.0
// Hooks that run in the runtime's namespaces: prestart, createRuntime, poststart, poststop.
import { EdgerunError, wrap } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import type { HookPlan } from "../plan/plan.ts";
import type { ContainerRecord } from "../state/record.ts";
import type { Status } from "../state/status.ts";
import type { Context } from "./options.ts";

type HookResult = { exitCode: number; signal: number; timedOut: boolean; output: string };

/** The state of the container as hooks get it on stdin (runtime-spec, "State"). */
export function hookState(record: ContainerRecord, status: Status): string {
  const { ociVersion, id, pid, bundle, annotations } = record;
  return JSON.stringify({ ociVersion, id, status, pid, bundle, annotations });
}

/**
 * Runs hooks one after the other, each with exactly its own environment (CVE-2025-23266 came from passing another one).
 * @throws EdgerunError HOOK at the first that fails
 */
export function runHooks(host: Host, name: string, hooks: readonly HookPlan[], state: string): void {
  hooks.forEach((hook, index) => {
    runHook(host, `error running ${name} hook #${index}`, hook, state);
  });
}

/**
 * Runs poststop hooks: all of them, since the container is gone, whatever they say (runtime-spec, "Lifecycle"). What
 * fails is logged.
 */
export function runPoststopHooks({ host, log }: Pick<Context, "host" | "log">, record: ContainerRecord): void {
  if (record.poststop.length === 0) return;
  const state = hookState({ ...record, pid: 0 }, "stopped");
  record.poststop.forEach((hook, index) => {
    try {
      runHook(host, `error running poststop hook #${index}`, hook, state);
    } catch (error) {
      log.warn(error instanceof Error ? error.message : String(error));
    }
  });
}

function runHook(host: Host, operation: string, hook: HookPlan, state: string): void {
  let result: HookResult;
  try {
    result = host.runProgram(hook.path, hook.args, hook.env, state, hook.timeoutMs) as HookResult;
  } catch (error) {
    throw new EdgerunError("HOOK", wrap(operation, error).message, { cause: error });
  }
  if (result.exitCode === 0 && result.signal === 0 && !result.timedOut) return;
  throw new EdgerunError("HOOK", `${operation}: "${hook.path}": ${describeResult(hook, result)}`);
}

function describeResult(hook: HookPlan, result: HookResult): string {
  if (result.timedOut) return `did not end within ${hook.timeoutMs} ms`;
  const output = result.output.trim().replaceAll("\n", " | ");
  const end = result.signal !== 0 ? `killed by signal ${result.signal}` : `exit status ${result.exitCode}`;
  return output === "" ? end : `${end}, output: ${output}`;
}
