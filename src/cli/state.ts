// SPDX-License-Identifier: Apache-2.0
// JSON forms of container states, as callers of runc know them. Pure.
import type { ContainerState } from "../lifecycle/options.ts";

/** The output of `state`. */
export function formatState(state: ContainerState): string {
  return `${JSON.stringify(state, null, 2)}\n`;
}

/** The output of `list --format json`: one line; `null` when there is no container. */
export function formatListJson(states: readonly ContainerState[]): string {
  return `${JSON.stringify(states.length === 0 ? null : states)}\n`;
}

/** The output of `list --quiet`. */
export function formatListIds(states: readonly ContainerState[]): string {
  return states.map((state) => `${state.id}\n`).join("");
}

/** The output of `ps --format json`: process ids as the host counts them. */
export function formatPids(pids: readonly number[]): string {
  return `${JSON.stringify(pids)}\n`;
}
