// SPDX-License-Identifier: Apache-2.0
// `edgerun owner lint`: a manifest is checked as a device would, and what is wider than it need be is named. Node only.
import { decodeManifest } from "../manifest/decode.ts";
import type { Manifest } from "../manifest/schema.ts";
import { requireEnforced } from "../manifest/unenforced.ts";
import { checkDocument } from "./documents.ts";
import { readText } from "./keys.ts";
import { makeNodeHost } from "./node_host.ts";
import { currentTime, parsePayload } from "./sign.ts";

const secondsPerYear = 31_557_600;
/** With one of these an app can take the others, or come close to it (capabilities(7)). */
const powerful = ["CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_PTRACE", "CAP_BPF", "CAP_NET_ADMIN"];

/**
 * Advice, one line each; none is a reason for a device to refuse the manifest.
 * @throws EdgerunError MANIFEST_INVALID or UNSUPPORTED if a device would; HOST
 */
export async function lint(options: { manifestFile: string; now?: number }): Promise<string[]> {
  const { manifestFile, now = currentTime() } = options;
  const payload = parsePayload(await readText(manifestFile), manifestFile);
  checkDocument(makeNodeHost(now), payload, manifestFile, now);
  const manifest = decodeManifest(payload);
  requireEnforced(manifest);
  return [...adviseScope(manifest), ...adviseGrants(manifest)];
}

function adviseScope({ iat, exp, audience, binding }: Manifest): string[] {
  const advice: string[] = [];
  if (audience === undefined)
    advice.push("audience: valid on every device that trusts the key; name devices or classes");
  if (exp - iat > 2 * secondsPerYear) advice.push("exp: valid for more than two years");
  if (binding.args === undefined && binding.argsPrefixes === undefined) {
    advice.push("binding.args: any program of the image may be started");
  }
  if (binding.user === undefined) advice.push("binding.user: the program may run as any user, also as root");
  if (binding.environment === undefined) advice.push("binding.environment: any variable may be set, also LD_PRELOAD");
  return advice;
}

function adviseGrants({ grants }: Manifest): string[] {
  const advice: string[] = [];
  for (const name of grants.capabilities ?? []) {
    if (powerful.includes(name)) advice.push(`grants.capabilities: ${name} is as good as root`);
  }
  if (grants.network?.mode === "host")
    advice.push("grants.network.mode: host is the host's own network, without limits");
  for (const { source, access } of grants.mounts ?? []) {
    if (access === "rw" && ["/", "/etc", "/usr", "/var", "/run", "/dev"].includes(source)) {
      advice.push(`grants.mounts: ${source} can be written`);
    }
  }
  for (const { path = "" } of grants.devices ?? []) {
    if (["/dev/mem", "/dev/kmem", "/dev/port"].includes(path))
      advice.push(`grants.devices: ${path} is all of the memory`);
  }
  return advice;
}
