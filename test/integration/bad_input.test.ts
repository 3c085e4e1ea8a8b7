// SPDX-License-Identifier: Apache-2.0
// Wrong bundles and wrong command lines: one line on stderr, a failing exit code, and nothing left behind.

import assert from "node:assert/strict";
import { mkdirSync, readdirSync, rmSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Config, defaultConfig } from "./support/config.ts";
import type { Container } from "./support/container.ts";
import type { Result } from "./support/process.ts";
import { expected, lacking, runtimeName } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();

function assertOneLine(result: Result): void {
  assert.notEqual(result.status, 0, "exit code");
  assert.equal(result.signal, null, "ended by a signal");
  const lines = result.stderr.trimEnd().split("\n");
  // runc and crun print warnings and usage texts besides; edgerun prints one line.
  if (runtimeName === "edgerun") assert.equal(lines.length, 1, result.stderr);
  assert.notEqual(lines.at(-1), "", "an error text");
}

/** `create` must refuse the bundle; returns what was printed. */
function assertRefused(c: Container, pattern?: RegExp): Result {
  const result = c.create([], { timeoutMs: 60_000 });
  assertOneLine(result);
  if (pattern !== undefined) assert.match(result.stderr, pattern);
  ws.assertNothingLeft();
  return result;
}

/** A valid config as a plain object, to be broken. */
function plainConfig(): Record<string, never> & { process: Record<string, unknown>; linux: Record<string, unknown> } {
  return JSON.parse(JSON.stringify(defaultConfig(ws.newId(), ws.rootfs)));
}

test("the config that the others break is good", () => {
  assert.equal(ws.rawBundle(JSON.stringify(plainConfig())).create().status, 0);
});

test("a bundle that is missing", () => {
  const c = ws.bundle();
  rmSync(c.directory, { recursive: true });
  assertRefused(c, /no such file or directory/i);
});

test("a config.json that is missing", () => {
  const c = ws.bundle();
  unlinkSync(join(c.directory, "config.json"));
  assertRefused(
    c,
    expected({
      runc: /JSON specification file config\.json not found/,
      crun: /error loading config\.json/,
      edgerun: /config\.json/,
    }),
  );
});

test("a config.json that is a directory", () => {
  const c = ws.bundle();
  unlinkSync(join(c.directory, "config.json"));
  mkdirSync(join(c.directory, "config.json"));
  assertRefused(c);
});

test("a rootfs that is missing", () => {
  assertRefused(
    ws.bundle((config) => {
      config.root.path = "/no/such/rootfs";
    }),
    /no such file or directory|does not exist/i,
  );
});

test("a rootfs that is a file", () => {
  assertRefused(
    ws.bundle((config) => {
      config.root.path = "/etc/passwd";
    }),
  );
});

for (const [what, text] of [
  ["an empty file", ""],
  ["white space", " \n"],
  ["half an object", '{"ociVersion": "1.0.2", '],
  ["a trailing comma", '{"ociVersion": "1.0.2",}'],
  ["a text that is no JSON", "ociVersion: 1.0.2"],
  ["null", "null"],
  ["an array", "[]"],
  ["a number", "7"],
  ["an object without members", "{}"],
  ["a NUL byte", '{"ociVersion": "1.0.2\0"}'],
  ["a byte order mark", `\uFEFF{"ociVersion": "1.0.2"}`],
] as const) {
  test(`config.json is ${what}`, () => {
    assertRefused(ws.rawBundle(text));
  });
}

test("config.json is not UTF-8", lacking({ runc: "replaces what is not UTF-8", crun: "keeps it" }), () => {
  const text = Buffer.from(JSON.stringify(plainConfig()).replace('"meter"', '"\xff"'), "latin1");
  assertRefused(ws.rawBundle(text));
});

test("text after the object", lacking({ runc: "ignores it" }), () => {
  assertRefused(ws.rawBundle(`${JSON.stringify(plainConfig())} {"more": true}`));
});

test(
  "an error in the JSON is shown with its position",
  lacking({ runc: "1.1 names no line", crun: "shows the text" }),
  () => {
    assertRefused(ws.rawBundle('{\n  "ociVersion": "1.0.2",\n  "process": }\n'), /3:14|line 3|offset 40/);
  },
);

test("a name that is there twice", lacking({ runc: "takes the last", crun: "takes the last" }), () => {
  assertRefused(ws.rawBundle(JSON.stringify(plainConfig()).replace('"root":', '"root":{"path":"/"},"root":')), /root/);
});

test("200,000 levels of nesting", () => {
  assertRefused(ws.rawBundle(`{"ociVersion":"1.0.2","annotations":${'{"a":'.repeat(200_000)}1${"}".repeat(200_000)}}`));
});

test("200,000 open brackets", () => {
  assertRefused(ws.rawBundle("[".repeat(200_000)));
});

test("100 MB of config.json", lacking({ runc: "reads all of it", crun: "reads all of it" }), () => {
  const text = JSON.stringify({ ...plainConfig(), annotations: { large: "x".repeat(100 << 20) } });
  const started = Date.now();
  assertRefused(ws.rawBundle(text));
  assert.ok(Date.now() - started < 10_000);
});

for (const version of ["2.0.0", "0.9.0", "1.x", "", "banana"]) {
  test(`ociVersion "${version}"`, lacking({ runc: "1.1 does not check", crun: "does not check" }), () => {
    assertRefused(
      ws.bundle((config) => {
        config.ociVersion = version;
      }),
      /ociVersion/,
    );
  });
}

for (const version of ["1.0.0", "1.0.2-dev", "1.1.0", "1.2.1"]) {
  test(`ociVersion "${version}" is taken`, version === "1.2.1" ? lacking({ crun: "1.8 is older" }) : {}, () => {
    assert.equal(
      ws
        .bundle((config) => {
          config.ociVersion = version;
        })
        .create().status,
      0,
    );
  });
}

/** Sets a member by its path, "process.user.uid". */
function setPath(object: object, path: string, value: unknown): void {
  const names = path.split(".");
  let parent = object as Record<string, unknown>;
  for (const name of names.slice(0, -1)) {
    parent[name] ??= {};
    parent = parent[name] as Record<string, unknown>;
  }
  parent[names.at(-1)!] = value;
}

const lenient = { crun: "takes it" };
for (const [path, value, peers] of [
  ["process.args", "sh", lenient],
  ["process.args", [], {}],
  ["process.args", [1], {}],
  ["process.args", undefined, lenient],
  ["process.env", { PATH: "/bin" }, lenient],
  ["process.cwd", 7, lenient],
  ["process.cwd", "relative/path", lenient],
  ["process.cwd", "", {}],
  ["process.user.uid", "0", lenient],
  ["process.user.uid", -1, lenient],
  ["process.user.uid", 4294967296, lenient],
  ["process.user.uid", 1.5, lenient],
  ["process.user.gid", 4294967296, lenient],
  ["process.terminal", "yes", lenient],
  ["process.capabilities.bounding", ["CAP_NO_SUCH"], { ...lenient, runc: "warns", edgerun: "warns, as runc does" }],
  ["process.rlimits", {}, lenient],
  ["root", "rootfs", {}],
  ["root.path", 7, {}],
  ["root.readonly", "true", lenient],
  ["hostname", ["a"], lenient],
  ["hostname", "x".repeat(65), {}],
  ["mounts", "none", {}],
  ["mounts", [{ source: "tmpfs", type: "tmpfs" }], {}],
  ["mounts", [{ destination: "/tmp", type: 3 }], {}],
  ["hooks", [], lenient],
  ["linux", [], {}],
  ["linux.namespaces", "all", lenient],
  ["linux.namespaces", [{ path: "/x" }], lenient],
  ["linux.resources.memory.limit", "64M", lenient],
  ["linux.resources.pids.limit", {}, lenient],
  ["linux.devices", [{ path: "/dev/x", type: "c", major: "1", minor: 3 }], lenient],
  ["linux.maskedPaths", "/proc", lenient],
  ["linux.seccomp.defaultAction", "SCMP_ACT_NONSENSE", {}],
  ["annotations", { a: 1 }, {}],
  ["linux.rootfsPropagation", "sideways", lenient],
] as const) {
  test(`${path} = ${JSON.stringify(value)?.slice(0, 60)}`, lacking(peers), () => {
    const config = plainConfig();
    setPath(config, path, value);
    const pattern = runtimeName === "edgerun" ? new RegExp(path.split(".").at(-1)!) : undefined;
    assertRefused(ws.rawBundle(JSON.stringify(config)), pattern);
  });
}

for (const [path, digits] of [
  ["linux.resources.pids.limit", "9223372036854775808"],
  ["linux.resources.memory.limit", "99999999999999999999999"],
  ["process.user.uid", "18446744073709551616"],
] as const) {
  test(`${path} = ${digits}, beyond its type`, lacking({ crun: "clamps it" }), () => {
    const config = plainConfig();
    setPath(config, path, "DIGITS");
    assertRefused(ws.rawBundle(JSON.stringify(config).replace('"DIGITS"', digits)));
  });
}

test("a limit beyond 2^53 is not rounded", () => {
  // 2^53 + 1 has no double of its own; the kernel rounds memory limits down to pages.
  const config = plainConfig();
  setPath(config, "process.rlimits", [{ type: "RLIMIT_FSIZE", soft: "DIGITS", hard: "DIGITS" }]);
  const c = ws.rawBundle(
    JSON.stringify(config)
      .replaceAll('"DIGITS"', "9007199254740993")
      .replace('"/bin/sh"', '"/bin/cat","/proc/self/limits"'),
  );
  const result = c.run();
  assert.match(result.stdout, /^Max file size +9007199254740993 +9007199254740993 /m, result.stderr);
});

test("members that are not known are ignored", () => {
  assert.equal(
    ws.rawBundle(JSON.stringify({ ...plainConfig(), "com.example.extension": { a: [1] } })).create().status,
    0,
  );
});

for (const id of ["", ".", "..", "a/b", "../a", "a b", "a\nb", "é", "a:b", "x".repeat(1025)]) {
  const peers = { crun: /^(\.|a b|a\nb|é|a:b)$/.test(id) ? "takes it" : undefined };
  test(`id ${JSON.stringify(id.slice(0, 20))}`, peers.crun ? lacking({ crun: peers.crun }) : {}, () => {
    const c = ws.bundle();
    const result = ws.runtime(["create", "--bundle", c.directory, id]);
    assertOneLine(result);
    ws.assertNothingLeft();
  });
}

for (const id of ["a.b", "a_b", "a-b", "a+b", "A0", "0"]) {
  test(`id ending in "${id}" is taken`, () => {
    const c = ws.rawBundle(JSON.stringify(plainConfig()), `${ws.newId()}${id}`);
    assert.equal(c.create().status, 0);
  });
}

test("an id that looks like a flag", () => {
  const c = ws.bundle();
  assert.notEqual(ws.runtime(["create", "--bundle", c.directory, "-x"]).status, 0);
  ws.assertNothingLeft();
});

for (const args of [
  ["create"],
  ["create", "a", "b"],
  ["run"],
  ["start"],
  ["start", "a", "b"],
  ["state"],
  ["kill"],
  ["delete"],
  ["exec"],
  ["exec", "a"],
  ["pause"],
  ["resume"],
  ["update"],
  ["ps"],
  ["create", "--no-such-flag", "a"],
  ["--no-such-flag"],
  ["create", "--bundle"],
  ["create", "--preserve-fds", "many", "a"],
]) {
  test(`command line: ${args.join(" ")}`, () => {
    const result = ws.runtime(args);
    assert.notEqual(result.status, 0);
    assert.notEqual(result.stderr, "");
    ws.assertNothingLeft();
  });
}

test("a state root that is a file", () => {
  const c = ws.bundle();
  assertOneLine(ws.runtime(["--root", ws.newFile("x"), "create", "--bundle", c.directory, c.id]));
  ws.assertNothingLeft();
});

test("--root / is refused", lacking({ runc: "1.1 takes it", crun: "takes it" }), () => {
  assertOneLine(ws.runtime(["--root", "/", "list"]));
});

test(
  "a state file that is torn does not keep delete --force from its work",
  lacking({ runc: "can't delete it", crun: "1.8 can't delete it" }),
  () => {
    const c = ws.created();
    for (const name of readdirSync(join(ws.stateRoot, c.id))) {
      const path = join(ws.stateRoot, c.id, name);
      if (name === "state.json" || (runtimeName !== "edgerun" && statSync(path).isFile())) writeFileSync(path, "{");
    }
    c.succeed("delete", "--force", c.id);
    ws.assertHostUnchanged();
  },
);

test(
  "the config of another platform",
  lacking({ runc: "1.1 crashes or ignores", crun: "fails for want of linux" }),
  () => {
    const config = plainConfig() as unknown as Partial<Config>;
    delete config.linux;
    assertRefused(ws.rawBundle(JSON.stringify({ ...config, windows: { layerFolders: ["C:\\"] } })));
  },
);
