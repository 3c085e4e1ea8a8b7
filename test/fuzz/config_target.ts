// SPDX-License-Identifier: Apache-2.0
// config.json, and the grants of a manifest, from text to plan. Whatever stands in them, there is a plan that the
// encoder takes and the schema describes, or an EdgerunError; and what the policy lets through is within the grants.
import assert from "node:assert/strict";
import Ajv2020 from "ajv/dist/2020.js";
import { planSchema } from "../../scripts/plan_docs.ts";
import type { Host, Json } from "../../src/host/functions.ts";
import { decodeManifest } from "../../src/manifest/decode.ts";
import { encodeOperations } from "../../src/plan/encode.ts";
import { planExec } from "../../src/plan/exec.ts";
import { formatPlan, formatPlanJson } from "../../src/plan/format.ts";
import { planLaunch } from "../../src/plan/launch.ts";
import type { HostFacts, LaunchPlan } from "../../src/plan/plan.ts";
import { noService } from "../../src/plan/service.ts";
import { applyManifest } from "../../src/policy/apply.ts";
import { requireNoDenials } from "../../src/policy/decision.ts";
import { formatDecisions } from "../../src/policy/format.ts";
import type { HostView } from "../../src/policy/host_view.ts";
import type { Spec } from "../../src/spec/config.ts";
import { decodeSpec } from "../../src/spec/decode.ts";
import { v1Facts } from "../unit/plan_fixture.ts";
import { assertPlanGranted, assertSpecGranted } from "./granted.ts";
import { mutateJson, printJson } from "./json_mutator.ts";
import { otherParts, realConfigs } from "./real_configs.ts";
import { realManifests } from "./real_manifests.ts";
import { assertPrintable, attempt, type Target } from "./target.ts";

/** Both layouts of cgroups, as a choice of the input's length. */
function factsFor(input: string): HostFacts {
  if (input.length % 2 === 0) return v1Facts();
  const root = { version: 2 as const, mountPoint: "/sys/fs/cgroup", root: "/", controllers: [] };
  return { ...v1Facts(), cgroupMounts: [root], ownCgroups: [{ controllers: "", path: "/user.slice" }] };
}

const view: HostView = {
  devices: [
    { path: "/dev/ttyS0", type: "c", major: 4, minor: 64 },
    { path: "/dev/sda", type: "b", major: 8, minor: 0 },
  ],
  hostNamespaces: [],
  points: [],
};

/** A copy with a space for each newline in its texts. */
function withoutNewlines<T>(value: T): T {
  if (typeof value === "string") return value.replaceAll("\n", " ") as T;
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(withoutNewlines) as T;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withoutNewlines(member)])) as T;
}

/** An input is an object with a `config` and a `manifest`. */
export function makeConfigTarget(host: Host): Target {
  const validate = new Ajv2020({ strict: false }).compile(planSchema());
  const configs = realConfigs();
  const manifests = realManifests();
  const donors = [...configs, ...otherParts()];

  /** Everything that is done with a plan, short of carrying it out. */
  function checkPlan(plan: LaunchPlan): void {
    const { words, blobs } = encodeOperations(plan.operations);
    attempt(["HOST"], () => host.encodePlan(words, blobs)); // refuses a NUL, and what is larger than a plan may be
    const lines = formatPlan(plan).split("\n");
    lines.forEach(assertPrintable);
    assert.equal(lines.length, formatPlan(withoutNewlines(plan)).split("\n").length, "lines of the plan are forged");
    assert.ok(validate(JSON.parse(formatPlanJson(plan))), JSON.stringify(validate.errors));
  }

  function planAll(spec: Spec, facts: HostFacts): LaunchPlan | undefined {
    const options = {
      noPivot: false,
      noNewKeyring: false,
      preserveFds: 0,
      cgroupManager: "cgroupfs" as const,
      service: noService,
      privileged: true,
    };
    const launch = () =>
      planLaunch({ spec, id: "meter-7", bundle: "/bundle", rootfs: "/bundle/rootfs", facts, options });
    const plan = attempt(["CONFIG_INVALID", "UNSUPPORTED"], launch);
    if (plan === undefined) return undefined;
    assert.equal(formatPlanJson(launch()), formatPlanJson(plan), "the same input gives the same plan");
    checkPlan(plan);
    const exec = {
      spec,
      process: spec.process,
      id: "meter-7",
      initPid: 4242,
      cgroups: ["/sys/fs/cgroup/x"],
      facts,
      options,
    };
    const added = attempt(["CONFIG_INVALID", "UNSUPPORTED"], () => planExec(exec));
    if (added !== undefined) checkPlan(added);
    return plan;
  }

  function check(input: string): void {
    const parsed = attempt(["HOST"], () => host.parseJson(input, "input")) as
      | { config?: Json; manifest?: Json }
      | undefined;
    if (parsed === undefined) return;
    const decoded = attempt(["CONFIG_INVALID", "UNSUPPORTED"], () => decodeSpec(parsed.config ?? null));
    if (decoded === undefined) return;
    const facts = factsFor(input);
    planAll(decoded.spec, facts);
    const manifest = attempt(["MANIFEST_INVALID"], () => decodeManifest(parsed.manifest ?? null));
    if (manifest === undefined) return;
    const { spec, decisions } = applyManifest(decoded.spec, manifest, view);
    formatDecisions(decisions).split("\n").forEach(assertPrintable);
    attempt(["DENIED"], () => requireNoDenials(decisions));
    if (decisions.some(({ verdict }) => verdict === "denied")) return;
    assertSpecGranted(spec, manifest.grants, view);
    const plan = planAll(spec, facts);
    if (plan !== undefined) assertPlanGranted(plan, manifest.grants);
  }

  return {
    make(random) {
      const config = random.pick(configs);
      const manifest = random.pick(manifests);
      return printJson({
        config: random.once(8) ? config : mutateJson(random, config, donors),
        manifest: random.once(2) ? manifest : mutateJson(random, manifest, manifests),
      });
    },
    check,
  };
}
