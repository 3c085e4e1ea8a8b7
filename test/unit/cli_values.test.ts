// SPDX-License-Identifier: Apache-2.0
// What stands on the command line: ids, signals, users, paths. And what stands in the output: times, tables, log lines.
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDuration } from "../../src/cli/duration.ts";
import { checkId } from "../../src/cli/id.ts";
import { formatLogLine, oneLine } from "../../src/cli/log.ts";
import { absolutePath, optionalPath } from "../../src/cli/paths.ts";
import { parseInteger, parseSize } from "../../src/cli/quantities.ts";
import { parseSignal } from "../../src/cli/signals.ts";
import { formatListJson, formatPids, formatState } from "../../src/cli/state.ts";
import { filterProcessTable, formatListTable } from "../../src/cli/table.ts";
import { rfc3339 } from "../../src/cli/time.ts";
import { parseGroup, parseUser } from "../../src/cli/user.ts";
import type { ContainerState } from "../../src/lifecycle/options.ts";

test("checkId() takes what can be a directory's name and nothing else", () => {
  for (const id of ["a", "A.b_c+d-e", "...", "-x", "0", "a".repeat(1024)]) assert.equal(checkId(id), id);
  for (const id of ["", ".", "..", "a/b", "a b", "a\n", "a\0", "é", "a".repeat(1025)]) {
    assert.throws(() => checkId(id), { code: "USAGE", message: /^invalid container ID format: "/ }, JSON.stringify(id));
  }
});

test("parseSignal() takes numbers and names in any case", () => {
  const cases: [string, number][] = [
    ["9", 9],
    ["0", 0],
    ["64", 64],
    ["KILL", 9],
    ["kill", 9],
    ["SIGKILL", 9],
    ["sigTerm", 15],
    ["HUP", 1],
    ["SYS", 31],
    ["CHLD", 17],
    ["CLD", 17],
    ["IOT", 6],
    ["POLL", 29],
  ];
  for (const [text, number] of cases) assert.equal(parseSignal(text), number, text);
  for (const text of ["", "65", "-9", "9x", "SIG", "SIGSIGKILL", "FOO", "0x9", "09", "KILL "]) {
    assert.throws(() => parseSignal(text), { code: "USAGE", message: `unknown signal ${JSON.stringify(text)}` });
  }
});

test("parseUser() takes exact decimals (CVE-2026-30892, CVE-2024-40635)", () => {
  assert.deepEqual(parseUser("1"), { uid: 1, gid: undefined });
  assert.deepEqual(parseUser("1:2"), { uid: 1, gid: 2 });
  assert.deepEqual(parseUser("4294967294:0"), { uid: 4294967294, gid: 0 });
  const wrong = [
    ":2",
    "",
    "-1",
    "4294967295",
    "4294967296",
    "1e3",
    "0x1",
    " 1",
    "1 ",
    "1:2:3",
    "٣",
    "1:",
    "root",
    "01",
  ];
  for (const text of wrong) assert.throws(() => parseUser(text), { code: "USAGE" }, text);
  assert.equal(parseGroup("5"), 5);
  for (const text of ["", "-1", "tty", "4294967295"]) assert.throws(() => parseGroup(text), { code: "USAGE" }, text);
});

test("absolutePath() joins, and leaves `..` to the kernel", () => {
  assert.equal(absolutePath("/w", ""), "/w");
  assert.equal(absolutePath("/w", "."), "/w");
  assert.equal(absolutePath("/w", "./a//b/"), "/w/a/b");
  assert.equal(absolutePath("/w", "/a/./b"), "/a/b");
  assert.equal(absolutePath("/w", "../a"), "/w/../a");
  assert.equal(absolutePath("/", "a"), "/a");
  assert.equal(absolutePath("/w", "//"), "/");
  assert.equal(optionalPath("/w", ""), undefined);
  assert.equal(optionalPath("/w", undefined), undefined);
});

test("rfc3339() agrees with Date, on whole seconds, from year 0 to 9999", () => {
  const seconds = [0, 1, 59, 86399, 86400, 951782399, 951782400, 951868800, 1709164800, 1798761599, 4107542400, -1];
  for (let i = 0; i < 2000; i++) seconds.push(Math.floor(-62167219200 + i * 157_766_401.7));
  for (const s of seconds) {
    if (s > 253402300799) break;
    assert.equal(rfc3339(s, 0), new Date(s * 1000).toISOString().replace(".000Z", "Z"));
  }
});

test("rfc3339() trims the fraction as Go does", () => {
  assert.equal(rfc3339(1700000000, 123456789), "2023-11-14T22:13:20.123456789Z");
  assert.equal(rfc3339(1700000000, 120000000), "2023-11-14T22:13:20.12Z");
  assert.equal(rfc3339(1700000000, 10), "2023-11-14T22:13:20.00000001Z");
  assert.equal(rfc3339(1700000000, 0), "2023-11-14T22:13:20Z");
});

test("formatLogLine() writes one JSON object, or logfmt", () => {
  const time = "2023-11-14T22:13:20Z";
  assert.equal(
    formatLogLine("json", "error", 'a "b"\nc', time),
    `{"level":"error","msg":"a \\"b\\"\\nc","time":"${time}"}\n`,
  );
  assert.equal(formatLogLine("text", "error", "no such file", time), `time="${time}" level=error msg="no such file"\n`);
  assert.equal(formatLogLine("text", "warning", "plain", time), `time="${time}" level=warning msg=plain\n`);
  assert.equal(formatLogLine("text", "error", 'say "x"\n', time), `time="${time}" level=error msg="say \\"x\\"\\n"\n`);
});

test("oneLine() lets no control character through to a terminal", () => {
  assert.equal(oneLine("plain é ✓"), "plain é ✓");
  assert.equal(oneLine("a\n\x1b[2Jb\x7f\x9bc"), "a??[2Jb??c");
});

const state: ContainerState = {
  ociVersion: "1.3.0",
  id: "web",
  pid: 42,
  status: "running",
  bundle: "/srv/bundles/web",
  rootfs: "/srv/bundles/web/rootfs",
  created: "2023-11-14T22:13:20.5Z",
  annotations: { "com.example.a": "b" },
  owner: "root",
};

test("formatListTable() has runc's columns", () => {
  assert.equal(formatListTable([]), "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n");
  assert.equal(
    formatListTable([state]),
    "ID          PID         STATUS      BUNDLE             CREATED                  OWNER\n" +
      "web         42          running     /srv/bundles/web   2023-11-14T22:13:20.5Z   root\n",
  );
});

test("formatState() and formatListJson() keep the order of the specification", () => {
  assert.deepEqual(JSON.parse(formatState(state)), state);
  assert.ok(formatState(state).startsWith('{\n  "ociVersion": "1.3.0",\n  "id": "web",\n  "pid": 42,\n'));
  assert.equal(formatListJson([]), "null\n");
  assert.deepEqual(JSON.parse(formatListJson([state])), [state]);
  assert.equal(formatPids([1, 2]), "[1,2]\n");
});

test("filterProcessTable() keeps the header and the container's processes", () => {
  const output =
    "UID        PID  PPID CMD\nroot         1     0 init\nroot        42     1 sleep 1\nroot       420    42 sh\n";
  assert.equal(filterProcessTable(output, [42]), "UID        PID  PPID CMD\nroot        42     1 sleep 1\n");
  assert.throws(() => filterProcessTable("CMD\nsh\n", [1]), { message: "couldn't find PID field in ps output" });
});

const sizes: [text: string, bytes: bigint | undefined][] = [
  ["0", 0n],
  ["-1", -1n],
  ["1024", 1024n],
  ["9223372036854775807", 9223372036854775807n],
  ["9223372036854775808", undefined],
  ["1b", 1n],
  ["1k", 1024n],
  ["1K", 1024n],
  ["1kb", 1024n],
  ["1KiB", 1024n],
  ["3m", 3n << 20n],
  ["3 MB", 3n << 20n],
  ["1.5g", 3n << 29n],
  ["1.5", 1n],
  ["2t", 2n << 40n],
  ["2p", 2n << 50n],
  ["8388608t", undefined],
  ["", undefined],
  ["m", undefined],
  ["1.m", undefined],
  [".5m", undefined],
  ["1..5m", undefined],
  ["1e3", undefined],
  ["0x10", undefined],
  ["1bb", undefined],
  ["1bib", undefined],
  ["1kib b", undefined],
  ["1e", undefined],
  ["-2", undefined],
  ["+2", undefined],
  [" 2", undefined],
  ["2 ", 2n],
  ["٣", undefined],
];
for (const [text, bytes] of sizes) {
  test(`the size ${JSON.stringify(text)}`, () => {
    if (bytes === undefined)
      assert.throws(() => parseSize("memory", text), /^EdgerunError: invalid value for memory: inval/);
    else assert.equal(parseSize("memory", text), bytes);
  });
}

test("integers of 64 bits", () => {
  assert.equal(parseInteger("x", "18446744073709551615", "u64"), 18446744073709551615n);
  assert.equal(parseInteger("x", "-9223372036854775808", "i64"), -9223372036854775808n);
  assert.equal(parseInteger("x", "0", "u64"), 0n);
  for (const text of ["18446744073709551616", "-1", "", "-", "1.0", "1e3", "0x1", " 1", "1 ", "--1", "1_0"]) {
    assert.throws(() => parseInteger("x", text, "u64"), /^EdgerunError: invalid value for x: /, text);
  }
});

const durations: [text: string, milliseconds: number | undefined][] = [
  ["5s", 5000],
  ["1h30m", 5_400_000],
  ["1.5s", 1500],
  [".5s", 500],
  ["1.s", 1000],
  ["250ms", 250],
  ["2us", 0.002],
  ["2µs", 0.002],
  ["7ns", 0.000007],
  ["-5s", -5000],
  ["+5s", 5000],
  ["0", 0],
  ["-0", 0],
  ["5", undefined],
  ["", undefined],
  ["-", undefined],
  ["s", undefined],
  [".s", undefined],
  ["1d", undefined],
  ["1 s", undefined],
  ["1s ", undefined],
  ["1.2.3s", undefined],
  ["1e3s", undefined],
  ["999999999999h", undefined],
];
for (const [text, milliseconds] of durations) {
  test(`the duration ${JSON.stringify(text)}`, () => assert.equal(parseDuration(text), milliseconds));
}
