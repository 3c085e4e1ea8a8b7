// SPDX-License-Identifier: Apache-2.0
// The cgroups that a process of `exec` joins, as they are on this host now.
import { EdgerunError } from "../errors.ts";
import { parseOwnCgroups } from "../host/facts.ts";
import type { Host } from "../host/functions.ts";
import { cgroupVersion } from "../plan/cgroups.ts";
import { chooseExecCgroups } from "../plan/exec_cgroups.ts";
import { isWithin, joinBelow } from "../plan/paths.ts";
import type { HostFacts } from "../plan/plan.ts";
import type { ContainerRecord } from "../state/record.ts";

const maxFileBytes = 64 << 10;

/**
 * The directories to join.
 * @param asked values of `--cgroup`
 * @throws EdgerunError USAGE where one does not exist
 */
export function findExecCgroups(
  host: Host,
  record: ContainerRecord,
  asked: readonly string[],
  facts: HostFacts,
): readonly string[] {
  if (asked.length === 0) return findJoinable(host, record, facts);
  const paths = chooseExecCgroups(asked, record.cgroups, facts);
  for (const path of paths) {
    if (host.fileInfo(path, 0) === null)
      throw new EdgerunError("USAGE", `no such cgroup "${path}": no such file or directory`);
  }
  return paths;
}

/**
 * A version 2 cgroup whose children have controllers takes no process itself. A container that made some below its own
 * (systemd inside does) has its first process in one of these: that one will do, as with runc.
 */
function findJoinable(host: Host, record: ContainerRecord, facts: HostFacts): readonly string[] {
  const [own] = record.cgroups;
  if (own === undefined || cgroupVersion(facts) === 1) return record.cgroups;
  const enabled = host.readFileIfExists(`${own}/cgroup.subtree_control`, maxFileBytes);
  if (enabled === null || enabled.trim() === "") return record.cgroups;
  const mount = facts.cgroupMounts.find(({ version }) => version === 2);
  const processes = parseOwnCgroups(host.readFile(`/proc/${record.pid}/cgroup`, maxFileBytes));
  const path = processes.find(({ controllers }) => controllers === "")?.path;
  if (mount === undefined || path === undefined || !isWithin(mount.root, path)) return record.cgroups;
  const found = joinBelow(mount.mountPoint, mount.root === "/" ? path : path.slice(mount.root.length));
  return isWithin(own, found) ? [found] : record.cgroups;
}
