// SPDX-License-Identifier: Apache-2.0
// The same command lines to the installed runc and to main(): exit code, error text and first line of stdout must agree.
// Skipped where there is no runc. Nothing is started: no container exists, and no bundle does.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import * as commands from "../../src/cli/rare_commands.ts";
import { EdgerunError } from "../../src/errors.ts";
import type { Host } from "../../src/host/functions.ts";
import type { Context, Lifecycle } from "../../src/lifecycle/options.ts";
import { main } from "../../src/main.ts";

const hasRunc = spawnSync("runc", ["--version"]).status === 0;

type Outcome = { code: number | null; firstLine: string; message: string };

const lines = [
  "state nosuch",
  "state",
  "state a b",
  "start",
  "start nosuch",
  "delete nosuch --force=false",
  "delete --force=false nosuch",
  "delete -- -f",
  "delete nosuch -- -f",
  "delete --force=maybe nosuch",
  "delete -ff nosuch",
  "delete --force=true=false nosuch",
  "kill",
  "kill nosuch",
  "kill nosuch KILL",
  "kill --all nosuch 9",
  "kill nosuch KILL extra",
  "kill --bogus nosuch",
  "exec",
  "exec nosuch ls -l --tty",
  "exec nosuch --env A=b ls",
  "exec -p",
  "exec -e A=b -e C=d,e nosuch ls",
  "exec -p file.json nosuch",
  "exec --preserve-fds x nosuch ls",
  "create",
  "create a b",
  "create - nosuch",
  "create ---bundle x",
  "create --=x nosuch",
  "create --bogus nosuch",
  "create --bundle",
  "run -db x nosuch",
  "pause nosuch",
  "resume nosuch",
  "resume",
  "ps nosuch -ef",
  "ps",
  "ps --format json nosuch",
  "list x",
  "list -f xml",
  "list --format",
  "features x",
  "spec x",
  "--bogus state x",
  "--debug=maybe state x",
  "--log-format xml state nosuch",
  "--log-format",
  "-debug state nosuch",
];

describe("main() and runc agree", { skip: hasRunc ? false : "runc is not installed" }, () => {
  let directory: string;
  before(() => {
    directory = mkdtempSync(join(tmpdir(), "edgerun-cli-"));
  });
  after(() => rmSync(directory, { recursive: true }));

  for (const line of lines) {
    test(line, () => {
      const log = join(directory, "log.json");
      writeFileSync(log, "");
      const argv = ["--root", join(directory, "root"), "--log", log, "--log-format", "json", ...line.split(" ")];
      assert.deepEqual(runMain(argv), runRunc(argv, directory, log));
    });
  }
});

function runRunc(argv: string[], cwd: string, log: string): Outcome {
  const result = spawnSync("runc", argv, { cwd, encoding: "utf8", timeout: 10_000 });
  // Before runc has read all global flags, it logs to stderr.
  const logged = readFileSync(log, "utf8").trim();
  const message = logged === "" ? (/ msg="?(.*?)"?\n$/.exec(result.stderr)?.[1] ?? "") : JSON.parse(logged).msg;
  return {
    code: result.status,
    firstLine: result.stdout.split("\n")[0]!,
    message: message.replaceAll('\\"', '"').replace(/^runc: /, ""),
  };
}

function runMain(argv: string[]): Outcome {
  const output: Record<number, string> = { 1: "", 2: "" };
  const host = {
    writeFd(fd: number, text: string) {
      output[fd] += text;
    },
    clock: () => [0, 0],
    appendFile() {},
  } as unknown as Host;
  const fail = () => {
    throw new EdgerunError("CONTAINER_NOT_FOUND", "container does not exist");
  };
  const lifecycle = new Proxy({} as Lifecycle, { get: () => (_: Context) => fail() });
  const code = main(
    host,
    { program: "edgerun", argv, env: [], cwd: "/", uid: 0, gid: 0, pid: 4321 },
    { lifecycle, commands: () => commands },
  );
  return { code, firstLine: output[1]!.split("\n")[0]!, message: output[2]!.replace(/^edgerun: /, "").trimEnd() };
}
