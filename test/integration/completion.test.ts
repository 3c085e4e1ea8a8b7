// SPDX-License-Identifier: Apache-2.0
// Shell completion, asked of real shells: bash and zsh on a terminal, by the tab key; fish by its own command for it.

import assert from "node:assert/strict";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { execute } from "./support/process.ts";
import { lacking, runtimePath } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const pressTab = resolve("test/integration/support/press_tab.py");
const prompt = "READY";

const bin = join(ws.directory, "bin");
mkdirSync(bin);
symlinkSync(runtimePath, join(bin, "edgerun"));
const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, HOME: ws.directory, TERM: "xterm" };

const edgerunOnly = lacking({ runc: "has its own", crun: "has none" });
const has = (shell: string) =>
  execute("sh", ["-c", `command -v ${shell}`]).status === 0 ? edgerunOnly : { skip: `${shell} is not installed` };

/** `after`: typed behind the tab key. */
type Shell = { name: string; complete: (typed: string, wanted: string, after?: string) => string };

/** A shell on a terminal that completes with our script: what is on its screen after the tab key. */
function terminalShell(name: string, command: string[], extraEnv: NodeJS.ProcessEnv = {}): Shell {
  return {
    name,
    complete(typed, wanted, after = "") {
      const input = `${prompt}\n${typed}\\t${after}\n${wanted}\n`;
      return execute("python3", [pressTab, ...command], { input, env: { ...env, ...extraEnv } }).stdout;
    },
  };
}

function bash(): Shell {
  const rc = ws.newFile(`PS1=${prompt}\n. <(edgerun completion bash)\n`);
  return terminalShell("bash", ["bash", "--noprofile", "--rcfile", rc, "-i"]);
}

function zsh(): Shell {
  const directory = ws.newDirectory();
  writeFileSync(join(directory, "_edgerun"), execute(runtimePath, ["completion", "zsh"]).stdout);
  const rc = `PS1=${prompt}\nfpath=(${directory} $fpath)\nautoload -U compinit\ncompinit -u -D\n`;
  writeFileSync(join(directory, ".zshrc"), rc);
  return terminalShell("zsh", ["zsh", "-d", "-i"], { ZDOTDIR: directory });
}

function fish(): Shell {
  return {
    name: "fish",
    complete(typed) {
      const script = 'edgerun completion fish | source; complete -C "$argv[1]"';
      return execute("fish", ["--no-config", "-c", script, typed], { env }).stdout;
    },
  };
}

const shells = [
  { name: "bash", make: bash },
  { name: "zsh", make: zsh },
  { name: "fish", make: fish },
];

for (const { name, make } of shells) {
  test(`${name} takes the script`, has(name), () => {
    const script = ws.newFile(execute(runtimePath, ["completion", name]).stdout);
    const { status, stderr } = execute(name, ["-n", script], { env });
    assert.deepEqual([status, stderr], [0, ""]);
  });

  test(`${name} completes commands, flags, values, ids and files`, { ...has(name), timeout: 60_000 }, () => {
    const shell = make();
    const c = ws.created();
    const root = ws.stateRoot;
    mkdirSync(join(ws.directory, "only-bundle"), { recursive: true });
    writeFileSync(join(ws.directory, "only-file.json"), "{}");
    const path = join(ws.directory, "only");
    // what is typed, what must be there after the tab key
    const table: [string, string][] = [
      ["edgerun upd", "update "],
      ["edgerun --sys", "--systemd-cgroup"],
      ["edgerun create --bun", "--bundle"],
      ["edgerun --log-format js", "json"],
      ["edgerun --log /dev/null --cgroup-manager dis", "disabled"],
      ["edgerun list --format ta", "table"],
      ["edgerun help feat", "features"],
      ["edgerun completion fi", "fish"],
      [`edgerun --root ${root} start ${ws.tag.slice(0, 6)}`, c.id],
      [`edgerun --root=${root} delete --force ${ws.tag.slice(0, 6)}`, c.id],
      [`edgerun kill ${c.id} STK`, "STKFLT"],
      ["edgerun mounts rem", "remove"],
      [`edgerun run --bundle ${path}-b`, "only-bundle"],
      [`edgerun update --resources ${path}-f`, "only-file.json"],
    ];
    for (const [typed, wanted] of table) {
      const shown = shell.complete(typed, wanted);
      assert.ok(shown.replaceAll("\t", " ").includes(wanted), `${typed} -> ${wanted}: ${JSON.stringify(shown)}`);
    }
  });

  test(`${name} offers no flag of another command, and no hidden one`, has(name), () => {
    const shell = make();
    for (const typed of ["edgerun start --bun", "edgerun kill --al", "edgerun --cri", "edgerun create --detac"]) {
      const shown = shell.complete(typed, "|end", "|end");
      assert.doesNotMatch(shown.replace(typed, ""), /--bundle|--all|--criu|--detach/, typed);
    }
  });
}

test("bash completes --flag=value, which it takes apart", has("bash"), () => {
  assert.match(bash().complete("edgerun --log-format=js", "json"), /--log-format=json/);
});

test("an unknown shell is refused", edgerunOnly, () => {
  const { status, stderr } = execute(runtimePath, ["completion", "tcsh"]);
  assert.deepEqual([status, stderr], [1, 'edgerun: unknown shell "tcsh": want bash, zsh or fish\n']);
});
