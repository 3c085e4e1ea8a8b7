// SPDX-License-Identifier: Apache-2.0
import assert from "node:assert/strict";
import { test } from "node:test";
import { requestFields, requestTypes, responseFields } from "../../src/checkpoint/messages.ts";
import { decodeMessage, encodeMessage, type Fields } from "../../src/checkpoint/wire.ts";
import { nodeHost } from "./node_host.ts";

const host = nodeHost(0);
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const unhex = (text: string) => new Uint8Array(Buffer.from(text.replaceAll(" ", ""), "hex"));

const sample = {
  a: [1, "int"],
  b: [2, "string"],
  c: [3, { d: [1, "int"] }],
  e: [4, "int", "repeated"],
  f: [16, "bool"],
} as const satisfies Fields;

test("the examples of the protocol buffers documentation", () => {
  assert.equal(hex(encodeMessage(host, sample, { a: 150 })), "089601");
  assert.equal(hex(encodeMessage(host, sample, { b: "testing" })), "120774657374696e67");
  assert.equal(hex(encodeMessage(host, sample, { c: { d: 150 } })), "1a03089601");
  assert.equal(hex(encodeMessage(host, sample, { a: -2 })), "08feffffffffffffffff01");
});

test("integers at the ends of their ranges, tags of two bytes, what is undefined is left out", () => {
  assert.equal(hex(encodeMessage(host, sample, { a: 0x7fffffff })), "08ffffffff07");
  assert.equal(hex(encodeMessage(host, sample, { a: 0xffffffff })), "08ffffffff0f");
  assert.equal(hex(encodeMessage(host, sample, { a: -0x80000000 })), "0880808080f8ffffffff01");
  assert.equal(hex(encodeMessage(host, sample, { a: 0, b: undefined, e: [1, 128], f: true })), "08002001208001800101");
  assert.equal(hex(encodeMessage(host, sample, { b: "ä" })), "1202c3a4");
});

test("decoding gives back what was encoded", () => {
  for (const a of [0, 1, 127, 128, 0x7fffffff, -1, -0x80000000]) {
    const message = { a, b: "x", c: { d: a }, e: [a, 1], f: false };
    assert.deepEqual(decodeMessage(host, sample, encodeMessage(host, sample, message)), message);
  }
});

test("fields that are not known are passed over, whatever their type", () => {
  const unknown = "28 05  31 0102030405060708  3a 02 6162  45 01020304"; // varint, 64 bits, bytes, 32 bits
  assert.deepEqual(decodeMessage(host, sample, unhex(`${unknown} 08 07 ${unknown}`)), { a: 7 });
});

test("what is no message is refused", () => {
  const malformed = {
    "a cut tag": "80",
    "a cut number": "08 ff",
    "eleven bytes of a number": `08 ${"ff ".repeat(10)} 01`,
    "a text that is longer than the message": "12 05 61",
    "a negative length": "12 ff ff ff ff 0f",
    "a number in place of a text": "10 05",
    "a text in place of a number": "0a 01 61",
    "a group": "0b",
    "a text that is not UTF-8": "12 01 ff",
    "a fixed number in place of a varint": "0d 01 02 03 04",
  };
  for (const [what, bytes] of Object.entries(malformed)) {
    assert.throws(() => decodeMessage(host, sample, unhex(bytes)), { name: "EdgerunError" }, what);
  }
});

test("every prefix of a response is decoded or refused, nothing else", () => {
  const response = encodeMessage(host, responseFields, {
    type: requestTypes.notify,
    success: true,
    notify: { script: "setup-namespaces", pid: 4711 },
    errno: 5,
    errorText: "Error",
  });
  for (let length = 0; length <= response.length; length++) {
    try {
      decodeMessage(host, responseFields, response.subarray(0, length));
    } catch (error) {
      assert.equal((error as Error).name, "EdgerunError");
    }
  }
});

test("a request, byte for byte", () => {
  const request = encodeMessage(host, requestFields, {
    type: requestTypes.dump,
    options: {
      imagesDirFd: 4,
      pid: 4711,
      leaveRunning: true,
      externalMounts: [
        { key: "/data", val: "/data" },
        { key: "/b", val: "/c" },
      ],
      external: ["net[4026531840]:extRootNetNS"],
      networkLock: 3,
    },
  });
  assert.equal(
    hex(request),
    [
      "0801", // type: DUMP
      "1245", // opts
      "0804", // images_dir_fd
      "10e724", // pid
      "1801", // leave_running
      "ba010e0a052f6461746112052f64617461", // ext_mnt
      "ba01080a022f6212022f63",
      `aa021c${Buffer.from("net[4026531840]:extRootNetNS").toString("hex")}`, // external
      "800403", // network_lock
    ].join(""),
  );
});
