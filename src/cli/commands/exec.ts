// SPDX-License-Identifier: Apache-2.0
import type { Context, ExecOptions } from "../../lifecycle/options.ts";
import { type Command, defineCommand, type FlagTable, type Parsed } from "../grammar.ts";
import { checkId } from "../id.ts";
import { optionalPath } from "../paths.ts";
import { parseGroup, parseUser } from "../user.ts";

/** `exec`: another process in a container; its failures have exit code 255, so that they can be told from the process's. */
export function execCommand(): Command {
  return defineCommand({
    name: "exec",
    summary: "run another process in a container",
    usage: "<container-id> <command> [arguments...]  or  --process process.json <container-id>",
    flags: execFlags(),
    flagPlaces: "before arguments",
    minArgs: 1,
    maxArgs: Number.POSITIVE_INFINITY,
    failure: { exitCode: 255, operation: "exec failed" },
    run(context, parsed) {
      return context.lifecycle.exec(context, readExecOptions(context, parsed));
    },
  });
}

function execFlags() {
  return {
    "console-socket": { kind: "value", doc: "UNIX socket that is sent the master end of the terminal" },
    "pidfd-socket": { kind: "value", doc: "UNIX socket that is sent a pidfd of the process" },
    cwd: { kind: "value", doc: "working directory, inside the container" },
    env: { kind: "list", short: "e", doc: "NAME=value, added to the environment" },
    tty: { kind: "bool", short: "t", doc: "give the process a terminal" },
    user: { kind: "value", short: "u", doc: "numeric user: uid[:gid]" },
    "additional-gids": { kind: "list", short: "g", doc: "supplementary group id" },
    process: { kind: "value", short: "p", doc: "process.json, in place of a command and the flags about it" },
    detach: { kind: "bool", short: "d", doc: "don't wait for the process" },
    "pid-file": { kind: "value", doc: "file that the process id is written to" },
    "process-label": { kind: "value", doc: "SELinux label of the process" },
    apparmor: { kind: "value", doc: "AppArmor profile of the process" },
    "no-new-privs": { kind: "bool", doc: "set no_new_privs" },
    cap: { kind: "list", short: "c", doc: "capability to add" },
    "preserve-fds": { kind: "number", default: "0", doc: "pass this many descriptors after stdio" },
    cgroup: { kind: "list", doc: "sub-cgroup to run in, which must exist: [controller[,controller]:]path" },
    "ignore-paused": { kind: "bool", doc: "also in a paused container" },
  } as const satisfies FlagTable;
}

function readExecOptions(context: Context, parsed: Parsed<ReturnType<typeof execFlags>>): ExecOptions {
  const { flags } = parsed;
  const { cwd } = context.request;
  const [id, ...args] = parsed.args;
  const process = optionalPath(cwd, flags.process);
  return {
    id: checkId(id!),
    args,
    process,
    cwd: flags.cwd,
    env: flags.env,
    tty: flags.tty,
    user: flags.user === undefined ? undefined : parseUser(flags.user),
    additionalGids: flags["additional-gids"].map(parseGroup),
    processLabel: flags["process-label"],
    apparmor: flags.apparmor,
    noNewPrivs: flags["no-new-privs"],
    caps: flags.cap,
    consoleSocket: optionalPath(cwd, flags["console-socket"]),
    pidfdSocket: optionalPath(cwd, flags["pidfd-socket"]),
    pidFile: optionalPath(cwd, flags["pid-file"]),
    detach: flags.detach === true,
    preserveFds: flags["preserve-fds"] ?? 0,
    cgroups: flags.cgroup,
    ignorePaused: flags["ignore-paused"] === true,
  };
}
