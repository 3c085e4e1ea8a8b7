// SPDX-License-Identifier: Apache-2.0
// What the device's owner says to a bundle: the manifest, and the spec as far as it is granted.
import { admitBundle } from "../manifest/admit.ts";
import { isEnrolled, readTrustStore } from "../manifest/trust.ts";
import { applyManifest } from "../policy/apply.ts";
import { type Decision, requireNoDenials } from "../policy/decision.ts";
import { readHostView } from "../policy/host_view.ts";
import type { Spec } from "../spec/config.ts";
import type { Context } from "./options.ts";

export type Authorization = {
  /** The effective spec; on a host that is not enrolled, what the bundle asks for. */
  spec: Spec;
  /** null: the host is not enrolled, nothing was decided. */
  decisions: Decision[] | null;
  /** Of the manifest and the key that signed it; "" where there is none. */
  manifestDigest: string;
  manifestKeyId: string;
};

/** The trust store below the configuration directory (default /etc/edgerun). */
export function trustDirectory(context: Context): string {
  return `${context.configRoot}/trust`;
}

export function isHostEnrolled(context: Context): boolean {
  return isEnrolled(readTrustStore(context.host, trustDirectory(context), context.request.uid));
}

/**
 * Finds and verifies the manifest of a bundle and applies it. With reportOnly, denials are in the decisions only.
 * @throws EdgerunError MANIFEST_REQUIRED, MANIFEST_INVALID, DENIED
 */
export function authorize(
  context: Context,
  asked: Spec,
  options: { bundle: string; manifest: string | undefined; reportOnly: boolean },
): Authorization {
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
  if (admission === null) return { spec: asked, decisions: null, manifestDigest: "", manifestKeyId: "" };
  const { spec, decisions } = applyManifest(
    asked,
    admission.manifest,
    readHostView(host, asked, admission.manifest.grants),
  );
  if (!options.reportOnly) requireNoDenials(decisions);
  const { verified } = admission;
  return { spec, decisions, manifestDigest: verified?.digest ?? "", manifestKeyId: verified?.kid ?? "" };
}
