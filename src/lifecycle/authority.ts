// SPDX-License-Identifier: Apache-2.0
// What the device's owner says to a bundle: the manifest, and the spec as far as it is granted.
import type { Json } from "../host/functions.ts";
import { readInventory } from "../inventory/read.ts";
import type { Inventory } from "../inventory/schema.ts";
import { admitBundle, commitAdmission, readmit } from "../manifest/admit.ts";
import { decodeGrants } from "../manifest/decode.ts";
import type { Grants } from "../manifest/schema.ts";
import type { Site } from "../manifest/site.ts";
import { isEnrolled, readTrustStore } from "../manifest/trust.ts";
import { resolveNetwork } from "../network/request.ts";
import { applyManifest } from "../policy/apply.ts";
import { type Decision, requireNoDenials } from "../policy/decision.ts";
import { readHostView } from "../policy/host_view.ts";
import { limitMounts } from "../policy/mounts.ts";
import { limitProcess } from "../policy/process.ts";
import { needsInventory } from "../policy/read_points.ts";
import { limitResources } from "../policy/resources.ts";
import type { Linux, LinuxResources, Mount, Process, Spec } from "../spec/config.ts";
import type { ContainerRecord } from "../state/record.ts";
import type { StateDirectory } from "../state/store.ts";
import { readStoredManifest } from "../state/stored_manifest.ts";
import type { Authorization, AuthorizeOptions, Context } from "./options.ts";

export function makeSite({ host, request, configRoot, dataRoot }: Context): Site {
  return { host, configRoot, dataRoot, uid: request.uid };
}

export function isHostEnrolled(context: Context): boolean {
  return isEnrolled(readTrustStore(makeSite(context)));
}

/**
 * Finds and verifies the manifest of a bundle and applies it. With reportOnly, denials are in the decisions only.
 * Nothing is remembered of the manifest yet: see SignedManifest.commit().
 * @throws EdgerunError MANIFEST_REQUIRED, MANIFEST_INVALID, DENIED, UNSUPPORTED
 */
export function authorize(context: Context, asked: Spec, options: AuthorizeOptions): Authorization {
  const { host, log } = context;
  const site = makeSite(context);
  const { bundle, manifest: manifestFile, reportOnly } = options;
  const admission = admitBundle(site, { spec: asked, bundle, manifestFile }, log.warn);
  if (admission === null) return { spec: asked, decisions: null, grants: null, network: null, manifest: null };
  const { manifest, verified } = admission;
  const inventory = readInventoryFor(context, manifest.grants);
  const view = readHostView(host, admission.spec, manifest.grants, inventory);
  const { spec, decisions } = applyManifest(admission.spec, manifest, view);
  if (!reportOnly) requireNoDenials(decisions);
  const signed = verified && {
    text: verified.text,
    digest: verified.digest,
    keyIds: verified.signers.map(({ kid }) => kid),
    commit: () => commitAdmission(site, admission, log.warn),
  };
  const network = inventory === null ? null : resolveNetwork(manifest.grants.network, inventory);
  return { spec, decisions, grants: manifest.grants, network, manifest: signed };
}

/**
 * Checks, when a created container is started, that its manifest is still valid.
 * @throws EdgerunError MANIFEST_REQUIRED, MANIFEST_INVALID
 */
export function reauthorize(context: Context, directory: StateDirectory, record: ContainerRecord): void {
  const { manifestDigest, annotations } = record;
  const text = manifestDigest === "" ? null : readStoredManifest(context.host, directory);
  readmit(makeSite(context), { text, digest: manifestDigest, annotations }, context.log.warn);
}

/** The host inventory, where the manifest has names that are looked up in it; else null. */
function readInventoryFor({ host, request, configRoot }: Context, grants: Grants): Inventory | null {
  if (!needsInventory(grants) && grants.network?.mode !== "direct") return null;
  return readInventory(host, `${configRoot}/inventory.json`, request.uid);
}

/**
 * What limits the container's first process limits every other. Nothing is denied here: what is not granted is left out.
 * @param grants as the container's effective config has them
 */
export function limitExecProcess(asked: Process, grants: Json): Process {
  return limitProcess(asked, decodeGrants(grants, "the container's grants"), []);
}

/**
 * What `update` asks for, merged into what is in force, is bounded as at the start.
 * @throws EdgerunError DENIED
 */
export function limitUpdate(asked: LinuxResources, grants: Json): { resources: LinuxResources; decisions: Decision[] } {
  const decisions: Decision[] = [];
  const resources = limitResources(asked, decodeGrants(grants, "the container's grants"), decisions);
  requireNoDenials(decisions);
  return { resources, decisions };
}

/**
 * Mounts for a running container are granted as those of its bundle.
 * @throws EdgerunError DENIED
 */
export function limitAddedMounts(asked: readonly Mount[], linux: Linux, grants: Json): Mount[] {
  const decisions: Decision[] = [];
  const mounts = limitMounts(asked, linux, decodeGrants(grants, "the container's grants"), decisions);
  requireNoDenials(decisions);
  return mounts;
}
