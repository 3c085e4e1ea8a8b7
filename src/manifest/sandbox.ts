// SPDX-License-Identifier: Apache-2.0
// The pod sandbox ("pause") container, which holds a pod's namespaces and runs no app. No owner signs for it.
import type { Spec } from "../spec/config.ts";
import { type Manifest, schemaV1 } from "./schema.ts";

/** True if the engine (containerd's CRI plugin, CRI-O) marked the bundle as a pod's sandbox. */
export function isPodSandbox(annotations: Spec["annotations"]): boolean {
  return (
    annotations?.["io.kubernetes.cri.container-type"] === "sandbox" ||
    annotations?.["io.kubernetes.cri-o.ContainerType"] === "sandbox"
  );
}

/**
 * What a sandbox may have: as good as nothing. The mark on a bundle is not signed, so this must be little enough that
 * an app gains nothing by carrying it. `network` only lets the sandbox enter the namespace that the engine made for
 * the pod; the host's own stays denied.
 */
export function sandboxManifest(): Manifest {
  return {
    schema: schemaV1,
    iss: "edgerun",
    jti: "pod-sandbox",
    seq: 0,
    iat: 0,
    exp: Number.MAX_SAFE_INTEGER,
    app: { id: "edgerun.pod-sandbox" },
    binding: { image: `sha256:${"0".repeat(64)}` },
    grants: {
      memory: { limitBytes: 16 * 1048576 },
      pids: { limit: 8 },
      cpu: { quotaPercent: 10 },
      network: { mode: "namespace" },
    },
  };
}
