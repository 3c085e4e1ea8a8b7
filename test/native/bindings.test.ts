// SPDX-License-Identifier: Apache-2.0
// Both bindings give the program the same host: every value and every error of the probe is compared.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { test } from "node:test";
import { makeHostError } from "../../src/host/error.ts";
import type { Host, Request } from "../../src/host/functions.ts";
import { probe } from "./probe/probe.ts";

const device = resolve("build/test/probe/edgerun");
const sanitized = resolve("build/asan/test/probe/edgerun");
const addonPath = resolve("build/node/edgerun.node");

/** Runs the probe in the device's engine. */
function runDevice(...args: string[]): { pid: number; status: number | null; stdout: string; stderr: string } {
  return runEngine(device, ...args);
}

function runEngine(
  program: string,
  ...args: string[]
): { pid: number; status: number | null; stdout: string; stderr: string } {
  return spawnSync(program, args, { encoding: "utf8", timeout: 60_000 });
}

/** Runs the probe on Node's host; what it writes to descriptor 1 is returned. */
function runNode(...argv: string[]): string {
  const host = (createRequire(addonPath)(addonPath) as { createHost: (make: unknown) => Host }).createHost(
    makeHostError,
  );
  let text = "";
  const capturing = Object.assign(Object.create(host) as Host, {
    writeFd: (_fd: number, written: string) => {
      text += written;
    },
  });
  const request: Request = { program: "probe", argv, env: [], cwd: "/", uid: 0, gid: 0, pid: process.pid };
  assert.equal(probe(capturing, request), 0);
  return text;
}

for (const [name, program] of [
  ["the device's", device],
  ["the sanitized", sanitized],
] as const) {
  test(`${name} binding and Node's convert every kind of value and error alike`, () => {
    const { status, stdout, stderr } = runEngine(program, "describe");
    assert.equal(stderr, "");
    assert.equal(status, 0);
    assert.deepEqual(stdout.split("\n"), runNode("describe").split("\n"));
    assert.match(stdout, /"__proto__": \{"x": 1\}/);
    assert.match(stdout, /18446744073709551615n/);
    assert.match(stdout, /HOST - x\.json:1:8: duplicate key/);
    assert.match(stdout, /HOST ENOENT /);
  });
}

test("the request holds what came with the invocation", () => {
  const { stdout, pid } = runDevice("request", "a b", "é");
  assert.deepEqual(JSON.parse(stdout), {
    program: device,
    argv: ["request", "a b", "é"],
    env: true,
    cwd: process.cwd(),
    uid: process.geteuid?.(),
    gid: process.getegid?.(),
    pid,
  });
});

test("the exit code is what main returned", () => {
  assert.equal(runDevice("exit", "7").status, 7);
});

test("an exception that nobody caught is an internal error, with its stack", () => {
  const { status, stderr } = runDevice("throw");
  assert.equal(status, 1);
  assert.match(stderr, /^edgerun: internal error: TypeError: thrown on purpose\n {4}at probe\n/);
});

test("memory that runs out is an error, not a crash", () => {
  const { status, stderr } = runDevice("fill");
  assert.equal(status, 1);
  assert.match(stderr, /^edgerun: internal error: InternalError: out of memory\n/);
});

test("endless recursion is an error, not a crash", () => {
  const { status, stderr } = runDevice("recurse");
  assert.equal(status, 1);
  assert.match(stderr, /^edgerun: internal error: InternalError: stack overflow\n/);
  assert.ok(stderr.length < 3000);
});

test("an argument that is not UTF-8 is refused", () => {
  const { status, stderr } = spawnSync("/bin/sh", ["-c", `exec ${device} exit "$(printf 'a\\377')"`], {
    encoding: "utf8",
  });
  assert.equal(status, 1);
  assert.equal(stderr, "edgerun: argument 2 is not valid UTF-8\n");
});

test("descriptors 0 to 2 are open even if the caller closed them", () => {
  const shell = `exec ${device} parse /proc/self/fd/9/none <&- >&- 2>&-`;
  assert.equal(spawnSync("/bin/sh", ["-c", shell]).status, 1);
  assert.equal(spawnSync("/bin/sh", ["-c", `exec ${device} exit 3 <&- >&- 2>&-`]).status, 3);
});
