// SPDX-License-Identifier: Apache-2.0
import { formatState } from "../cli/state.ts";
import type { Host } from "../host/functions.ts";
import type { ContainerRecord } from "../state/record.ts";
import { computeStatus } from "../state/status.ts";
import { readRecord } from "../state/store.ts";
import type { ContainerState, Context } from "./options.ts";

const maxPasswdBytes = 1 << 20;

/** `state`: the OCI state document, on stdout. */
export function state(context: Context, id: string): number {
  const { host, root } = context;
  host.writeFd(1, formatState(describeContainer(host, root, readRecord(host, root, id))));
  return 0;
}

/** The state of a container as others are told it; `root` is the state root. */
export function describeContainer(host: Host, root: string, record: ContainerRecord): ContainerState {
  const status = computeStatus(host, root, record);
  const { ociVersion, id, pid, bundle, rootfs, created, annotations, owner } = record;
  const hasAnnotations = Object.keys(annotations).length > 0;
  return {
    ociVersion,
    id,
    pid: status === "stopped" ? 0 : pid,
    status,
    bundle,
    rootfs,
    created,
    ...(hasAnnotations ? { annotations } : {}),
    owner: userName(host, owner),
  };
}

function userName(host: Host, uid: number): string {
  if (uid === 0) return "root";
  const passwd = host.readFileIfExists("/etc/passwd", maxPasswdBytes) ?? "";
  for (const line of passwd.split("\n")) {
    const [name = "", , id] = line.split(":");
    if (id === String(uid)) return name;
  }
  return `#${uid}`;
}
