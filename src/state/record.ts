// SPDX-License-Identifier: Apache-2.0
// What is kept of a container between commands: STATE_ROOT/ID/state.json. It is written and fsynced before the first
// side effect, so `delete --force` can undo everything from it alone, whenever the creating command was killed.
import type { Json } from "../host/functions.ts";
import { decode } from "../schema/decode.ts";
import type { Decoded, Schema } from "../schema/schema.ts";

const hookSchema = {
  required: { path: "string", args: { list: "string" }, env: { list: "string" }, timeoutMs: "u32" },
  optional: {},
} as const satisfies Schema;

const recordSchema = {
  required: {
    version: { integer: [1, 1] },
    id: "nonempty_string",
    ociVersion: "string",
    bundle: "string",
    rootfs: "string",
    /** RFC 3339, when `create` began. */
    created: "string",
    /** The uid of who created it. */
    owner: "u32",
    /** The kernel's boot id: after a reboot the pid means nothing. */
    bootId: "string",
    /**
     * How far the creation has come:
     *   creating -> created
     * `creating` has no process that could be started; what runs on from `created` is derived from the kernel
     * (status.ts), so nothing has to be written when a container starts or ends.
     */
    phase: { oneOf: ["creating", "created"] },
    /** Of the container's first process; 0 while creating. */
    pid: "u32",
    /** Its start time in clock ticks, which tells a reused pid. */
    startTime: { integer: [0, 9007199254740991] },
    /** Has it no pid namespace of its own? Then the end of its first process does not end the others. */
    sharesPidNamespace: "boolean",
    /** Do its processes keep the session keyring of whoever starts them? */
    noNewKeyring: "boolean",
    /** Absolute paths of the cgroup directories that are removed with the container. */
    cgroups: { list: "string" },
    /** The file that freezes it: freezer.state (cgroup v1) or cgroup.freeze; "" where there is none. */
    freezer: "string",
    poststart: { list: hookSchema },
    poststop: { list: hookSchema },
    annotations: { map: "string" },
    /** Digest of the capability manifest that it runs under ("" without one), and the keys that signed it. */
    manifestDigest: "string",
    manifestKeyIds: { list: "string" },
  },
  optional: {
    /** Directories of resctrl that are removed with the container, in this order. */
    resctrl: { list: "string" },
    /** The interface on the host that the container is connected by (src/network/link.ts). */
    link: "nonempty_string",
  },
} as const satisfies Schema;

export type ContainerRecord = Decoded<typeof recordSchema>;

/** @throws EdgerunError CONFIG_INVALID when it isn't a record of this version */
export function decodeRecord(json: Json, label: string): ContainerRecord {
  return decode(recordSchema, json, label).value;
}
