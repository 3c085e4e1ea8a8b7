// SPDX-License-Identifier: Apache-2.0
// Writing limits of running containers: all of them, or none.
import { EdgerunError, wrap } from "../errors.ts";
import type { Host } from "../host/functions.ts";
import { planRestore } from "../plan/cgroup_restore.ts";
import type { LimitWrite } from "../plan/update.ts";

const maxFileBytes = 1 << 20;

type FileWrite = { path: string; file: string; value: string };

/** A write that was done, and the text that takes it back; undefined where nothing does. */
type Done = { path: string; restore: string | undefined };

/**
 * Writes the limits, then calls `commit`. If either fails, the former values are put back.
 * @param onRestoreFailure is told of a value that could not be put back
 */
export function writeLimits(
  host: Host,
  writes: readonly LimitWrite[],
  commit: () => void,
  onRestoreFailure: (error: unknown) => void,
): void {
  const done: Done[] = [];
  try {
    const fileWrites = writes.map((write) => chooseFile(host, write)).filter((write) => write !== undefined);
    writeInRounds(fileWrites, (write) => done.push(writeFile(host, write)));
    commit();
  } catch (error) {
    try {
      const restores = done.reverse().filter(({ restore }) => restore !== undefined);
      writeInRounds(restores, ({ path, restore }) => putBack(host, path, restore!));
    } catch (restoreError) {
      onRestoreFailure(restoreError);
    }
    throw error;
  }
}

function putBack(host: Host, path: string, text: string): void {
  try {
    host.writeFile(path, text);
  } catch (error) {
    // A cpuset with processes can't be emptied again (Linux 6.1, for one): what its parent has is what it had.
    if (!(error instanceof EdgerunError) || error.errno !== "ENOSPC" || text.trim() !== "") throw error;
    const slash = path.lastIndexOf("/");
    const parent = path.slice(0, path.lastIndexOf("/", slash - 1));
    host.writeFile(path, host.readFile(`${parent}${path.slice(slash)}.effective`, maxFileBytes));
  }
}

/** Where kernels differ, the file that is there; undefined where nothing is to be written. */
function chooseFile(host: Host, write: LimitWrite): FileWrite | undefined {
  const { directory, file, value, ifAbsent, valueIfAbsent } = write;
  if (host.fileInfo(`${directory}/${file}`, 0) !== null) return { path: `${directory}/${file}`, file, value };
  if (ifAbsent === "") return undefined;
  if (ifAbsent !== undefined && host.fileInfo(`${directory}/${ifAbsent}`, 0) !== null) {
    return { path: `${directory}/${ifAbsent}`, file: ifAbsent, value: valueIfAbsent ?? value };
  }
  const controller = file.slice(0, file.indexOf("."));
  throw new EdgerunError(
    "UNSUPPORTED",
    `cannot set ${file} to "${value}": no such file in "${directory}" (is the cgroup controller "${controller}" enabled there?)`,
  );
}

/**
 * Writes in order. The kernel refuses (EINVAL) a value that contradicts one which is still to be written: a limit of
 * memory above the one of memory and swap, a quota or a burst beyond its period. Such are tried again after the others,
 * as long as each round gets further. So there is one order for raising and lowering.
 */
function writeInRounds<W>(writes: readonly W[], write: (one: W) => void): void {
  let waiting = writes;
  for (;;) {
    const refused: W[] = [];
    let refusal: unknown;
    for (const one of waiting) {
      try {
        write(one);
      } catch (error) {
        if (!(error instanceof EdgerunError) || error.errno !== "EINVAL") throw error;
        refused.push(one);
        refusal ??= error;
      }
    }
    if (refused.length === 0) return;
    if (refused.length === waiting.length) throw refusal;
    waiting = refused;
  }
}

function writeFile(host: Host, { path, file, value }: FileWrite): Done {
  const former = readFormer(host, path);
  try {
    host.writeFile(path, value);
  } catch (error) {
    throw wrap(`cannot set ${file} to "${value}"${describeUsage(host, path, error)}`, error);
  }
  return { path, restore: former === undefined ? undefined : planRestore(file, value, former) };
}

/** undefined for a file that can only be written. */
function readFormer(host: Host, path: string): string | undefined {
  try {
    return host.readFile(path, maxFileBytes);
  } catch (error) {
    if (error instanceof EdgerunError) return undefined;
    throw error;
  }
}

/** The kernel refuses (EBUSY) a memory limit below what is in use and can't be reclaimed. */
function describeUsage(host: Host, path: string, error: unknown): string {
  if (!(error instanceof EdgerunError) || error.errno !== "EBUSY") return "";
  const usage = host.readFileIfExists(`${path.slice(0, path.lastIndexOf("/"))}/memory.usage_in_bytes`, 64);
  return usage === null ? "" : ` (current usage: ${usage.trim()})`;
}
