// SPDX-License-Identifier: Apache-2.0
// `edgerun owner bundle` as a command.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { kill, pid } from "node:process";
import { type TestContext, test } from "node:test";
import { runOwner } from "../../src/owner/main.ts";
import { addImage, asRoot, finishLayout, makeTar, temporaryDirectory } from "./owner_bundle_fixture.ts";

/** Runs the command, with what it writes. */
async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const texts = { out: "", err: "" };
  const code = await runOwner(argv, {
    stdout: (text) => {
      texts.out += text;
    },
    stderr: (text) => {
      texts.err += text;
    },
  });
  return { code, ...texts };
}

async function makeLayout(t: TestContext, files: number): Promise<{ base: string; layout: string; digest: string }> {
  const base = temporaryDirectory(t);
  const layout = join(base, "layout");
  const members = Array.from({ length: files }, (_, i) => ({ name: `file${i}`, data: "x".repeat(1000) }));
  const manifest = addImage(layout, [await makeTar(members)], { config: { Volumes: { "/data": {} } } });
  finishLayout(layout, [manifest]);
  // As docker save writes it since version 25: the older form beside the layout.
  writeFileSync(join(layout, "manifest.json"), "[]");
  return { base, layout, digest: manifest.digest };
}

test("bundle prints the digest, warns, and takes the program after --", asRoot, async (t) => {
  const { base, layout, digest } = await makeLayout(t, 1);
  const output = join(base, "output");
  const { code, out, err } = await run("bundle", layout, "--output", output, "--", "/bin/x", "--output", "-y");
  assert.deepEqual([code, out], [0, `${digest}\n`]);
  assert.equal(err, "edgerun: warning: volumes are not mounted: add mounts to config.json for /data\n");
  const config = JSON.parse(readFileSync(join(output, "config.json"), "utf8"));
  assert.deepEqual(config.process.args, ["/bin/x", "--output", "-y"]);
});

test("bundle fails in one line", asRoot, async (t) => {
  const { base, layout } = await makeLayout(t, 1);
  for (const [argv, message] of [
    [["bundle", layout], /required option '-o, --output <dir>' not specified/],
    [["bundle", layout, "-o", join(base, "b")], /edgerun: the image has neither Entrypoint nor Cmd/],
    [["bundle", layout, "-o", join(base, "b"), "--platform", "linux"], /edgerun: platform "linux" is not of the form/],
  ] as const) {
    const { code, out, err } = await run(...argv);
    assert.deepEqual([code, out, err.trimEnd().includes("\n")], [1, "", false]);
    assert.match(err, message);
  }
  assert.deepEqual(readdirSync(base), ["layout"]);
});

test("bundle leaves nothing when it is interrupted", asRoot, async (t) => {
  const { base, layout } = await makeLayout(t, 5000);
  const running = run("bundle", layout, "--output", join(base, "output"), "--", "/x");
  setTimeout(() => kill(pid, "SIGTERM"), 50);
  const { code, err } = await running;
  assert.deepEqual([code, err], [1, "edgerun: interrupted by SIGTERM\n"]);
  assert.deepEqual(readdirSync(base), ["layout"]);
});
