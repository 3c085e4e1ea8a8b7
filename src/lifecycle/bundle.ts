// SPDX-License-Identifier: Apache-2.0
// From a bundle on disk to what may run: config.json, the owner's manifest where there is one, and the plan.
import { EdgerunError, wrap } from "../errors.ts";
import { readHostFacts } from "../host/facts.ts";
import type { Host } from "../host/functions.ts";
import { listUnenforcedLabels } from "../plan/labels.ts";
import { planLaunch } from "../plan/launch.ts";
import type { LaunchPlan } from "../plan/plan.ts";
import type { ServiceOptions } from "../plan/service.ts";
import type { Spec } from "../spec/config.ts";
import { decodeSpec } from "../spec/decode.ts";
import type { Authorization, Context, CreateOptions } from "./options.ts";
import { chooseCgroupManager } from "./rootless_cgroups.ts";

const maxConfigBytes = 16 << 20;

/** A bundle that was read and checked, before anything has been touched. */
export type Bundle = {
  /** Absolute, links resolved. */
  bundle: string;
  rootfs: string;
  /** What the bundle asks for, as far as the manifest grants it. */
  spec: Spec;
  authorization: Authorization;
};

export type ReadOptions = Pick<CreateOptions, "bundle" | "config" | "manifest">;
/** preserveFds: with those of the service manager. */
export type StartOptions = Pick<CreateOptions, "id" | "noPivot" | "noNewKeyring" | "preserveFds"> & {
  service: ServiceOptions;
};

/**
 * Reads a bundle, checks it, and applies the manifest. Touches nothing; root is not needed.
 * @throws EdgerunError CONFIG_INVALID, MANIFEST_REQUIRED, MANIFEST_INVALID, DENIED (unless `reportOnly`)
 */
export function readBundle(context: Context, options: ReadOptions, reportOnly = false): Bundle {
  const { host, log } = context;
  const bundle = resolve(host, options.bundle, "bundle");
  const file = options.config ?? `${bundle}/config.json`;
  const { spec: asked, warnings } = decodeSpec(host.readJson(file, maxConfigBytes), options.config);
  for (const warning of warnings) log.warn(warning);
  const authorization = context.lifecycle.authorize(context, asked, { bundle, manifest: options.manifest, reportOnly });
  const spec = authorization.spec;
  const rootPath = spec.root.path.startsWith("/") ? spec.root.path : `${bundle}/${spec.root.path}`;
  return { bundle, rootfs: resolve(host, rootPath, "root file system"), spec, authorization };
}

/**
 * Computes what the start of a bundle would do.
 * @param privileged whether the start is one by root
 * @throws EdgerunError UNSUPPORTED, CONFIG_INVALID
 */
export function planBundle(
  context: Context,
  { bundle, rootfs, spec }: Bundle,
  options: StartOptions,
  privileged = context.request.uid === 0,
): LaunchPlan {
  const { host, log } = context;
  const facts = readHostFacts(host);
  refuseUnenforced(listUnenforcedLabels(spec.process, spec.linux ?? {}, facts));
  const plan = planLaunch({
    spec,
    id: options.id,
    bundle,
    rootfs,
    facts,
    options: {
      noPivot: options.noPivot,
      noNewKeyring: options.noNewKeyring,
      preserveFds: options.preserveFds,
      service: options.service,
      cgroupManager: chooseCgroupManager(context, spec.linux ?? {}, facts),
      privileged,
    },
  });
  // What the specification lets a runtime leave out; `plan` shows it, too. The default spec has such a thing.
  for (const warning of plan.warnings) log.debug(warning);
  return plan;
}

/**
 * A container without its label would be a weaker one, so it is not started ("If the runtime cannot apply a property as
 * specified in the configuration, it MUST generate an error": runtime-spec, "Create").
 * @param unenforced listUnenforcedLabels()
 * @throws EdgerunError UNSUPPORTED
 */
export function refuseUnenforced(unenforced: readonly string[]): void {
  const [first] = unenforced;
  if (first !== undefined) throw new EdgerunError("UNSUPPORTED", first);
}

function resolve(host: Host, path: string, what: string): string {
  let resolved: string;
  try {
    resolved = host.realPath(path);
  } catch (error) {
    throw wrap(`cannot find the ${what}`, error);
  }
  const mode = host.fileInfo(resolved, 1)?.[0] ?? 0;
  if ((mode & 0o170000) !== 0o040000)
    throw new EdgerunError("CONFIG_INVALID", `the ${what} "${path}" is not a directory`);
  return resolved;
}
