// SPDX-License-Identifier: Apache-2.0
// How a write to a cgroup file is taken back.
// Source: Documentation/admin-guide/cgroup-v1/ and cgroup-v2.rst of the kernel.

/** Files with a line for each key, which is the first word of what is written; and the rest of a line that resets one. */
const keyedFiles: { readonly [file: string]: string | undefined } = {
  "io.max": "rbps=max wbps=max riops=max wiops=max",
  "io.weight": "default",
  "io.bfq.weight": "default",
  "rdma.max": "hca_handle=max hca_object=max",
  "blkio.weight_device": "0",
  "blkio.bfq.weight_device": "0",
  "blkio.leaf_weight_device": "0",
  "blkio.throttle.read_bps_device": "0",
  "blkio.throttle.write_bps_device": "0",
  "blkio.throttle.read_iops_device": "0",
  "blkio.throttle.write_iops_device": "0",
  "io.latency": undefined, // no way to reset one
  "net_prio.ifpriomap": undefined, // each interface always has a line
};

/** No limit, in pages of 4 KiB: how a hugetlb file begins. It would be rounded down to huge pages when written back. */
const unlimited = "9223372036854771712";

/** What to write to undo the write of `value`, where the file had the text `former`; undefined where nothing does. */
export function planRestore(file: string, value: string, former: string): string | undefined {
  const lines = former.split("\n").filter((line) => line !== "");
  if (file.startsWith("hugetlb.") && lines[0] === unlimited) return file.endsWith(".limit_in_bytes") ? "-1" : "max";
  if (file === "memory.oom_control") return lines[0]?.split(" ")[1];
  if (Object.hasOwn(keyedFiles, file)) {
    const key = value.split(" ")[0]!;
    const reset = keyedFiles[file];
    return lines.find((line) => line.startsWith(`${key} `)) ?? (reset === undefined ? undefined : `${key} ${reset}`);
  }
  // A file with other lines is not known here; an empty one is reset by an empty line.
  return lines.length > 1 ? undefined : (lines[0] ?? "\n");
}
