// SPDX-License-Identifier: Apache-2.0
// The device binary and Node are one program: the same command lines and configurations give the same output, exit
// codes and files. (Containers: two_hosts.test.ts.)

import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Json } from "../../src/host/functions.ts";
import { mutateJson, printJson } from "../fuzz/json_mutator.ts";
import { Random } from "../fuzz/random.ts";
import { realConfigs } from "../fuzz/real_configs.ts";
import { type Config, defaultConfig } from "./support/config.ts";
import type { Container } from "./support/container.ts";
import { callBoth, callHost, compareResults, hostNames, normalize, twoHosts } from "./support/hosts.ts";
import type { Options, Result } from "./support/process.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const same = (args: readonly string[], options?: Options): Result => callBoth(ws, args, options);
const flags = (c: Container): string[] => ["--bundle", c.directory, c.id];

for (const args of [
  [],
  ["--help"],
  ["--version"],
  ["-v"],
  ["help"],
  ["help", "exec"],
  ["h", "nothing"],
  ["nothing"],
  ["--nothing"],
  ["--log-format", "xml", "list"],
  ["--root", "/", "list"],
  ["--root"],
  ["---x"],
  ["owner-x"],
  ["features"],
  ["features", "x"],
  ...[...commandNames(), "owner"].map((name) => ["help", name]),
  ...commandNames().map((name) => [name, "--help"]),
  ...commandNames().map((name) => [name, "--nothing"]),
  ...["create", "run", "start", "state", "kill", "delete", "exec", "ps", "pause", "resume"].map((name) => [name]),
  ...["create", "run", "start", "state", "delete", "pause", "resume"].map((name) => [name, "a", "b"]),
  ...["state", "start", "kill", "delete", "ps", "pause", "resume"].map((name) => [name, "nothing"]),
  ...["state", "run", "delete"].map((name) => [name, "../escape"]),
  ["delete", "--force", "nothing"],
  ["exec", "nothing", "true"],
  ["exec", "nothing"],
  ["exec", "--user", "root", "nothing", "true"],
  ["exec", "--process", "/no/such/process.json", "nothing"],
  ["kill", "nothing", "SIGNOTHING"],
  ["kill", "nothing", "65"],
  ["kill", "nothing", "-1"],
  ["list", "--format", "xml"],
  ["list", "--quiet=maybe"],
  ["list"],
  ["list", "-q"],
  ["list", "-f", "json"],
  ["run", "--preserve-fds", "x", "id"],
  ["run", "--bundle"],
  ["run", "--bundle", "/no/such/bundle", "id"],
  ["run", "--bundle", "/etc/passwd", "id"],
  ["plan", "--bundle", "/no/such/bundle"],
  ["plan", "é\u{1f600}"],
  ["checkpoint", "x"],
  ["update", "--memory", "1", "x"],
  ["events", "--stats", "x"],
]) {
  test(`the command line: ${args.join(" ")}`, twoHosts, () => {
    same(args);
  });
}

function commandNames(): string[] {
  return [
    "create",
    "run",
    "start",
    "state",
    "kill",
    "delete",
    "exec",
    "list",
    "ps",
    "pause",
    "resume",
    "plan",
    "spec",
  ].concat(["features", "checkpoint", "restore", "events", "update"]);
}

test("spec writes the same file, and refuses to replace it", twoHosts, () => {
  for (const extra of [[], ["--rootless"]]) {
    const texts = hostNames.map((host) => {
      const directory = ws.newDirectory();
      assert.deepEqual(callHost(ws, host, ["spec", "--bundle", directory, ...extra]).status, 0);
      return readFileSync(join(directory, "config.json"), "utf8");
    });
    assert.equal(texts[1], texts[0]);
  }
  assert.equal(same(["spec", "--bundle", ws.bundle().directory]).status, 1);
});

test("errors in a log file are the same, in both formats", twoHosts, () => {
  for (const format of ["text", "json"]) {
    const logs = hostNames.map((host) => {
      const file = ws.newFile();
      callHost(ws, host, ["--log", file, "--log-format", format, "--debug", "state", "nothing"]);
      return normalize(readFileSync(file, "utf8"));
    });
    assert.equal(logs[1], logs[0]);
  }
});

test("the environment and the working directory count in the same way", twoHosts, () => {
  const c = ws.bundle();
  same(["plan"], { cwd: c.directory });
  same(["plan", "--bundle", "."], { cwd: c.directory, env: {} });
  same(["plan"], { cwd: "/", env: { LISTEN_FDS: "1" } });
  same(["state", "nothing"], { stdin: "closed" });
});

/** Config texts that are wrong, each in its own way. */
function badConfigs(): [name: string, text: string][] {
  const broken = (change: (config: Record<string, unknown> & Config) => void): string => {
    const config = JSON.parse(JSON.stringify(defaultConfig("edgerun", ws.rootfs)));
    change(config);
    return JSON.stringify(config);
  };
  const good = broken(() => undefined);
  return [
    ["empty", ""],
    ["half", good.slice(0, good.length / 2)],
    ["not UTF-8", `${good.slice(0, -1)},"x":"\ud800"}`],
    ["a key twice", `{"ociVersion":"1.0.2",${good.slice(1)}`],
    ["a trailing comma", `${good.slice(0, -1)},}`],
    ["nested too deep", `{"x":${"[".repeat(200)}${"]".repeat(200)}}`],
    ["a number beyond 64 bits", good.replace('"hard":1024', '"hard":18446744073709551616')],
    ["a negative uid", good.replace('"uid":0', '"uid":-1')],
    ["a fraction", good.replace('"uid":0', '"uid":0.5')],
    ["an exponent", good.replace('"hard":1024', '"hard":1e300')],
    ["another major version", good.replace('"ociVersion":"1.0.2"', '"ociVersion":"2.0.0"')],
    ["unknown properties", broken((config) => Object.assign(config, { "new\nthing": 1, __proto__x: 2 }))],
    ["a type", broken((config) => Object.assign(config, { mounts: "none" }))],
    ["no arguments", broken((config) => Object.assign(config.process, { args: [] }))],
    ["a relative cwd", broken((config) => Object.assign(config.process, { cwd: "tmp" }))],
    ["no root", broken((config) => Object.assign(config.root, { path: "/no/such/rootfs" }))],
    ["an unknown namespace", broken((config) => void config.linux.namespaces.push({ type: "galaxy" }))],
    ["a namespace twice", broken((config) => void config.linux.namespaces.push({ type: "pid" }))],
    [
      "an unknown capability",
      broken((config) => Object.assign(config.process.capabilities!, { bounding: ["CAP_FLY"] })),
    ],
    [
      "an unknown limit",
      broken((config) => Object.assign(config.process, { rlimits: [{ type: "RLIMIT_X", soft: 1, hard: 1 }] })),
    ],
    [
      "soft over hard",
      broken((config) => Object.assign(config.process, { rlimits: [{ type: "RLIMIT_CORE", soft: 2, hard: 1 }] })),
    ],
    [
      "a mount option",
      broken((config) => void config.mounts.push({ destination: "/x", type: "bind", source: "/", options: ["idmap"] })),
    ],
    ["an odd device", broken((config) => Object.assign(config.linux, { devices: [{ path: "/dev/x", type: "q" }] }))],
    ["a sysctl of the host", broken((config) => Object.assign(config.linux, { sysctl: { "kernel.panic": "1" } }))],
    [
      "a seccomp action",
      broken((config) => Object.assign(config.linux, { seccomp: { defaultAction: "SCMP_ACT_FLY" } })),
    ],
    ["a relative hook", broken((config) => Object.assign(config, { hooks: { poststop: [{ path: "bin/true" }] } }))],
    [
      "a host name without uts",
      broken((config) => {
        config.linux.namespaces = [{ type: "mount" }];
      }),
    ],
    ["a BOM", `\ufeff${good}`],
  ];
}

for (const [name, text] of badConfigs()) {
  test(`a bad config: ${name}`, twoHosts, () => {
    const c = ws.rawBundle(text);
    same(["plan", "--json", ...flags(c)]);
    const results = hostNames.map((host) => {
      const result = callHost(ws, host, ["create", ...flags(c)]);
      c.dispose(); // some are taken, with a warning
      return result;
    });
    compareResults(results, "create");
    ws.assertNothingLeft();
  });
}

test("configs that were changed at random", { ...twoHosts, timeout: 120_000 }, () => {
  const random = new Random(20);
  const configs = [...realConfigs(), JSON.parse(JSON.stringify(defaultConfig("edgerun", ws.rootfs))) as Json];
  let planned = 0;
  for (let count = 0; count < 80; count++) {
    const config = mutateJson(random, random.pick(configs), configs);
    if (typeof config === "object" && config !== null && !Array.isArray(config)) config.root = { path: ws.rootfs };
    const c = ws.rawBundle(printJson(config));
    if (same(["plan", random.once(2) ? "--json" : "--json=false", ...flags(c)]).status === 0) planned++;
    rmSync(c.directory, { recursive: true });
  }
  assert.ok(planned > 10, `only ${planned} of the configs could be planned`);
});
