// SPDX-License-Identifier: Apache-2.0
// The manual has every command and flag that there is, and none that there is not.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { updateManPage } from "../../scripts/man_page.ts";
import { globalFlags } from "../../src/cli/globals.ts";
import { allCommands } from "../../src/cli/rare_commands.ts";

const page = readFileSync("man/edgerun.8", "utf8");

test("man/edgerun.8 is current (make docs writes it)", () => {
  assert.equal(updateManPage(page), page);
});

/** The page's items: of each command (the program itself is ""), the long names of its flags. */
function readItems(): Map<string, string[]> {
  const items = new Map<string, string[]>([["", []]]);
  let command = "";
  for (const line of page.slice(page.indexOf(".Sh GLOBAL"), page.indexOf(".Sh ENVIRONMENT")).split("\n")) {
    const name = /^\.It Cm ([a-z]+)/.exec(line)?.[1];
    const flag = /^\.It Fl Fl ([a-z0-9-]+)/.exec(line)?.[1];
    if (name !== undefined) command = name;
    if (name !== undefined) items.set(name, []);
    if (flag !== undefined) items.get(command)!.push(flag);
  }
  return items;
}

test("its items are the commands and flags of the grammar", () => {
  const expected = new Map<string, string[]>([["", [...Object.keys(globalFlags()), "help"]]]);
  for (const { name, flags } of allCommands()) expected.set(name, Object.keys(flags));
  assert.deepEqual(readItems(), expected);
});

test("what else it says of options is true", () => {
  const known = [globalFlags(), ...allCommands().map(({ flags }) => flags)].flatMap((table) => Object.keys(table));
  for (const [, name] of page.matchAll(/Fl Fl ([a-z][a-z0-9-]*)/g)) {
    assert.ok(name === "help" || known.includes(name!), `--${name}`);
  }
});

const hasGroff = spawnSync("groff", ["--version"]).status === 0;

test("groff renders it without a warning", { skip: hasGroff ? false : "groff is not installed" }, () => {
  const { stdout, stderr, status } = spawnSync("groff", ["-mandoc", "-Tascii", "-P-c", "-ww", "-rLL=100n"], {
    input: page,
    encoding: "utf8",
  });
  assert.deepEqual([status, stderr], [0, ""]);
  // Bold is a letter, a backspace and the letter again.
  const parts = stdout.split("\b");
  const text = parts.map((part, index) => (index < parts.length - 1 ? part.slice(0, -1) : part)).join("");
  for (const part of [
    "--cgroup-manager cgroupfs | systemd | disabled",
    "mounts add | remove container-id mounts.json",
  ]) {
    assert.ok(text.includes(part), part);
  }
});
