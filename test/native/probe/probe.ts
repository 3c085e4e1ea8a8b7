// SPDX-License-Identifier: Apache-2.0
// What the stand-in program does, by its first argument. bindings.test.ts compares what both bindings say.
import { EdgerunError } from "../../../src/errors.ts";
import type { Host, Request } from "../../../src/host/functions.ts";

/** A value as text that tells apart what JSON can't: types, prototypes, BigInt, -0, bytes. */
function describe(value: unknown): string {
  if (value === null || typeof value !== "object") {
    if (typeof value === "bigint") return `${value}n`;
    if (typeof value === "string") return JSON.stringify(value);
    return Object.is(value, -0) ? "-0" : String(value);
  }
  if (value instanceof Uint8Array) return `bytes(${Array.from(value).join(" ")})`;
  if (Array.isArray(value)) return `[${value.map(describe).join(", ")}]`;
  const prototype = Object.getPrototypeOf(value) === null ? "" : "Object ";
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}: ${describe(member)}`);
  return `${prototype}{${members.join(", ")}}`;
}

/** What a call returns or throws. */
function attempt(call: () => unknown): string {
  try {
    return describe(call());
  } catch (error) {
    if (error instanceof EdgerunError) return `${error.code} ${error.errno ?? "-"} ${error.message}`;
    return error instanceof TypeError ? `TypeError ${error.message}` : String(error);
  }
}

const documents = [
  '{"a":[1,2.5,-0.0,true,false,null,"\\u00e9\\ud83d\\ude00"],"__proto__":{"x":1},"b":{},"7":[]}',
  "[9007199254740991,9007199254740992,-9007199254740993,18446744073709551615,-9223372036854775808]",
  '"top"',
  "[[[]],{}]",
  '{"a":1,"a":2}',
  "[1,\n2,,]",
  "[1,[2,{",
  "",
  `${"[".repeat(129)}`,
];

/** Calls that must give the same on both bindings. */
function calls(host: Host): (() => unknown)[] {
  const untyped = host as unknown as Record<string, (...args: unknown[]) => unknown>;
  return [
    ...documents.map((text) => () => host.parseJson(text, "x.json")),
    () => host.readFile("/nonexistent/file", 10),
    () => host.readFileIfExists("/nonexistent/file", 10),
    () => host.readFile("/proc/self/status", 3),
    () => host.fileInfo("/nonexistent/file", 1),
    () => host.fileInfo("/dev/null", 1)?.slice(6),
    () => host.listDirectory("/proc/self/ns").includes("mnt"),
    () => host.textToBytes("h\u00e9\u{1f600}"),
    () => host.bytesToText(new Uint8Array([104, 195, 169])),
    () => host.bytesToText(new Uint8Array([1, 2, 0, 104, 105]).subarray(3)),
    () => host.bytesToText(new Uint8Array(0)),
    () => host.bytesToText(new Uint8Array([0xff])),
    () => host.base64UrlDecode("aGk"),
    () => host.sha256(new Uint8Array([97, 98, 99])),
    () => host.readFile("a\0b", 10),
    () => host.readFile("a\ud800b", 10),
    () => host.textToBytes("\ufffd"),
    () => untyped.readFile?.("/dev/null"),
    () => untyped.readFile?.(7, 10),
    () => untyped.readFile?.("/dev/null", 1.5),
    () => untyped.readFile?.("/dev/null", 2 ** 53),
    () => untyped.sha256?.("text"),
    () => untyped.sha256?.({}),
    () => untyped.encodePlan?.([1, -1], []),
    () => untyped.encodePlan?.([2 ** 32], []),
    () => untyped.encodePlan?.({}, []),
    () => untyped.runProgram?.("/bin/true", ["a", 1], [], "", 0),
    () => host.clock().length,
  ];
}

/** The stand-in's main. */
export function probe(host: Host, request: Request): number {
  const [command, ...args] = request.argv;
  if (command === "describe") {
    const lines = calls(host).map(attempt);
    host.writeFd(1, `${lines.join("\n")}\n`);
    return 0;
  }
  if (command === "request") {
    host.writeFd(1, `${JSON.stringify({ ...request, env: request.env.length > 0 })}\n`);
    return 0;
  }
  if (command === "exit") return Number(args[0]);
  if (command === "parse") {
    const value = host.readJson(args[0] ?? "", 1 << 24);
    return typeof value === "object" ? 0 : 1;
  }
  if (command === "throw") throw new TypeError("thrown on purpose");
  if (command === "fill") {
    const kept: string[] = [];
    for (let i = 0; ; i++) kept.push(`${i}`.repeat(1000));
  }
  if (command === "recurse") return recurse(1);
  return 2;
}

function recurse(depth: number): number {
  return recurse(depth + 1) + 1;
}
