// SPDX-License-Identifier: Apache-2.0
// IMAGES/edgerun.json: what a checkpoint was made of. A restore needs it to give CRIU the host paths of the container's
// mounts, to see that these came back as they were, and on an enrolled host, that the owner still grants what the
// processes in the image hold.
import { EdgerunError } from "../errors.ts";
import type { Host, Json } from "../host/functions.ts";
import { decode } from "../schema/decode.ts";
import type { Decoded, Schema } from "../schema/schema.ts";
import type { Spec } from "../spec/config.ts";
import { decodeSpec } from "../spec/decode.ts";
import { type Storable, toJsonText } from "../state/json_text.ts";
import type { MountEntry } from "./mount_table.ts";
import { cgroupTarget, findSource, maskTarget, rootTarget, type Source } from "./outside.ts";

const fileName = "edgerun.json";
const maxBytes = 32 << 20;

const mountSchema = {
  required: { point: "absolute_path", options: "string", type: "string", superOptions: "string" },
  optional: {
    /** Only of mounts that show something of the host: outside.ts. */
    origin: { required: { target: "string", below: "string" }, optional: {} },
  },
} as const satisfies Schema;

const schema = {
  required: { version: { integer: [1, 1] }, mounts: { list: mountSchema }, nullStdio: { list: "string" } },
  optional: {},
} as const satisfies Schema;

export type DescribedMount = Decoded<typeof mountSchema>;

export type Description = {
  /** The container's effective spec. */
  spec: Spec;
  mounts: DescribedMount[];
  /** What CRIU calls those of its stdio that are /dev/null of the host. */
  nullStdio: string[];
};

/**
 * Describes a container's mounts and says which of them CRIU has to be told about.
 * @throws EdgerunError UNSUPPORTED for a mount that could not be restored as it is
 */
export function describeMounts(mounts: readonly MountEntry[], sources: readonly Source[]): DescribedMount[] {
  const ownDevices = mounts.filter((mount) => mount.place.path === "/" && findSource(sources, mount) === undefined);
  const described = mounts.map((mount): DescribedMount => {
    const { point, options, type, superOptions } = mount;
    refuseMount(mount);
    const source = findSource(sources, mount);
    if (source !== undefined) return { point, options, type, superOptions, origin: source.origin };
    if (ownDevices.some(({ place }) => place.device === mount.place.device))
      return { point, options, type, superOptions };
    const show = `${type} ${mount.place.device} ${JSON.stringify(mount.place.path)}`;
    throw unsupported(
      `mount ${JSON.stringify(point)} shows ${show}, which is none of config.json's sources as they are now`,
    );
  });
  described.forEach(({ point, origin }, index) => {
    const isTwice = described.findIndex((other) => other.point === point) !== index;
    if (isTwice && (origin !== undefined || described.some((other) => other.point === point && other.origin))) {
      throw unsupported(`two mounts are at ${JSON.stringify(point)}: criu can't tell them apart`);
    }
  });
  return described;
}

function refuseMount({ point, options }: MountEntry): void {
  // CRIU's own lists separate names by "]:"
  if (point.includes("]")) throw unsupported(`mount ${JSON.stringify(point)} has a "]" in its path`);
  if (options.split(",").includes("idmapped")) {
    throw unsupported(`mount ${JSON.stringify(point)} has id mappings, which criu would lose`);
  }
}

/** The name of a mount in the image: as runc and crun call it, so that images can be exchanged. */
export function mountName({ point, origin }: DescribedMount): string {
  return origin?.target === maskTarget ? "/dev/null" : point;
}

/**
 * The mounts that CRIU must be told about: all that show something of the host, but the root, which has its own option,
 * and cgroups that it mounts anew in a cgroup namespace.
 */
export function listNamedMounts(mounts: readonly DescribedMount[]): DescribedMount[] {
  return mounts.filter(
    ({ origin }) =>
      origin !== undefined && origin.target !== cgroupTarget && !(origin.target === rootTarget && origin.below === ""),
  );
}

export function writeDescription(host: Host, images: string, description: Description): void {
  const text = toJsonText({ version: 1, ...description } as Storable);
  host.replaceFile(`${images}/${fileName}`, text, 0o600, 0);
}

/** null: another runtime made the images. @throws EdgerunError CONFIG_INVALID, HOST */
export function readDescription(host: Host, images: string): Description | null {
  const path = `${images}/${fileName}`;
  if (host.fileInfo(path, 0) === null) return null;
  const { spec, ...rest } = host.readJson(path, maxBytes) as { [name: string]: Json };
  const { mounts, nullStdio } = decode(schema, rest, path).value;
  return { spec: decodeSpec(spec ?? null, path).spec, mounts, nullStdio };
}

function unsupported(message: string): EdgerunError {
  return new EdgerunError("UNSUPPORTED", `cannot checkpoint: ${message}`);
}
