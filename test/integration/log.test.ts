// SPDX-License-Identifier: Apache-2.0
// --log and --log-format: the file that engines read after a failure.

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { execute } from "./support/process.ts";
import { runtimePath } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
/** Fails with "container does not exist". */
const failing = (...flags: string[]) => execute(runtimePath, ["--root", ws.stateRoot, ...flags, "state", ws.newId()]);

test("--log-format json writes one object per line with level, msg and time", () => {
  const log = ws.newFile();
  failing("--log", log, "--log-format", "json");
  const lines = readFileSync(log, "utf8").trim().split("\n");
  assert.equal(lines.length, 1);
  const entry = JSON.parse(lines[0]!);
  assert.equal(entry.level, "error");
  assert.match(entry.msg, /does not exist|No such file/);
  assert.match(entry.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/);
});

test("the message in the log is the one on stderr", () => {
  const log = ws.newFile();
  const { stderr } = failing("--log", log, "--log-format", "json");
  assert.equal(JSON.parse(readFileSync(log, "utf8")).msg, stderr.trimEnd().replace(/^edgerun: /, ""));
});

test("the log is appended to", () => {
  const log = ws.newFile();
  writeFileSync(log, "first\n");
  failing("--log", log, "--log-format", "json");
  assert.match(readFileSync(log, "utf8"), /^first\n\{.*\}\n$/);
});

test("a command that works logs no error", () => {
  const log = ws.newFile();
  const c = ws.script("true");
  const result = execute(runtimePath, [
    "--root",
    ws.stateRoot,
    "--log",
    log,
    "--log-format",
    "json",
    "run",
    "--bundle",
    c.directory,
    c.id,
  ]);
  assert.equal(result.status, 0, result.stderr);
  assert.doesNotMatch(existsSync(log) ? readFileSync(log, "utf8") : "", /"level":"error"/);
});

test("the text format holds the message", () => {
  const log = ws.newFile();
  failing("--log", log);
  assert.match(readFileSync(log, "utf8"), /does not exist|No such file/);
});

test("a message with quotes and line ends is one line of JSON", () => {
  const log = ws.newFile();
  const c = ws.bundle((config) => {
    config.process.args = ['no "such"\nprogram'];
  });
  execute(runtimePath, [
    "--root",
    ws.stateRoot,
    "--log",
    log,
    "--log-format",
    "json",
    "create",
    "--bundle",
    c.directory,
    c.id,
  ]);
  const last = readFileSync(log, "utf8").trimEnd().split("\n").at(-1)!;
  assert.match(JSON.parse(last).msg, /no .*such/s);
});

test("an unknown log format is refused", () => {
  assert.notEqual(failing("--log-format", "xml").status, 0);
});

test("a log that can't be opened is refused", () => {
  const result = failing("--log", "/no/such/directory/log");
  assert.notEqual(result.status, 0);
  assert.match(result.stderr, /no such file or directory/i);
});
