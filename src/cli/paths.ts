// SPDX-License-Identifier: Apache-2.0
// Paths from the command line, made absolute once, where they come in.

/**
 * The absolute form of a path: joined with the working directory; empty and `.` components are dropped.
 * `..` stays: what it means depends on links, which only the kernel resolves correctly.
 */
export function absolutePath(cwd: string, path: string): string {
  const whole = path.startsWith("/") ? path : `${cwd}/${path}`;
  const components = whole.split("/").filter((component) => component !== "" && component !== ".");
  return `/${components.join("/")}`;
}

/** As absolutePath(), for a flag that may be absent; an empty value counts as absent, as in runc. */
export function optionalPath(cwd: string, path: string | undefined): string | undefined {
  return path === undefined || path === "" ? undefined : absolutePath(cwd, path);
}

/** The last component. */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
