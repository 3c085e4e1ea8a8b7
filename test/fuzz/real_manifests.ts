// SPDX-License-Identifier: Apache-2.0
// Manifests that inputs are made from: with few grants, and with all kinds.
import type { Json } from "../../src/host/functions.ts";
import { exampleManifest } from "../unit/manifest_fixture.ts";

export function realManifests(): Json[] {
  const { grants } = exampleManifest();
  const many = {
    ...grants,
    cpu: { quotaPercent: 50, cpus: "0-1" },
    capabilities: ["CAP_NET_BIND_SERVICE", "CAP_KILL", "CAP_CHOWN"],
    devices: [
      { path: "/dev/ttyS0", access: "rw" },
      { path: "/dev/sda", access: "r" },
    ],
    mounts: [
      { source: "/srv/readings", destination: "/data", access: "ro" as const },
      { source: "/srv/out", destination: "/out", access: "rw" as const },
    ],
    network: { mode: "namespace" as const, path: "/run/netns/app" },
  };
  const manifests = [
    exampleManifest(),
    exampleManifest({ grants: many }),
    exampleManifest({ grants: { ...many, network: { mode: "host" } } }),
    exampleManifest({
      nbf: exampleManifest().iat,
      binding: { image: exampleManifest().binding.image!, args: ["/bin/meter", "--once"] },
    }),
  ];
  return manifests as unknown as Json[];
}
