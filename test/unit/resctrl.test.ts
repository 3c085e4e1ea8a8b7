// SPDX-License-Identifier: Apache-2.0
// linux.intelRdt on a made-up resctrl tree: real files, which appear in new groups as the kernel makes them.
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { EdgerunError } from "../../src/errors.ts";
import type { Host } from "../../src/host/functions.ts";
import { claimResctrlGroup, findResctrl, joinResctrlGroup, makeResctrlGroup } from "../../src/lifecycle/resctrl.ts";
import type { ResctrlPlan } from "../../src/plan/plan.ts";
import { launch, smallSpec } from "./plan_fixture.ts";

const base = mkdtempSync(join(tmpdir(), "edgerun-resctrl-"));
after(() => rmSync(base, { recursive: true }));
let count = 0;

/** A group's directory, with the files that the kernel puts there. */
function makeGroup(path: string, schemata = "L3:0=fff;1=fff\nMB:0=100;1=100\n"): void {
  mkdirSync(path);
  mkdirSync(join(path, "mon_groups"));
  writeFileSync(join(path, "schemata"), schemata);
  writeFileSync(join(path, "tasks"), "");
}

function newTree(): string {
  const root = join(base, `${count++}`);
  makeGroup(root);
  return root;
}

const host = {
  fileInfo: (path: string) => (existsSync(path) ? [statSync(path).mode] : null),
  readFile: (path: string) => readFileSync(path, "utf8"),
  makeDirectory: (path: string) => makeGroup(path) as undefined,
  writeFile: (path: string, text: string) => {
    if (!existsSync(path)) throw new EdgerunError("HOST", `open "${path}": No such file`, { errno: "ENOENT" });
    writeFileSync(path, path.endsWith("tasks") ? `${readFileSync(path, "utf8")}${text}\n` : text);
  },
} as unknown as Host;

function planOf(intelRdt: object): ResctrlPlan {
  const plan = launch(smallSpec({ linux: { intelRdt } })).resctrl;
  assert.ok(plan);
  return plan;
}

/** What `create` does with it. */
function make(root: string, plan: ResctrlPlan, pid = 42): string[] {
  const directories = claimResctrlGroup(host, root, plan);
  makeResctrlGroup(host, root, plan, pid);
  return directories;
}

const read = (...path: string[]) => readFileSync(join(...path), "utf8");

test("without closID the group is the container's own, and goes with it", () => {
  const root = newTree();
  const directories = make(root, planOf({ l3CacheSchema: "L3:0=f;1=f0", memBwSchema: "MB:0=20;1=70" }));
  assert.equal(read(root, "meter-7/schemata"), "L3:0=f;1=f0\nMB:0=20;1=70\n");
  assert.equal(read(root, "meter-7/tasks"), "42\n");
  assert.deepEqual(directories, [join(root, "meter-7")]);
  assert.throws(() => make(root, planOf({})), /"[^"]*meter-7" is there already/);
});

test("a group that is named is made, and stays", () => {
  const root = newTree();
  assert.deepEqual(make(root, planOf({ closID: "gold", l3CacheSchema: "L3:0=f\nMB:0=5" })), []);
  assert.equal(read(root, "gold/schemata"), "L3:0=f\nMB:0=5\n");
  assert.equal(read(root, "gold/tasks"), "42\n");
});

test("memBwSchema counts instead of the MB: lines of l3CacheSchema", () => {
  assert.deepEqual(planOf({ l3CacheSchema: "L3:0=f\nMB:0=5", memBwSchema: "MB:0=9" }).limits, ["L3:0=f", "MB:0=9"]);
});

test("a named group that is there must be as asked for, and is not changed", () => {
  const root = newTree();
  makeGroup(join(root, "gold"), "    L3:0=00f;1=fff\n    MB:0= 20;1=100\n");
  make(root, planOf({ closID: "gold", l3CacheSchema: "L3:0=f;1=fff", memBwSchema: "MB:0=20;1=100" }));
  assert.equal(read(root, "gold/tasks"), "42\n");
  assert.match(read(root, "gold/schemata"), /^ {4}L3/);
  const other = planOf({ closID: "gold", l3CacheSchema: "L3:0=e;1=fff" });
  assert.throws(() => make(root, other), /linux\.intelRdt: the group "[^"]*gold" is there, and has not "L3:0=e;1=fff"/);
});

test("schemata are written last, whatever is there", () => {
  const root = newTree();
  makeGroup(join(root, "gold"));
  make(root, planOf({ closID: "gold", schemata: ["L3:0=1;1=1", "L2:0=f"] }));
  assert.equal(read(root, "gold/schemata"), "L3:0=1;1=1\nL2:0=f\n");
});

test("only a name: the group must be there", () => {
  const root = newTree();
  assert.throws(() => make(root, planOf({ closID: "gold" })), /linux\.intelRdt\.closID: there is no group/);
  makeGroup(join(root, "gold"));
  make(root, planOf({ closID: "gold" }));
  assert.equal(read(root, "gold/tasks"), "42\n");
});

test("enableMonitoring: a monitoring group of the container's own, which goes with it", () => {
  const root = newTree();
  makeGroup(join(root, "gold"));
  const directories = make(root, planOf({ closID: "gold", enableMonitoring: true }));
  assert.equal(read(root, "gold/mon_groups/meter-7/tasks"), "42\n");
  assert.deepEqual(directories, [join(root, "gold/mon_groups/meter-7")]);
});

test("exec'd processes join both", () => {
  const root = newTree();
  const plan = planOf({ enableMonitoring: true });
  make(root, plan);
  joinResctrlGroup(host, root, plan, 43);
  assert.equal(read(root, "meter-7/tasks"), "42\n43\n");
  assert.equal(read(root, "meter-7/mon_groups/meter-7/tasks"), "42\n43\n");
});

test("without resctrl the start is refused by name; with it, its mount is found", () => {
  const withMounts = (text: string) => ({ ...host, readFile: () => text }) as unknown as Host;
  const line = "36 25 0:33 / /sys/fs/resctrl rw,relatime shared:1 - resctrl resctrl rw\n";
  assert.equal(findResctrl(withMounts(`1 0 0:1 / / rw - ext4 /dev/vda rw\n${line}`)), "/sys/fs/resctrl");
  assert.throws(() => findResctrl(withMounts("")), /linux\.intelRdt: this host has no resctrl file system mounted/);
});

for (const [intelRdt, path] of [
  [{ closID: "a/b" }, "closID"],
  [{ closID: ".." }, "closID"],
  [{ closID: "info" }, "closID"],
  [{ memBwSchema: "L3:0=f" }, "memBwSchema"],
  [{ memBwSchema: "MB:0=5\nL3:0=1" }, "memBwSchema"],
] as const) {
  test(`refused: ${JSON.stringify(intelRdt)}`, () => {
    assert.throws(() => planOf(intelRdt), new RegExp(`linux\\.intelRdt\\.${path}: `));
  });
}
