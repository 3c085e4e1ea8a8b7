// SPDX-License-Identifier: Apache-2.0
// What the device's owner says to a bundle: the manifest, and the spec as far as it is granted.
import type { Json } from "../host/functions.ts";
import { readInventory } from "../inventory/read.ts";
import { admitBundle } from "../manifest/admit.ts";
import { decodeGrants } from "../manifest/decode.ts";
import type { Grants } from "../manifest/schema.ts";
import { isEnrolled, readTrustStore } from "../manifest/trust.ts";
import { type NetworkRequest, resolveNetwork } from "../network/request.ts";
import { applyManifest } from "../policy/apply.ts";
import { type Decision, requireNoDenials } from "../policy/decision.ts";
import { readHostView } from "../policy/host_view.ts";
import { limitProcess } from "../policy/process.ts";
import { limitResources } from "../policy/resources.ts";
import type { LinuxResources, Process, Spec } from "../spec/config.ts";
import { type Authorization, type AuthorizeOptions, type Context, trustDirectory } from "./options.ts";

export function isHostEnrolled(context: Context): boolean {
  return isEnrolled(readTrustStore(context.host, trustDirectory(context), context.request.uid));
}

/**
 * Finds and verifies the manifest of a bundle and applies it. With reportOnly, denials are in the decisions only.
 * @throws EdgerunError MANIFEST_REQUIRED, MANIFEST_INVALID, DENIED
 */
export function authorize(context: Context, asked: Spec, options: AuthorizeOptions): Authorization {
  const { host, request } = context;
  const admission = admitBundle(
    host,
    asked,
    {
      trustDirectory: trustDirectory(context),
      manifestDirectory: `${context.configRoot}/manifests`,
      manifestFile: options.manifest,
      bundle: options.bundle,
    },
    request.uid,
  );
  if (admission === null) {
    return { spec: asked, decisions: null, grants: null, network: null, manifestDigest: "", manifestKeyId: "" };
  }
  const { spec, decisions } = applyManifest(
    asked,
    admission.manifest,
    readHostView(host, asked, admission.manifest.grants),
  );
  if (!options.reportOnly) requireNoDenials(decisions);
  const { verified, manifest } = admission;
  return {
    spec,
    decisions,
    grants: manifest.grants,
    network: resolveNetworkGrant(context, manifest.grants),
    manifestDigest: verified?.digest ?? "",
    manifestKeyId: verified?.kid ?? "",
  };
}

/** The inventory is read only where a grant needs it. */
function resolveNetworkGrant({ host, request, configRoot }: Context, { network }: Grants): NetworkRequest | null {
  if (network?.mode !== "direct") return null;
  return resolveNetwork(network, readInventory(host, `${configRoot}/inventory.json`, request.uid));
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
