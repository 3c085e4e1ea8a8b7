// SPDX-License-Identifier: Apache-2.0
// docs/spec_coverage.md: no cell is empty, and every test that it names is there.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

const rows = readFileSync("docs/spec_coverage.md", "utf8")
  .split("\n")
  .filter((line) => line.startsWith("| "))
  .map((line) => line.slice(2, -2).split(" | "))
  .slice(1);

test("every row is complete", () => {
  assert.ok(rows.length > 60, `${rows.length} rows`);
  for (const cells of rows) {
    assert.equal(cells.length, 7, cells[0]);
    for (const cell of cells) assert.notEqual(cell.trim(), "", cells[0]);
  }
});

/** The code spans of a cell. */
function namedTests(cell: string): string[] {
  return cell.split("`").filter((_, index) => index % 2 === 1);
}

test("what is there has a test, and every test that is named exists", () => {
  for (const [property = "", , , , , edgerun = "", cell = ""] of rows) {
    const names = namedTests(cell);
    assert.ok(names.length > 0 || edgerun === "-", `${property}: no test`);
    for (const named of names) {
      const [file = "", ...rest] = named.split(": ");
      const name = rest.join(": ");
      const path = ["test/integration", "test/unit"]
        .map((directory) => `${directory}/${file}.test.ts`)
        .find((candidate) => existsSync(candidate));
      assert.ok(path, `${property}: no file ${file}.test.ts`);
      const text = readFileSync(path, "utf8").replaceAll("\\n", "");
      const isThere = [`"${name}"`, `\`${name}\``].some(
        (quoted) => text.includes(`test(${quoted}`) || text.includes(`test(\n  ${quoted}`),
      );
      assert.ok(isThere, `${property}: ${path} has no test "${name}"`);
    }
  }
});
