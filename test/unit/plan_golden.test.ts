// SPDX-License-Identifier: Apache-2.0
// Whole plans: test/golden/NAME.config.json on a fixed host must give NAME.plan.json, byte for byte.
// UPDATE_GOLDEN=1 writes the files anew; the difference is then for a person to read.
import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import Ajv2020 from "ajv/dist/2020.js";
import { planSchema } from "../../scripts/plan_docs.ts";
import { planExec } from "../../src/plan/exec.ts";
import { formatPlanJson } from "../../src/plan/format.ts";
import { planLaunchEntry } from "../../src/plan/launch.ts";
import type { LaunchPlan } from "../../src/plan/plan.ts";
import { launch, smallSpec, specOf, v1Facts } from "./plan_fixture.ts";

const directory = "test/golden";
const suffix = ".config.json";
const validate = new Ajv2020({ strict: false }).compile(planSchema());

function compare(name: string, plan: LaunchPlan): void {
  const text = `${formatPlanJson(plan)}\n`;
  const path = `${directory}/${name}.plan.json`;
  if (process.env.UPDATE_GOLDEN === "1") writeFileSync(path, text);
  assert.equal(text, readFileSync(path, "utf8"));
  assert.ok(validate(JSON.parse(text)), JSON.stringify(validate.errors));
}

function readConfig(name: string): unknown {
  return JSON.parse(readFileSync(`${directory}/${name}${suffix}`, "utf8"));
}

const names = readdirSync(directory)
  .filter((file) => file.endsWith(suffix))
  .map((file) => file.slice(0, -suffix.length));

for (const name of names) {
  test(`golden plan: ${name}`, () => {
    compare(name, launch(specOf(readConfig(name))));
  });
}

test("the entry that is carried out ahead is how every plan begins", () => {
  const joined = { linux: { namespaces: [{ type: "pid", path: "/proc/1/ns/pid" }, { type: "mount" }] } };
  for (const spec of [...names.map((name) => specOf(readConfig(name))), smallSpec(joined)]) {
    const entry = planLaunchEntry(spec, true);
    const plan = launch(spec);
    assert.deepEqual(plan.operations.slice(0, entry.operations.length), entry.operations);
    assert.equal(plan.cloneFlags, entry.cloneFlags);
    assert.ok(entry.operations.length > 0);
  }
});

for (const name of ["docker", "user_namespace"]) {
  test(`golden plan: exec in ${name}`, () => {
    const spec = specOf(readConfig(name));
    const plan = planExec({
      spec,
      process: { ...spec.process, args: ["id"], terminal: true },
      id: "meter-7",
      initPid: 4242,
      cgroups: ["/sys/fs/cgroup/memory/meter-7"],
      facts: v1Facts(),
      options: { noNewKeyring: false, preserveFds: 1, privileged: true },
    });
    compare(`${name}.exec`, plan);
  });
}
