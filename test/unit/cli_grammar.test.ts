// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { globalFlags } from "../../src/cli/globals.ts";
import { checkArgumentCount, type FlagTable, parseArguments, parseDecimal } from "../../src/cli/grammar.ts";
import { allCommands, findCommand } from "../../src/cli/rare_commands.ts";

const flags = {
  bundle: { kind: "value", short: "b", doc: "" },
  force: { kind: "bool", short: "f", doc: "" },
  env: { kind: "list", short: "e", doc: "" },
  fds: { kind: "number", doc: "" },
} as const satisfies FlagTable;

const none = { bundle: undefined, force: undefined, env: [], fds: undefined };

const accepted: [line: string, values: object, args: string[]][] = [
  ["", {}, []],
  ["id", {}, ["id"]],
  ["--bundle B id", { bundle: "B" }, ["id"]],
  ["-bundle B id", { bundle: "B" }, ["id"]],
  ["--bundle=B id", { bundle: "B" }, ["id"]],
  ["-b B id", { bundle: "B" }, ["id"]],
  ["-b=B id", { bundle: "B" }, ["id"]],
  ["--b B id", { bundle: "B" }, ["id"]],
  ["--bundle= id", { bundle: "" }, ["id"]],
  ["--bundle=a=b id", { bundle: "a=b" }, ["id"]],
  ["--bundle A --bundle B id", { bundle: "B" }, ["id"]],
  ["--bundle -f id", { bundle: "-f" }, ["id"]],
  ["--bundle -- id", { bundle: "--" }, ["id"]],
  ["id --bundle B -f", { bundle: "B", force: true }, ["id"]],
  ["--force id --bundle B", { bundle: "B", force: true }, ["id"]],
  ["-f id", { force: true }, ["id"]],
  ["-force id", { force: true }, ["id"]],
  ["--force=true id", { force: true }, ["id"]],
  ["--force=1 id", { force: true }, ["id"]],
  ["--force=false id", { force: false }, ["id"]],
  ["--force=F id", { force: false }, ["id"]],
  ["--force --force=false id", { force: false }, ["id"]],
  ["-e A=1 -e B=2,C=3 id", { env: ["A=1", "B=2,C=3"] }, ["id"]],
  ["--fds 3 id", { fds: 3 }, ["id"]],
  ["-- -f", {}, ["-f"]],
  ["id -- -f", {}, ["id", "-f"]],
  ["-", {}, ["-"]],
];
for (const [line, values, args] of accepted) {
  test(`parseArguments() reads "${line}"`, () => {
    const parsed = parseArguments(flags, words(line));
    assert.deepEqual(parsed, { flags: { ...none, ...values }, args, help: false });
  });
}

const refused: [line: string, message: string][] = [
  ["--bundle", "flag needs an argument: -bundle"],
  ["id -b", "flag needs an argument: -b"],
  ["--bogus id", "flag provided but not defined: -bogus"],
  ["id --bogus", "flag provided but not defined: -bogus"],
  ["-fb x", "flag provided but not defined: -fb"],
  ["--constructor x", "flag provided but not defined: -constructor"],
  ["--__proto__=x", "flag provided but not defined: -__proto__"],
  ["---bundle x", "bad flag syntax: ---bundle"],
  ["--=x", "bad flag syntax: --=x"],
  ["--force=maybe", 'invalid boolean value "maybe" for -force: parse error'],
  ["--force=", 'invalid boolean value "" for -force: parse error'],
  ["--fds x", 'invalid value "x" for flag -fds: parse error'],
  ["--fds=-1", 'invalid value "-1" for flag -fds: parse error'],
  ["--fds=99999999999", 'invalid value "99999999999" for flag -fds: parse error'],
];
for (const [line, message] of refused) {
  test(`parseArguments() refuses "${line}"`, () => {
    assert.throws(() => parseArguments(flags, words(line)), { code: "USAGE", message });
  });
}

test("parseArguments() leaves everything after the first argument alone where that ends the flags", () => {
  const parsed = parseArguments(flags, words("-f id --bundle -b -- --help"), "before arguments");
  assert.deepEqual(parsed.args, ["id", "--bundle", "-b", "--", "--help"]);
  assert.equal(parsed.flags.force, true);
  assert.equal(parsed.help, false);
});

test("parseArguments() knows --help and -h in every table", () => {
  for (const line of ["--help", "-h", "-help", "id --help", "--help=true"]) {
    assert.equal(parseArguments({}, words(line)).help, true, line);
  }
  assert.equal(parseArguments({}, words("--help=false")).help, false);
});

test("checkArgumentCount() says what is required", () => {
  const message = (name: string, count: number) => {
    try {
      checkArgumentCount(findCommand(name)!, count);
      return undefined;
    } catch (error) {
      return (error as Error).message;
    }
  };
  assert.equal(message("create", 1), undefined);
  assert.equal(message("create", 0), '"create" requires exactly 1 argument(s)');
  assert.equal(message("list", 1), '"list" requires exactly 0 argument(s)');
  assert.equal(message("kill", 0), '"kill" requires a minimum of 1 argument(s)');
  assert.equal(message("kill", 3), '"kill" requires a maximum of 2 argument(s)');
  assert.equal(message("ps", 100), undefined);
});

test("parseDecimal() takes only the one way to write a number", () => {
  assert.equal(parseDecimal("0", 10), 0);
  assert.equal(parseDecimal("10", 10), 10);
  for (const text of ["", "-1", "+1", "01", "1 ", " 1", "1e1", "0x1", "1.0", "11", "٣", "Infinity", "-0"]) {
    assert.equal(parseDecimal(text, 10), undefined, text);
  }
});

test("every command's table is sound: its own name, no name twice, help text everywhere", () => {
  for (const command of allCommands()) {
    assert.equal(findCommand(command.name)?.name, command.name);
    const spellings = ["help", "h"];
    for (const [name, flag] of Object.entries(command.flags)) {
      assert.notEqual(flag.doc, "", `${command.name} --${name}`);
      spellings.push(name, ...(flag.short === undefined ? [] : [flag.short]));
    }
    assert.equal(new Set(spellings).size, spellings.length, command.name);
  }
  assert.ok(Object.keys(globalFlags()).includes("systemd-cgroup"));
  assert.equal(findCommand("toString"), undefined);
});

/** "" is no word at all, as a shell would have it. */
function words(line: string): string[] {
  return line.split(" ").filter((word) => word !== "");
}
