// SPDX-License-Identifier: Apache-2.0
// What is measured: commands of a runtime, and what has to be there before each.
import { join } from "node:path";
import { listCgroupMounts } from "./cgroups.ts";
import type { Runtime } from "./options.ts";
import { quote } from "./program.ts";
import { type Bundle, bundlePath, statePath, type Workspace } from "./workspace.ts";

const LISTED = 10;
export const PARALLEL = 32;

/** One runtime's side of a measure: builds its command lines. */
export type Subject = {
  id: string;
  /** Its program and global options. */
  prefix: string[];
  call(...args: string[]): string[];
  bundle(name: Bundle): string;
  /** Shell text: deletes the container, if it is there. */
  clean: string;
  /** Shell text: creates a container that would sleep. */
  create: string;
};

export type Measure = {
  name: string;
  title: string;
  /** Timed runs in each round. */
  runs: number;
  /** Shell text that runs once in a round, untimed. */
  setUp?(subject: Subject): string;
  /** Shell text that runs before each timed run, untimed. */
  prepare?(subject: Subject): string;
  /** What is timed; absent where only the floor can do it. */
  command?(subject: Subject): string[];
  /** The same done by the bare C program. */
  floor?(workspace: Workspace): string[];
  /** Not a single command of the runtime: no memory is measured. */
  isComposite?: true;
};

/** Programs beside the bundle of the benchmark. */
export function helperPath(name: "floor" | "drive" | "measure"): string {
  return join(import.meta.dirname, name);
}

export function makeSubject(workspace: Workspace, runtime: Runtime): Subject {
  const id = `${workspace.prefix}c`;
  const prefix = [runtime.path, "--root", statePath(workspace, runtime)];
  const call = (...args: string[]): string[] => [...prefix, ...args];
  const bundle = (name: Bundle): string => bundlePath(workspace, name);
  const clean = `${quote(call("delete", "--force", id))} >/dev/null 2>&1 || :`;
  const create = quote(call("create", "--bundle", bundle("sleep"), id));
  return { id, prefix, call, bundle, clean, create };
}

const createAndStart = ({ clean, create, call, id }: Subject): string =>
  `${clean}; ${create} && ${quote(call("start", id))}`;

/** The measures that are times, in the order of the table. */
export const MEASURES: readonly Measure[] = [
  {
    name: "run",
    title: "run true",
    runs: 40,
    command: ({ call, bundle, id }) => call("run", "--bundle", bundle("true"), id),
    floor: (workspace) => floorCommand(workspace, cgroupPaths(workspace)),
  },
  {
    name: "run_no_cgroups",
    title: "  (bare, without cgroups)",
    runs: 40,
    floor: (workspace) => floorCommand(workspace, []),
  },
  {
    name: "run_seccomp",
    title: "run true, an engine's seccomp profile",
    runs: 25,
    command: ({ call, bundle, id }) => call("run", "--bundle", bundle("seccomp"), id),
  },
  {
    name: "create",
    title: "create",
    runs: 20,
    prepare: ({ clean }) => clean,
    command: ({ call, bundle, id }) => call("create", "--bundle", bundle("sleep"), id),
  },
  {
    name: "start",
    title: "start",
    runs: 20,
    prepare: ({ clean, create }) => `${clean}; ${create}`,
    command: ({ call, id }) => call("start", id),
  },
  {
    name: "exec",
    title: "exec true",
    runs: 30,
    setUp: createAndStart,
    command: ({ call, id }) => call("exec", id, "true"),
  },
  {
    name: "state",
    title: "state",
    runs: 40,
    setUp: createAndStart,
    command: ({ call, id }) => call("state", id),
  },
  {
    name: "list",
    title: `list of ${LISTED}`,
    runs: 40,
    setUp: ({ call, bundle, id }) =>
      Array.from({ length: LISTED }, (_, i) => quote(call("create", "--bundle", bundle("sleep"), `${id}-${i}`))).join(
        " && ",
      ),
    command: ({ call }) => call("list"),
  },
  {
    name: "kill",
    title: "kill",
    runs: 20,
    prepare: createAndStart,
    command: ({ call, id }) => call("kill", id, "KILL"),
  },
  {
    name: "delete",
    title: "delete of a stopped one",
    runs: 20,
    prepare: ({ clean, create, call, id }) =>
      `${clean}; ${create} && ${quote(call("kill", id, "KILL"))} && ` +
      `until ${quote(call("state", id))} | grep -q stopped; do sleep 0.005; done`,
    command: ({ call, id }) => call("delete", id),
  },
  {
    name: "lifecycle",
    title: "create, start, kill, delete",
    runs: 12,
    prepare: ({ clean }) => clean,
    command: ({ prefix, bundle, id }) => [helperPath("drive"), "lifecycle", id, bundle("sleep"), ...prefix],
    isComposite: true,
  },
  {
    name: "parallel",
    title: `${PARALLEL} x run true at once`,
    runs: 3,
    command: ({ prefix, bundle, id }) => [
      helperPath("drive"),
      "parallel",
      `${PARALLEL}`,
      id,
      bundle("true"),
      ...prefix,
    ],
    isComposite: true,
  },
  {
    name: "version",
    title: "--version",
    runs: 40,
    command: ({ call }) => call("--version"),
  },
];

function floorCommand(workspace: Workspace, cgroups: string[]): string[] {
  return [helperPath("floor"), workspace.rootfs, ...cgroups, "--", "/bin/true"];
}

/** A cgroup in each v1 hierarchy, or in v2 where there is nothing else. */
function cgroupPaths(workspace: Workspace): string[] {
  const mounts = listCgroupMounts();
  const v1 = mounts.filter((mount) => !mount.isV2);
  return (v1.length > 0 ? v1 : mounts).map((mount) => join(mount.path, `${workspace.prefix}floor`));
}
