// SPDX-License-Identifier: Apache-2.0
// What values of flags and arguments are: for completion and the manual. Beside the tables of the commands, because no
// start needs it.
import type { Command } from "./grammar.ts";

/** Words: one of these. */
export type ValueKind = "directory" | "file" | "container" | "signal" | "text" | readonly string[];

/** Of the same name, flags of all commands mean the same. */
const flagKinds: { readonly [flag: string]: ValueKind } = {
  root: "directory",
  "config-root": "directory",
  "data-root": "directory",
  log: "file",
  "log-format": ["text", "json"],
  "log-level": ["debug", "warning", "error"],
  "cgroup-manager": ["cgroupfs", "systemd", "disabled"],
  rootless: ["true", "false", "auto"],
  bundle: "directory",
  config: "file",
  manifest: "file",
  "console-socket": "file",
  "pidfd-socket": "file",
  "pid-file": "file",
  process: "file",
  format: ["table", "json"],
  resources: "file",
  file: "file",
  "image-path": "directory",
  "work-path": "directory",
  "parent-path": "directory",
  "manage-cgroups-mode": ["soft", "full", "strict", "ignore"],
};

/** Arguments in order; of what is not here, the usage tells: a container's id comes first, or there is none. */
const argumentKinds: { readonly [command: string]: readonly ValueKind[] } = {
  completion: [["bash", "zsh", "fish"]],
  create: ["text"],
  kill: ["container", "signal"],
  manifest: [["install", "list", "show", "remove", "verify", "revoke", "check", "trust-root"], "file"],
  mounts: [["add", "remove"], "container", "file"],
  restore: ["text"],
  run: ["text"],
};

/** The kind of a flag's value; "text" where nothing more is known. */
export function flagKind(name: string): ValueKind {
  return (Object.hasOwn(flagKinds, name) ? flagKinds[name] : undefined) ?? "text";
}

/** The kinds of a command's arguments, as far as they can be completed. */
export function commandArguments({ name, usage }: Command): readonly ValueKind[] {
  const known = Object.hasOwn(argumentKinds, name) ? argumentKinds[name] : undefined;
  return known ?? (usage.startsWith("<container-id>") ? ["container"] : []);
}

/** Every flag that has a kind here; a test looks whether they exist. */
export function knownFlags(): string[] {
  return Object.keys(flagKinds);
}
