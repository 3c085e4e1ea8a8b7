// SPDX-License-Identifier: Apache-2.0
// Engines keep their default seccomp profile in a format of their own: rules that hold only on some architectures or
// with some capabilities. For a container they resolve it to what config.json holds; so does this.

type Condition = { arches?: string[]; caps?: string[] };
type Argument = { index: number; value: number; valueTwo?: number; op: string };
type EngineRule = {
  names: string[];
  action: string;
  args?: Argument[] | null;
  errnoRet?: number;
  includes?: Condition;
  excludes?: Condition;
};

/** A profile as Docker and podman ship it (seccomp.json). */
export type EngineProfile = {
  defaultAction: string;
  defaultErrnoRet?: number;
  archMap?: { architecture: string; subArchitectures: string[] | null }[];
  syscalls: EngineRule[];
};

/** `linux.seccomp` of config.json. */
export type Seccomp = {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures: string[];
  syscalls: { names: string[]; action: string; errnoRet?: number; args?: Argument[] }[];
};

/** Names of an architecture: the profile's conditions use Go's, archMap uses libseccomp's. By Node's process.arch. */
const ARCHITECTURES: Record<string, { go: string; libseccomp: string }> = {
  x64: { go: "amd64", libseccomp: "SCMP_ARCH_X86_64" },
  arm64: { go: "arm64", libseccomp: "SCMP_ARCH_AARCH64" },
  arm: { go: "arm", libseccomp: "SCMP_ARCH_ARM" },
};

/** Resolves an engine's profile for an architecture (as in process.arch) and the bounding set of a container. */
export function resolveProfile(profile: EngineProfile, arch: string, capabilities: readonly string[]): Seccomp {
  const native = ARCHITECTURES[arch];
  if (native === undefined) throw new Error(`no seccomp profile for the architecture "${arch}"`);
  const holds = (rule: EngineRule): boolean => {
    const { includes, excludes } = rule;
    if (includes?.arches?.length && !includes.arches.includes(native.go)) return false;
    if (excludes?.arches?.includes(native.go)) return false;
    if (includes?.caps?.some((name) => !capabilities.includes(name))) return false;
    return !excludes?.caps?.some((name) => capabilities.includes(name));
  };
  const entry = profile.archMap?.find(({ architecture }) => architecture === native.libseccomp);
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures: [native.libseccomp, ...(entry?.subArchitectures ?? [])],
    syscalls: profile.syscalls.filter(holds).map((rule) => ({
      names: rule.names,
      action: rule.action,
      ...(rule.errnoRet === undefined ? {} : { errnoRet: rule.errnoRet }),
      ...(rule.args?.length ? { args: rule.args } : {}),
    })),
  };
}
