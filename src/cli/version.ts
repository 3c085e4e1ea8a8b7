// SPDX-License-Identifier: Apache-2.0
// What the build says about itself: esbuild puts the values in place (--define).

declare const EDGERUN_VERSION: string | undefined;
declare const EDGERUN_COMMIT: string | undefined;
declare const EDGERUN_LIBSECCOMP: string | undefined;

/** The newest version of the OCI runtime specification that edgerun implements. */
export const ociVersionMax = "1.3.0";

export type BuildInfo = { version: string; commit: string | undefined; libseccomp: string | undefined };

/** Version, commit and libseccomp version of this build; a bundle made without them is version "0.0.0-unknown". */
export function buildInfo(): BuildInfo {
  return {
    version: typeof EDGERUN_VERSION === "string" ? EDGERUN_VERSION : "0.0.0-unknown",
    commit: typeof EDGERUN_COMMIT === "string" ? EDGERUN_COMMIT : undefined,
    libseccomp: typeof EDGERUN_LIBSECCOMP === "string" ? EDGERUN_LIBSECCOMP : undefined,
  };
}

/** The output of `--version`. Docker takes the line with "version" and the one with "commit:". */
export function formatVersion(name: string, build: BuildInfo): string {
  const lines = [`${name} version ${build.version}`];
  if (build.commit !== undefined) lines.push(`commit: ${build.commit}`);
  lines.push(`spec: ${ociVersionMax}`);
  if (build.libseccomp !== undefined) lines.push(`libseccomp: ${build.libseccomp}`);
  return `${lines.join("\n")}\n`;
}
