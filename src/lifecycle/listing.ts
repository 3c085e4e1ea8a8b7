// SPDX-License-Identifier: Apache-2.0
// Commands that look at several containers or processes: list, ps.
import { formatListIds, formatListJson, formatPids } from "../cli/state.ts";
import { filterProcessTable, formatListTable } from "../cli/table.ts";
import { EdgerunError } from "../errors.ts";
import { listIds, readRecord } from "../state/store.ts";
import { listContainerProcesses } from "./cgroups.ts";
import type { ContainerState, Context, ListOptions, PsOptions } from "./options.ts";
import { describeContainer } from "./state.ts";

/** `list`: containers of this state root. One that vanishes meanwhile is left out; a broken one is a warning. */
export function list(context: Context, options: ListOptions): number {
  const { host, root, log } = context;
  const states: ContainerState[] = [];
  for (const id of listIds(host, root)) {
    try {
      states.push(describeContainer(host, root, readRecord(host, root, id)));
    } catch (error) {
      if (!(error instanceof EdgerunError)) throw error;
      if (error.code !== "CONTAINER_NOT_FOUND") log.warn(error.message);
    }
  }
  if (options.quiet) host.writeFd(1, formatListIds(states));
  else host.writeFd(1, options.format === "json" ? formatListJson(states) : formatListTable(states));
  return 0;
}

/** `ps`: the processes in the container's cgroups, as the host counts them. */
export function ps(context: Context, options: PsOptions): number {
  const { host, root } = context;
  const pids = listContainerProcesses(host, readRecord(host, root, options.id));
  if (options.format === "json") {
    host.writeFd(1, formatPids(pids));
    return 0;
  }
  const args = options.args.length > 0 ? options.args : ["-ef"];
  const program = ["/usr/bin/ps", "/bin/ps"].find((path) => host.fileInfo(path, 1) !== null);
  if (program === undefined) throw new EdgerunError("UNSUPPORTED", "this host has no ps(1): use --format json");
  const result = host.runProgram(program, ["ps", ...args], ["PATH=/usr/bin:/bin"], "", 10_000);
  const { exitCode, output } = result as { exitCode: number; output: string };
  if (exitCode !== 0) throw new EdgerunError("USAGE", `ps ${args.join(" ")}: ${output.trim()}`);
  host.writeFd(1, filterProcessTable(output, pids));
  return 0;
}
