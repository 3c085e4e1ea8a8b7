#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// edgerun under Node.js: the same program as the device's binary, on the N-API addon's host functions.
// `edgerun owner ...` is the owner's tool, which exists here only.
import process from "node:process";

const argv = process.argv.slice(2);

if (argv[0] === "owner") {
  const { runOwner } = await import("../build/node/owner.mjs");
  process.exitCode = await runOwner(argv.slice(1));
} else {
  const { createHost, main, program } = await import("../build/node/edgerun.mjs");
  const request = {
    program: "edgerun",
    argv,
    env: Object.entries(process.env).map(([name, value]) => `${name}=${value}`),
    cwd: process.cwd(),
    uid: process.geteuid(),
    gid: process.getegid(),
    pid: process.pid,
  };
  // All output is written by host functions, synchronously; nothing is left in a stream of Node's when this returns.
  process.exitCode = main(createHost(), request, program);
}
