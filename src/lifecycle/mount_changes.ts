// SPDX-License-Identifier: Apache-2.0
// `mounts add` and `mounts remove`: mounts of a running container.
import { EdgerunError } from "../errors.ts";
import { readHostFacts, unescapeOctal } from "../host/facts.ts";
import type { Host } from "../host/functions.ts";
import { planAddedMounts, planRemovedMounts } from "../plan/mount_changes.ts";
import { messages } from "../plan/operations.ts";
import { cleanPath } from "../plan/paths.ts";
import type { Mount } from "../spec/config.ts";
import { decodeMounts } from "../spec/decode.ts";
import { type AddedMount, readAddedMounts, writeAddedMounts } from "../state/added_mounts.ts";
import { readEffectiveConfig } from "../state/effective_config.ts";
import type { ContainerRecord } from "../state/record.ts";
import { computeStatus, zombie } from "../state/status.ts";
import { lockDirectory, readRecord, type StateDirectory, unlockDirectory } from "../state/store.ts";
import { awaitMounts, type InitProcess, launchInit } from "./init.ts";
import { notRunning } from "./kill.ts";
import { nameSource } from "./name_source.ts";
import type { Context, MountsOptions } from "./options.ts";
import { SIGKILL, signalIfAlive } from "./processes.ts";
import { handSources } from "./sources.ts";

const maxMountsBytes = 4 << 20;
const maxMountinfoBytes = 16 << 20;
/** Each 10 ms. */
const undoAttempts = 500;

/**
 * Adds the mounts that the file lists, all of them or none. On an enrolled host the container's grants decide, as for
 * those of its bundle.
 */
export function addMounts(context: Context, options: MountsOptions): number {
  const asked = readMounts(context, options);
  return withContainer(context, options.id, (directory, record) => {
    const { host, lifecycle, log } = context;
    const { spec, grants } = readEffectiveConfig(host, directory);
    const linux = spec.linux ?? {};
    const added = readAddedMounts(host, directory);
    for (const { destination } of asked) {
      if (added.some((mount) => mount.destination === cleanPath(destination))) {
        throw new EdgerunError("CONTAINER_STATE", `a mount was added at "${destination}" before: remove it first`);
      }
    }
    const mounts = grants === null ? asked : lifecycle.limitMounts(asked, linux, grants);
    const plan = nameSource(options.file, "config.json: $.mounts", () =>
      planAddedMounts({ mounts, bundle: record.bundle, linux, initPid: record.pid, facts: readHostFacts(host) }),
    );
    for (const warning of plan.warnings) log.warn(warning);
    runInit(host, launchInit(host, plan.operations, 0, 0), (init) => {
      const ids = awaitMounts(host, init, () => handSources(host, init, plan));
      const fresh = plan.destinations.map((destination, index) => ({ destination, mountId: ids[index] ?? 0 }));
      writeAddedMounts(host, directory, [...added, ...fresh]);
      // Until this word, init takes them away if we end.
      host.tellInit(init.controlFd, messages.start, 0);
    });
  });
}

/**
 * Removes mounts that were added: those whose destinations the file lists, all of them or none. One that the container
 * has unmounted itself is gone already.
 */
export function removeMounts(context: Context, options: MountsOptions): number {
  const asked = readMounts(context, options).map(({ destination }) => cleanPath(destination));
  return withContainer(context, options.id, (directory, record) => {
    const { host } = context;
    const added = readAddedMounts(host, directory);
    const unknown = asked.find((destination) => !added.some((mount) => mount.destination === destination));
    if (unknown !== undefined) {
      throw new EdgerunError("USAGE", `no mount was added at "${unknown}"`);
    }
    const chosen = added.filter(({ destination }) => asked.includes(destination)).reverse();
    const mounts = findTargets(host, record, chosen);
    if (mounts.length > 0) {
      const linux = readEffectiveConfig(host, directory).spec.linux ?? {};
      runInit(host, launchInit(host, planRemovedMounts(mounts, linux, record.pid), 0, 0), (init) => {
        awaitMounts(host, init, () => undefined);
      });
    }
    const kept = added.filter(({ destination }) => !asked.includes(destination));
    writeAddedMounts(host, directory, kept);
  });
}

function readMounts({ host, log }: Context, { file }: MountsOptions): Mount[] {
  const { mounts, warnings } = decodeMounts(host.readJson(file, maxMountsBytes), file);
  for (const warning of warnings) log.warn(warning);
  return mounts;
}

/** Under the container's lock. @throws EdgerunError CONTAINER_STATE unless it runs */
function withContainer(
  { host, root }: Context,
  id: string,
  action: (directory: StateDirectory, record: ContainerRecord) => void,
): number {
  const directory = lockDirectory(host, root, id);
  try {
    const record = readRecord(host, root, id);
    const status = computeStatus(host, root, record);
    if (status === "stopped" || status === "creating") throw notRunning();
    action(directory, record);
  } finally {
    unlockDirectory(host, directory);
  }
  return 0;
}

/** Serves an init that changes mounts, to its end. */
function runInit(host: Host, init: InitProcess, serve: (init: InitProcess) => void): void {
  try {
    serve(init);
  } catch (error) {
    endInit(host, init);
    throw error;
  }
  const exitCode = host.waitProcess(init.pid);
  host.closeFd(init.controlFd);
  host.closeFd(init.pidfd);
  if (exitCode !== 0) throw new EdgerunError("INIT", `the mounts were not changed: init ended with ${exitCode}`);
}

/** Ends an init that takes away what it has mounted when its connection ends: it gets the time for that. */
function endInit(host: Host, init: InitProcess): void {
  host.closeFd(init.controlFd);
  for (let attempt = 0; attempt < undoAttempts; attempt++) {
    const state = host.processInfo(init.pid)?.[1];
    if (state === undefined || state === zombie) break;
    host.sleep(10);
  }
  signalIfAlive(host, init.pid, SIGKILL);
  host.waitProcess(init.pid);
  host.closeFd(init.pidfd);
}

/** Where mounts are now, by their ids: the container may have moved a directory above one, or unmounted it. */
function findTargets(
  host: Host,
  { pid }: ContainerRecord,
  mounts: readonly AddedMount[],
): { target: string; mountId: number }[] {
  const places = new Map<string, string>();
  for (const line of host.readFile(`/proc/${pid}/mountinfo`, maxMountinfoBytes).split("\n")) {
    const [id = "", , , , target = ""] = line.split(" ");
    places.set(id, unescapeOctal(target));
  }
  return mounts
    .map(({ mountId }) => ({ mountId, target: places.get(String(mountId)) }))
    .filter((mount): mount is { target: string; mountId: number } => mount.target !== undefined);
}
