// SPDX-License-Identifier: Apache-2.0
// Turns an engine's seccomp profile into the form of config.json, as an engine does before it calls the runtime.

import { readFileSync } from "node:fs";
import type { Seccomp, SyscallRule } from "./config.ts";

/** Where the engines of the Debian family keep their common profile. */
export const engineProfile = "/usr/share/containers/seccomp.json";

type Condition = { caps?: string[]; arches?: string[]; minKernel?: string };
type EngineProfile = {
  defaultAction: string;
  defaultErrnoRet?: number;
  archMap: { architecture: string; subArchitectures: string[] | null }[];
  syscalls: (SyscallRule & { includes?: Condition; excludes?: Condition })[];
};

const native: Record<string, { name: string; architecture: string }> = {
  x64: { name: "amd64", architecture: "SCMP_ARCH_X86_64" },
  arm64: { name: "arm64", architecture: "SCMP_ARCH_AARCH64" },
  arm: { name: "arm", architecture: "SCMP_ARCH_ARM" },
};

/** The profile as it applies to a process with these capabilities on this machine's architecture. */
export function resolveProfile(path: string, capabilities: readonly string[]): Seccomp {
  const profile: EngineProfile = JSON.parse(readFileSync(path, "utf8"));
  const machine = native[process.arch]!;
  const holdsAll = (names: string[] | undefined) => (names ?? []).every((name) => capabilities.includes(name));
  const holdsAny = (names: string[] | undefined) => (names ?? []).some((name) => capabilities.includes(name));
  const rules = profile.syscalls.filter(({ includes, excludes }) => {
    if (!holdsAll(includes?.caps) || holdsAny(excludes?.caps)) return false;
    if (includes?.arches?.length && !includes.arches.includes(machine.name)) return false;
    return !excludes?.arches?.includes(machine.name);
  });
  const family = profile.archMap.find((entry) => entry.architecture === machine.architecture);
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures: [machine.architecture, ...(family?.subArchitectures ?? [])],
    syscalls: rules.map(({ names, action, errnoRet, args }) => ({
      names,
      action,
      ...(errnoRet === undefined ? {} : { errnoRet }),
      ...(args?.length ? { args } : {}),
    })),
  };
}
