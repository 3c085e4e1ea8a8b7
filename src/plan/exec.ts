// SPDX-License-Identifier: Apache-2.0
// What `exec` will do: a second process in a running container.
import type { Process, Spec } from "../spec/config.ts";
import { CLONE_NEWNS } from "./constants.ts";
import { planJoinedKeyring } from "./keyring.ts";
import { planLabels } from "./labels.ts";
import { type ProcessOptions, planCgroupJoins } from "./launch.ts";
import { computeRunningNamespaces, hasNamespace, planEntry, planLateEntry } from "./namespaces.ts";
import type { Operation } from "./operations.ts";
import { planFinalAffinity, planInitialAffinity } from "./placement.ts";
import type { HostFacts, LaunchPlan } from "./plan.ts";
import {
  planAnnouncement,
  planCredentials,
  planExecution,
  planResourceLimits,
  planScheduling,
  planTerminal,
} from "./process.ts";
import { planResctrl } from "./resctrl.ts";
import { deniesGroups } from "./rootless.ts";
import { planSeccomp } from "./seccomp.ts";

export type ExecInput = {
  /** The spec that the container was started with. */
  spec: Spec;
  /** The process to start, complete: nothing of spec.process is added. */
  process: Process;
  id: string;
  /** The container's first process, in the runtime's pid namespace. */
  initPid: number;
  /** Absolute paths of the cgroups to join; they exist. */
  cgroups: readonly string[];
  facts: HostFacts;
  options: ProcessOptions;
};

/**
 * A plan for the same handshake as planLaunch()'s. Labels and the root of a container without a mount namespace come
 * first, while the runtime's own /proc is in sight: one that the container made is not trusted.
 * @throws EdgerunError as planLaunch() does
 */
export function planExec({ spec, process, id, initPid, cgroups, facts, options }: ExecInput): LaunchPlan {
  const { linux = {} } = spec;
  const warnings: string[] = [];
  const namespaces = computeRunningNamespaces(linux, initPid);
  const seccomp = linux.seccomp === undefined ? null : planSeccomp(linux.seccomp);
  const ownMounts = hasNamespace(namespaces, CLONE_NEWNS);
  const operations: Operation[] = [
    // In the cgroups before anything else with an effect: what it makes is charged to the container, and its limits hold.
    ...planInitialAffinity(process),
    ...planCgroupJoins(cgroups),
    ...planFinalAffinity(process),
    ...planLabels(process, facts),
    ...(ownMounts ? [] : [openRoot(`/proc/${initPid}/root`)]),
    ...planEntry(namespaces),
    ...planAnnouncement(process.rlimits ?? [], false),
    { op: "wait_go" },
    ...planLateEntry(namespaces),
    // The mount namespace that was joined has the container's root as its own.
    ownMounts ? openRoot("/") : { op: "chroot" },
    ...planJoinedKeyring(id, options.noNewKeyring),
    ...planTerminal(process, false),
    ...planScheduling(process, linux),
    ...planCredentials(process, seccomp, options.preserveFds, deniesGroups(linux, facts, options.privileged), warnings),
    ...planExecution(process, seccomp, options.preserveFds),
  ];
  return {
    version: 1,
    cloneFlags: 0,
    preserveFds: options.preserveFds,
    cgroups: [], // they are there, and `join_cgroup` joins them
    idMaps: null,
    sources: [],
    interfaces: [],
    resctrl: planResctrl(linux, id),
    oomScoreAdj: process.oomScoreAdj ?? null,
    resourceLimits: planResourceLimits(process.rlimits ?? []),
    hooks: { prestart: [], createRuntime: [], poststart: [], poststop: [] },
    seccomp,
    operations,
    warnings,
  };
}

function openRoot(source: string): Operation {
  return { op: "open_root", source, attach: 0, propagation: 0 };
}
