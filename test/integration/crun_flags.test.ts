// SPDX-License-Identifier: Apache-2.0
// What crun's command line has beyond runc's.

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { callBoth, callHost, hostNames, twoHosts } from "./support/hosts.ts";
import { lacking } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const notRunc = lacking({ runc: "has no such flag" });

/** The ids of this workspace's containers, by what is behind their common beginning. */
const listed = () =>
  ws
    .runtime(["list", "-q"])
    .stdout.split("\n")
    .filter((id) => id !== "")
    .map((id) => id.slice(ws.tag.length));

// --- --regex

test("delete --regex deletes every container that matches, and no other", notRunc, () => {
  const [a, b, c] = [ws.created(), ws.created(), ws.created()];
  a.succeed("delete", "--force", "--regex", `^(${a.id}|${b.id})$`);
  assert.deepEqual(listed(), [c.id.slice(ws.tag.length)]);
  a.succeed("delete", "-f", "-r", `^${ws.tag}`);
  assert.deepEqual(listed(), []);
  ws.assertHostUnchanged();
});

test("delete --regex without a match is no failure", notRunc, () => {
  const c = ws.created();
  c.succeed("delete", "--regex", "^nothing$");
  assert.equal(c.status(), "created");
});

for (const host of hostNames) {
  test(`delete --regex names what it can't delete, and deletes the others (${host})`, twoHosts, () => {
    const [running, stopped] = [ws.running(), ws.running()];
    stopped.stop();
    const { status, stderr } = callHost(ws, host, ["delete", "--regex", ws.tag]);
    assert.equal(status, 1);
    const text = `container "${running.id}": cannot delete container ${running.id} that is not stopped: running`;
    assert.equal(stderr, `edgerun: ${text}\n`);
    assert.deepEqual(listed(), [running.id.slice(ws.tag.length)]);
  });

  test(`kill --regex signals every container that matches and runs (${host})`, twoHosts, () => {
    const [a, b, other, stopped] = [ws.running(), ws.running(), ws.running(), ws.running()];
    stopped.stop();
    const pattern = `^(${a.id}|${b.id}|${stopped.id})$`;
    const result = callHost(ws, host, ["kill", "--regex", pattern, "KILL"]);
    assert.deepEqual([result.status, result.stderr], [0, ""]);
    for (const c of [a, b]) c.waitForStatus("stopped");
    assert.equal(other.status(), "running");
  });
}

test("kill --regex --all signals every process of these containers", notRunc, () => {
  const containers = [ws.running(), ws.running()];
  containers[0]!.succeed("kill", "--regex", "--all", `^${ws.tag}`, "KILL");
  for (const c of containers) c.waitForStatus("stopped");
});

test("a wrong expression is refused with its reason", twoHosts, () => {
  for (const command of ["delete", "kill"]) {
    const { status, stderr } = callBoth(ws, [command, "--regex", "a("]);
    assert.match(stderr, /^edgerun: invalid regular expression "a\(": Unmatched [^\n]+\n$/);
    assert.equal(status, 1);
  }
});

// --- --config

test("--config is another config.json: from the working directory, with the bundle's root file system", notRunc, () => {
  const c = ws.script("echo bundle");
  const config = JSON.parse(readFileSync(join(c.directory, "config.json"), "utf8"));
  config.process.args = ["/bin/sh", "-c", "echo other"];
  writeFileSync(join(ws.directory, "other.json"), JSON.stringify(config));
  const run = (...flags: string[]) =>
    ws.runtime(["run", "--bundle", c.directory, ...flags, c.id], { cwd: ws.directory }).stdout;
  assert.equal(run(), "bundle\n");
  assert.equal(run("--config", "other.json"), "other\n");
  assert.equal(run("-f", join(ws.directory, "other.json")), "other\n");
  assert.equal(run("--config", "config.json"), "bundle\n");
});

test("--config that is missing, or wrong, is named", twoHosts, () => {
  const c = ws.bundle();
  const wrong = ws.newFile('{"ociVersion": 7}');
  for (const command of ["create", "plan"]) {
    const create = (file: string) => callBoth(ws, [command, "--bundle", c.directory, "--config", file, c.id]).stderr;
    assert.match(create("/no/such/config"), /^edgerun: [^\n]*"\/no\/such\/config": No such file or directory\n$/);
    assert.match(create(wrong), /^edgerun: [^\n]*\$\.ociVersion: expected a string, found 7\n$/);
    assert.ok(create(wrong).includes(wrong));
  }
  ws.assertNothingLeft();
});

// --- spec --file

test("spec --file writes another file of the bundle, and never over one", twoHosts, () => {
  const directory = ws.newDirectory();
  for (const host of hostNames) {
    const file = `${host}.json`;
    assert.equal(callHost(ws, host, ["spec", "--bundle", directory, "--file", file]).status, 0);
    assert.equal(JSON.parse(readFileSync(join(directory, file), "utf8")).process.args[0], "sh");
    const again = callHost(ws, host, ["spec", "--bundle", directory, "-f", file]);
    assert.deepEqual([again.status, again.stderr], [1, `edgerun: File ${file} exists. Remove it first\n`]);
  }
  assert.equal(existsSync(join(directory, "config.json")), false);
});
