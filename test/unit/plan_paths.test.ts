// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { cleanPath } from "../../src/plan/paths.ts";

test("a cleaned path is absolute and has no component that a resolver would skip or climb", () => {
  const cases: [path: string, clean: string][] = [
    ["/", "/"],
    ["", "/"],
    [".", "/"],
    ["//", "/"],
    ["/..", "/"],
    ["a/../../b", "/b"],
    ["/sys/fs/cgroup", "/sys/fs/cgroup"],
    ["sys/fs", "/sys/fs"],
    ["/a/", "/a"],
    ["//a", "/a"],
    ["/a//b", "/a/b"],
    ["/a/.", "/a"],
    ["/a/./b", "/a/b"],
    ["/a/..", "/"],
    ["/a/../b", "/b"],
    ["/a/.hidden/..x", "/a/.hidden/..x"],
    ["/a.b/c..", "/a.b/c.."],
  ];
  for (const [path, clean] of cases) {
    assert.equal(cleanPath(path), clean, JSON.stringify(path));
    assert.equal(cleanPath(clean), clean, "cleaning twice changes nothing");
  }
});
