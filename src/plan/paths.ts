// SPDX-License-Identifier: Apache-2.0
// Paths as text. Nothing here looks at a file system: links are resolved by the hands, below the container's root.

/** Absolute, without `.`, `..`, or empty components; `..` stops at `/`. "a/../../b" gives "/b". */
export function cleanPath(path: string): string {
  if (isClean(path)) return path; // nearly always, and every start asks for dozens
  const kept: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === "..") kept.pop();
    else kept.push(part);
  }
  return `/${kept.join("/")}`;
}

function isClean(path: string): boolean {
  return path.startsWith("/") && !path.includes("//") && !path.includes("/.") && (path === "/" || !path.endsWith("/"));
}

/** `path` below `directory`, cleaned: it can't leave the directory. */
export function joinBelow(directory: string, path: string): string {
  const below = cleanPath(path);
  if (directory === "/") return below;
  return below === "/" ? directory : directory + below;
}

/** Is `path` the directory itself, or below it? Both are clean. */
export function isWithin(directory: string, path: string): boolean {
  return directory === "/" || path === directory || path.startsWith(`${directory}/`);
}

/** Last component: "/sys/fs/cgroup/cpu" gives "cpu". */
export function baseName(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}
