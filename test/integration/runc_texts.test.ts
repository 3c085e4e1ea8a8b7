// SPDX-License-Identifier: Apache-2.0
// The installed runc and edgerun, case by case: the same command line on a container in the same state ends with the
// same exit code, an error that holds runc's text, one JSON object in the log, and output of the same shape. Both hosts.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { setScript } from "./support/config.ts";
import type { Container } from "./support/container.ts";
import { hostCommand, hostNames, twoHosts } from "./support/hosts.ts";
import { execute, type Result, waitFor } from "./support/process.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const runc = ["/usr/sbin/runc", "/usr/bin/runc"].find((path) => existsSync(path));
const version = runc === undefined ? "" : execute(runc, ["--version"]).stdout.split("\n")[0]!;
/** Texts differ between releases: those of this one are compared. */
const agrees = version.startsWith("runc version 1.1.")
  ? twoHosts
  : { skip: `runc 1.1 is not installed (found: ${version || "none"})` };

type Runtime = { name: string; command: string[]; root: string };
const runtimes: Runtime[] = [
  { name: "runc", command: [runc ?? "runc"], root: join(ws.directory, "runc") },
  ...hostNames.map((host) => ({ name: host, command: hostCommand(host), root: join(ws.directory, `edgerun-${host}`) })),
];

type Outcome = Result & { message: string; logLines: number };

function call(runtime: Runtime, args: readonly string[], cwd = ws.directory): Outcome {
  const log = join(ws.directory, "log.json");
  rmSync(log, { force: true });
  const [command, ...first] = runtime.command;
  const flags = ["--root", runtime.root, "--log", log, "--log-format", "json"];
  const result = execute(command!, [...first, ...flags, ...args], { cwd });
  const lines = existsSync(log)
    ? readFileSync(log, "utf8")
        .trim()
        .split("\n")
        .filter((line) => line !== "")
    : [];
  const errors = lines.map((line) => JSON.parse(line)).filter(({ level }) => level === "error");
  return { ...result, message: errors.at(-1)?.msg ?? "", logLines: errors.length };
}

type State = "absent" | "created" | "running" | "paused" | "stopped";

/** One container for each runtime, brought into the state; its id is the same everywhere but for the end. */
class Trio {
  readonly bundles = new Map<Runtime, Container>();

  constructor(state: State) {
    for (const runtime of runtimes) {
      mkdirSync(runtime.root, { recursive: true, mode: 0o700 });
      const c = ws.bundle((config) => setScript(config, "while :; do sleep 1000; done"));
      ws.keep(c);
      this.bundles.set(runtime, c);
      if (state === "absent") continue;
      const must = (...args: string[]) => {
        const { status, stderr } = call(runtime, args);
        assert.equal(status, 0, `${runtime.name} ${args.join(" ")}: ${stderr}`);
      };
      must("create", "--bundle", c.directory, c.id);
      if (state === "created") continue;
      must("start", c.id);
      if (state === "paused") must("pause", c.id);
      if (state !== "stopped") continue;
      must("kill", c.id, "KILL");
      waitFor(`${runtime.name} to have stopped`, () => call(runtime, ["state", c.id]).stdout.includes('"stopped"'));
    }
  }

  /** The same command line for all: ID and BUNDLE are each one's own. */
  callAll(line: readonly string[]): { runc: Outcome; others: [string, Outcome][] } {
    const outcomes = runtimes.map((runtime): [string, Outcome] => {
      const { id, directory } = this.bundles.get(runtime)!;
      const args = line.map((word) => word.replace("BUNDLE", directory).replace("ID", id));
      const outcome = call(runtime, args, directory);
      const anonymous = (text: string) => text.replaceAll(id, "ID").replaceAll(directory, "BUNDLE");
      return [runtime.name, { ...outcome, message: anonymous(outcome.message), stdout: anonymous(outcome.stdout) }];
    });
    return { runc: outcomes[0]![1], others: outcomes.slice(1) };
  }

  dispose(): void {
    for (const [runtime, { id }] of this.bundles) {
      call(runtime, ["delete", "--force", id]);
      // runc leaves its directory in the cgroup v2 of a host with both versions, now and then.
      if (runtime.name === "runc") ws.removeCgroup(id);
    }
  }
}

/** runc speaks of itself by name, and by its path where arguments are counted. */
const normalize = (text: string) => text.trim().replace(`${runc}: `, "").replaceAll("runc", "edgerun");

/** The same code, runc's text, one object in the log. */
function compare(trio: Trio, line: readonly string[], text?: RegExp): void {
  const { runc: expected, others } = trio.callAll(line);
  for (const [name, found] of others) {
    const where = `${name}: ${line.join(" ")}\nrunc: ${expected.message}\nedgerun: ${found.message}`;
    assert.equal(found.status, expected.status, `exit code of ${where}\n${found.stderr}`);
    // None where the exit code is the container's own.
    assert.equal(found.logLines, expected.logLines, `objects in the log of ${where}`);
    assert.ok(found.logLines <= 1);
    if (text === undefined) assert.ok(found.message.includes(normalize(expected.message)), where);
    else for (const { message } of [expected, found]) assert.match(message, text, where);
    assert.equal(found.stderr !== "", found.logLines > 0, `stderr of ${where}`);
  }
}

const tty = "BUNDLE/tty.json";
/** For --process: the same in every bundle. */
function writeProcessFiles(trio: Trio): void {
  for (const { directory } of trio.bundles.values()) {
    const { process } = JSON.parse(readFileSync(join(directory, "config.json"), "utf8"));
    writeFileSync(join(directory, "tty.json"), JSON.stringify({ ...process, terminal: true }));
    writeFileSync(join(directory, "broken.json"), "{");
    writeFileSync(join(directory, "no-args.json"), JSON.stringify({ ...process, args: [] }));
  }
}

// Where texts legitimately differ, a pattern stands behind the line that both must match.
const lines: Record<State, (string | [string, RegExp])[]> = {
  absent: [
    "state ID",
    "start ID",
    "kill ID",
    "kill --all ID 9",
    "delete ID",
    "delete --force ID",
    "exec ID true",
    "exec --detach ID true",
    "pause ID",
    "resume ID",
    "ps ID",
    "ps --format json ID",
    "update ID",
    "update --memory 64m ID",
    "events ID",
    "events --stats ID",
    "list --format json",
    "list --quiet",
    ["create --bundle /no/such/bundle ID", /no such file or directory/i],
    ["run ID --bundle /no/such/bundle", /no such file or directory/i],
    "create",
    "create a b",
    "run --detach",
    "state a b",
    "exec ID",
    "update",
    "update a b",
    "events",
    "pause",
    "ps",
    "kill",
    "list a",
    "spec a",
    ["state ../escape", /invalid container ID format/],
    ["create a/b", /invalid container ID format/],
    "update --bogus ID",
    "events --interval 5 ID",
    "update --pids-limit many ID",
    "kill --bogus ID",
    "create --preserve-fds many ID",
    "create -bogus ID",
    "no-such-command",
  ],
  created: [
    ["create --bundle BUNDLE ID", /container with given ID already exists/],
    ["run --bundle BUNDLE ID", /container with given ID already exists/],
    "resume ID",
    "kill ID 0",
    "exec ID true",
    "exec ID sh -c 'exit 3'",
    "update --pids-limit 20 ID",
  ],
  running: [
    "start ID",
    "resume ID",
    "delete ID",
    ["create --bundle BUNDLE ID", /container with given ID already exists/],
    ["kill ID NOSUCH", /unknown signal "NOSUCH"/],
    ["kill ID 99999", /unknown signal|invalid argument|signal out of range/],
    "kill ID 0",
    "kill ID sigcont",
    "kill ID SIGCONT",
    "kill ID 18",
    "exec ID false",
    ["exec ID no-such-program", /exec failed: .*exec: "no-such-program": executable file not found in \$PATH/],
    ["exec ID /no/such/program", /exec failed: .*\/no\/such\/program.*: no such file or directory/],
    ["exec ID /etc", /exec failed: .*\/etc.*: (permission denied|is a directory)/],
    ["exec --cwd /no/such/directory ID true", /exec failed: .*\/no\/such\/directory.*: no such file or directory/],
    ["exec --user root ID true", /exec failed: .*root/],
    "exec --detach --tty ID true",
    "exec --console-socket /tmp/x ID true",
    [
      `exec --detach --process ${tty} ID`,
      /cannot allocate tty if (runc|edgerun) will detach without setting console socket/,
    ],
    [
      "exec --process /no/such/process.json ID",
      /exec failed: .*\/no\/such\/process.json.*: [Nn]o such file or directory/,
    ],
    ["exec --process BUNDLE/broken.json ID", /exec failed: /],
    ["exec --process BUNDLE/no-args.json ID", /exec failed: .*args/i],
    "exec --cgroup a:b:c ID true",
    ["exec --cgroup ../x ID true", /exec failed: .*\.\.\/x is not a sub cgroup path/],
    "exec --ignore-paused ID true",
    ["ps ID -o args", /couldn't find PID field in ps output/],
    ["update --memory 64Q ID", /invalid value for memory: .*64Q/],
    ["update --cpu-period x ID", /invalid value for cpu-period: /],
    ["update --resources /no/such/file ID", /\/no\/such\/file.*: [Nn]o such file or directory/],
    ["events --interval -1s ID", /duration interval must be greater than 0/],
    "list --format xml",
    "ps --format xml ID",
  ],
  paused: [
    "start ID",
    "exec ID true",
    "pause ID",
    "delete ID",
    ["create --bundle BUNDLE ID", /container with given ID already exists/],
  ],
  stopped: [
    "start ID",
    "kill ID",
    "kill ID KILL",
    "kill --all ID KILL",
    "exec ID true",
    "pause ID",
    "resume ID",
    "events --stats ID",
    ["create --bundle BUNDLE ID", /container with given ID already exists/],
  ],
};

for (const [state, cases] of Object.entries(lines) as [State, (typeof lines)[State]][]) {
  describe(`${state} containers`, agrees, () => {
    let trio: Trio | undefined;
    after(() => trio?.dispose());
    for (const one of cases) {
      const [line, text] = typeof one === "string" ? [one, undefined] : one;
      test(line, () => {
        trio ??= new Trio(state);
        writeProcessFiles(trio);
        const words = line.match(/'[^']*'|\S+/g)!.map((word) => word.replace(/^'(.*)'$/, "$1"));
        compare(trio, words, text);
      });
    }
  });
}

// --- output

/** Names and types, in order; values that differ between any two containers are left out. */
function shapeOf(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== "object" || value === null) return value === null ? null : typeof value;
  return Object.entries(value).map(([name, one]) => [name, shapeOf(one)]);
}

describe("output", agrees, () => {
  let trio: Trio | undefined;
  after(() => trio?.dispose());
  const outputs = (...line: string[]) => {
    trio ??= new Trio("running");
    const { runc: expected, others } = trio.callAll(line);
    assert.equal(expected.status, 0, expected.stderr);
    for (const [name, { status, stderr }] of others) assert.deepEqual([status, stderr], [0, ""], name);
    return [expected.stdout, ...others.map(([, { stdout }]) => stdout)];
  };
  /** runc's and each host's are the same, once they are brought into a form. */
  const same = (line: string[], form: (text: string) => unknown) => {
    const [first, ...rest] = outputs(...line).map(form);
    for (const other of rest) assert.deepEqual(other, first, line.join(" "));
  };
  const digits = (text: string) => text.replace(/\d+/g, "N");

  test("state: names, order, indentation, values", () => {
    same(["state", "ID"], (text) => {
      // runc leaves the owner empty here (not in list), and ends without a newline.
      const { pid, created, ociVersion, owner, rootfs, ...rest } = JSON.parse(text);
      const names = text
        .trim()
        .split("\n")
        .map((line) => line.replace(/: .*/, ":"));
      return [rest, rootfs === ws.rootfs, typeof pid, typeof owner, created.length > 20, ociVersion[0], names];
    });
  });

  test("list --format json", () => {
    same(["list", "--format", "json"], (text) => [
      shapeOf(JSON.parse(text)),
      text.endsWith("]") || text.endsWith("]\n"),
    ]);
  });

  test("list: header, columns, widths", () => {
    same(["list"], (text) =>
      text.split("\n").map((line) =>
        digits(line)
          .replace(/ +/g, " ")
          .replace(/\d{4}-.*Z/, "TIME")
          .replace(/N-N-NTN.*Z/, "TIME"),
      ),
    );
  });

  test("list --quiet", () => same(["list", "--quiet"], (text) => text));

  test("ps --format json", () => same(["ps", "--format", "json", "ID"], (text) => shapeOf(JSON.parse(text))));

  test("ps: the host's table", () => {
    same(["ps", "ID"], (text) =>
      text
        .trim()
        .split("\n")
        .map((line) => line.trim().split(/\s+/).at(-1)),
    );
    same(["ps", "ID", "-e", "-o", "pid,comm"], (text) => digits(text).trim().replace(/ +/g, " "));
  });

  test("features: what runc has, edgerun has", () => {
    const [expected, ...others] = outputs("features").map((text) => JSON.parse(text));
    for (const found of others) {
      assert.equal(found.ociVersionMin.split(".")[0], expected.ociVersionMin.split(".")[0]);
      for (const name of ["hooks", "mountOptions"]) {
        const missing = expected[name].filter((one: string) => !found[name].includes(one));
        assert.deepEqual(missing, [], name);
      }
      for (const name of ["namespaces", "capabilities"]) {
        assert.deepEqual(
          expected.linux[name].filter((one: string) => !found.linux[name].includes(one)),
          [],
        );
      }
      for (const name of ["actions", "operators", "archs"]) {
        const lacking = expected.linux.seccomp[name].filter((one: string) => !found.linux.seccomp[name].includes(one));
        assert.deepEqual(lacking, [], name);
      }
    }
  });

  test("spec: the same config.json but for what the specification's version brings", () => {
    const directories = runtimes.map((runtime) => {
      const directory = ws.newDirectory();
      assert.equal(call(runtime, ["spec", "--bundle", directory]).status, 0);
      return JSON.parse(readFileSync(join(directory, "config.json"), "utf8"));
    });
    const [expected, ...others] = directories;
    for (const { ociVersion, ...found } of others) {
      const { ociVersion: _, ...wanted } = expected;
      assert.ok(ociVersion.startsWith("1."));
      assert.deepEqual(Object.keys(found), Object.keys(wanted));
      assert.deepEqual(found.process, wanted.process);
      assert.deepEqual(found.mounts, wanted.mounts);
    }
  });

  test("help: sections, and every flag of runc's", () => {
    for (const command of [
      "create",
      "run",
      "exec",
      "kill",
      "delete",
      "list",
      "ps",
      "update",
      "events",
      "spec",
      "state",
    ]) {
      const [expected, ...others] = outputs(command, "--help");
      const flagsOf = (text: string) => [...text.matchAll(/^ {3}--([a-z-]+)/gm)].map(([, name]) => name);
      for (const found of others) {
        for (const section of ["NAME:", "USAGE:"]) assert.match(found, new RegExp(`^${section}$`, "m"));
        const hidden = ["all"];
        assert.deepEqual(
          flagsOf(expected!).filter((name) => !flagsOf(found).includes(name) && !hidden.includes(name!)),
          [],
        );
      }
    }
  });
});
