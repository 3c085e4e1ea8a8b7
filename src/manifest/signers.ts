// SPDX-License-Identifier: Apache-2.0
// Whether those who signed a manifest were allowed to: roles, apps, devices, time, and how many of them it takes.
import { quote } from "../schema/describe.ts";
import type { Clock } from "./clock.ts";
import { requireAudience } from "./device.ts";
import { matchesApp } from "./formats.ts";
import type { Manifest } from "./schema.ts";
import type { Site } from "./site.ts";
import { invalidManifest } from "./text.ts";
import type { TrustedKey, TrustStore } from "./trust.ts";

/** @throws MANIFEST_INVALID naming the key, and what it may not */
export function checkSigners(
  site: Site,
  trust: TrustStore,
  signers: readonly TrustedKey[],
  manifest: Manifest,
  clock: Clock,
): void {
  for (const key of signers) checkSigner(site, key, manifest, clock);
  const { operators, certifiers } = trust.policy;
  const count = (role: TrustedKey["roles"][number]): number =>
    signers.filter(({ roles }) => roles.includes(role)).length;
  // One who has both roles counts for one of them.
  const isEnough =
    count("operator") >= operators && count("certifier") >= certifiers && signers.length >= operators + certifiers;
  if (isEnough) return;
  throw invalidManifest(
    `the manifest is signed by ${count("operator")} operator(s) and ${count("certifier")} certifier(s), by ${signers.length} key(s) in all; the trust policy requires ${operators} operator(s) and ${certifiers} certifier(s)`,
  );
}

function checkSigner(site: Site, key: TrustedKey, manifest: Manifest, clock: Clock): void {
  const name = `key ${quote(key.kid)} (${quote(key.file)})`;
  if (!key.roles.includes("operator") && !key.roles.includes("certifier")) {
    throw invalidManifest(`the manifest is signed by ${name}, which may not sign manifests`);
  }
  if (key.apps !== undefined && !key.apps.some((pattern) => matchesApp(pattern, manifest.app.id))) {
    throw invalidManifest(
      `the manifest is for ${quote(manifest.app.id)}, and ${name} may sign for ${key.apps.map(quote).join(", ")} only`,
    );
  }
  if (key.notAfter !== undefined && clock.now >= key.notAfter) {
    throw invalidManifest(
      `${name} is not accepted since ${key.notAfter}, now it is ${clock.now}: sign with another key`,
    );
  }
  if (key.audience !== undefined) requireAudience(site, key.audience, name);
}
