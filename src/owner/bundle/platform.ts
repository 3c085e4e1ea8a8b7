// SPDX-License-Identifier: Apache-2.0
// Platforms, "os/architecture[/variant]" in Go's names, as image indexes use them.

import { arch } from "node:process";
import { EdgerunError } from "../../errors.ts";

export interface Platform {
  os: string;
  architecture: string;
  /** "" where the architecture has one variant only, or the usual one is meant. */
  variant: string;
}

const GO_ARCHITECTURES: Partial<Record<string, string>> = {
  x64: "amd64",
  ia32: "386",
  arm64: "arm64",
  arm: "arm",
  riscv64: "riscv64",
  loong64: "loong64",
  ppc64: "ppc64le",
  s390x: "s390x",
  mipsel: "mipsle",
  mips: "mips",
};

/** Linux on this machine's architecture. */
export function hostPlatform(): Platform {
  return normalizePlatform("linux", GO_ARCHITECTURES[arch] ?? arch, "");
}

/** Reads the value of --platform. @throws EdgerunError USAGE */
export function parsePlatform(text: string): Platform {
  const [os, architecture, variant = "", ...more] = text.split("/");
  if (!os || !architecture || more.length > 0) {
    throw new EdgerunError("USAGE", `platform ${JSON.stringify(text)} is not of the form os/architecture[/variant]`);
  }
  return normalizePlatform(os, architecture, variant);
}

/** The platform with the variant left out where it is the usual one: arm is v7, arm64 v8, amd64 v1. */
export function normalizePlatform(os: string, architecture: string, variant: string): Platform {
  const usual: Partial<Record<string, string>> = { arm: "v7", arm64: "v8", amd64: "v1" };
  return { os, architecture, variant: usual[architecture] === variant ? "" : variant };
}

/** Whether both are the same platform. */
export function equalPlatforms(a: Platform, b: Platform): boolean {
  return a.os === b.os && a.architecture === b.architecture && a.variant === b.variant;
}

/** The form that `parsePlatform` reads. */
export function formatPlatform({ os, architecture, variant }: Platform): string {
  return variant === "" ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}
