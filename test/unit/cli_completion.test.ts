// SPDX-License-Identifier: Apache-2.0
// Completion scripts name every command and flag of the grammar, and no other.
import assert from "node:assert/strict";
import { test } from "node:test";
import { bashCompletion } from "../../src/cli/completion/bash.ts";
import { fishCompletion } from "../../src/cli/completion/fish.ts";
import { describeProgram } from "../../src/cli/completion/model.ts";
import { zshCompletion } from "../../src/cli/completion/zsh.ts";
import { globalFlags } from "../../src/cli/globals.ts";
import { allCommands } from "../../src/cli/rare_commands.ts";
import { commandArguments, flagKind, knownFlags } from "../../src/cli/value_kinds.ts";

const program = describeProgram(allCommands());

test("the model has what is not hidden", () => {
  const visible = (table: object) =>
    Object.entries(table)
      .filter(([, flag]) => !flag.hidden)
      .map(([name]) => name);
  assert.deepEqual(
    program.flags.map(({ long }) => long),
    [...visible(globalFlags()), "help"],
  );
  for (const command of allCommands()) {
    const { flags, doc } = program.commands.find(({ name }) => name === command.name)!;
    assert.deepEqual(
      flags.map(({ long }) => long),
      [...visible(command.flags), "help"],
      command.name,
    );
    assert.equal(doc, command.summary);
  }
});

for (const [shell, make, flagPattern] of [
  ["bash", bashCompletion, (name: string) => `--${name}`],
  ["zsh", zshCompletion, (name: string) => `--${name}`],
  ["fish", fishCompletion, (name: string) => `-l ${name} `],
] as const) {
  test(`the script for ${shell} has every command and flag`, () => {
    const script = make("edgerun", program);
    for (const { name, flags } of [{ name: "edgerun", flags: program.flags }, ...program.commands]) {
      assert.ok(script.includes(name), name);
      for (const { long } of flags) assert.ok(script.includes(flagPattern(long)), `${name} --${long}`);
    }
    assert.ok(script.includes("STKFLT"));
    assert.doesNotMatch(script, /kernel-memory|undefined|\[object/);
  });
}

test("kinds of values are those of flags that exist", () => {
  const all = [globalFlags(), ...allCommands().map(({ flags }) => flags)];
  for (const name of knownFlags()) {
    const flag = all.map((table) => (table as { [name: string]: { kind: string } })[name]).find(Boolean);
    assert.ok(flag, `--${name}`);
    assert.notEqual(flag.kind, "bool", `--${name}`);
  }
  assert.equal(flagKind("toString"), "text");
});

test("arguments: ids of containers where there must be one", () => {
  const kinds = Object.fromEntries(allCommands().map((command) => [command.name, commandArguments(command)]));
  assert.deepEqual(kinds.start, ["container"]);
  assert.deepEqual(kinds.kill, ["container", "signal"]);
  assert.deepEqual(kinds.create, ["text"]);
  assert.deepEqual(kinds.list, []);
});
