// SPDX-License-Identifier: Apache-2.0
// The fuzzers in TypeScript, and the seeds of those in C; started by run.sh:
//   fuzz.mjs seeds DIRECTORY                       writes DIRECTORY/plan_decode/* and DIRECTORY/json_read/*
//   fuzz.mjs run TARGET SECONDS SEED FINDINGS      exit code 1 if there is a finding
//   fuzz.mjs repeat TARGET FILE                    checks the input of a finding again
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Host } from "../../src/host/functions.ts";
import { encodeOperations } from "../../src/plan/encode.ts";
import type { LaunchPlan } from "../../src/plan/plan.ts";
import { launch, specOf } from "../unit/plan_fixture.ts";
import { makeConfigTarget } from "./config_target.ts";
import { createHost } from "./host.ts";
import { makeJsonTarget } from "./json_target.ts";
import { makeManifestTarget } from "./manifest_target.ts";
import { realConfigs } from "./real_configs.ts";
import { realManifests } from "./real_manifests.ts";
import { checkInput, runTarget, type Target } from "./target.ts";

const makers: { readonly [name: string]: (host: Host) => Target } = {
  json: makeJsonTarget,
  config: makeConfigTarget,
  manifest: makeManifestTarget,
};

function makeTarget(name: string): Target {
  const make = makers[name];
  if (make === undefined) throw new Error(`unknown target "${name}"; targets: ${Object.keys(makers).join(", ")}`);
  return make(createHost());
}

/** A filter in place of the one that is compiled at start: what is in it does not matter to the decoder. */
function withFilter({ operations }: LaunchPlan): LaunchPlan["operations"] {
  return operations.map((one) => (one.op === "load_seccomp" ? { ...one, filter: new Uint8Array(64).fill(6) } : one));
}

function writeSeeds(directory: string): void {
  const host = createHost();
  const write = (target: string, index: number, data: string | Uint8Array) => {
    mkdirSync(join(directory, target), { recursive: true });
    writeFileSync(join(directory, target, `${index}`), data);
  };
  const configs = realConfigs();
  for (const [index, config] of configs.entries()) {
    const { words, blobs } = encodeOperations(withFilter(launch(specOf(config))));
    write("plan_decode", index, host.encodePlan(words, blobs));
  }
  const texts = [...configs, ...realManifests()].map((value) => JSON.stringify(value, null, 1));
  const odd = [
    '{"a":[1,2.5,-0.0,true,false,null,"\\u00e9\\ud83d\\ude00"],"b":{}}',
    "[[[[]]]]",
    "-9223372036854775808",
    '""',
  ];
  for (const [index, text] of [...texts, ...odd].entries()) write("json_read", index, text);
}

const [command, ...args] = process.argv.slice(2);
if (command === "seeds" && args[0] !== undefined) {
  writeSeeds(args[0]);
} else if (command === "run" && args.length === 4) {
  const [name = "", seconds, seed, findings = ""] = args;
  process.exitCode = runTarget(name, makeTarget(name), Number(seconds), Number(seed), findings) ? 0 : 1;
} else if (command === "repeat" && args.length === 2) {
  const [name = "", file = ""] = args;
  checkInput(makeTarget(name), readFileSync(file, "utf8"));
} else {
  throw new Error("usage: fuzz.mjs seeds DIRECTORY | run TARGET SECONDS SEED FINDINGS | repeat TARGET FILE");
}
