// SPDX-License-Identifier: Apache-2.0
// The session keyring: which one a process has is asked of the kernel (keyctl(2)), what it is called stands in /proc/keys.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Change, setUserNamespace } from "./support/config.ts";
import type { Container } from "./support/container.ts";
import { execute } from "./support/process.ts";
import { rootfsWith } from "./support/programs.ts";
import { lacking, runtimePath } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const rootfs = rootfsWith(ws, "call");
const keyctl = process.arch === "x64" ? 250 : process.arch === "arm64" ? 219 : 311;
const [GET_KEYRING_ID, SESSION] = [0, -3];
const KEY_USR_SEARCH = 0x00080000;
/** Prints the serial number of the session keyring. */
const printSerial = ["call", "native", keyctl, GET_KEYRING_ID, SESSION, 0].map(String);

function visible(more?: Change): Change {
  return (config) => {
    config.root.path = rootfs;
    config.linux.maskedPaths = [];
    more?.(config);
  };
}

/** "permissions name" of a keyring in the container's sight, by its serial number. */
function describeKeyring(c: Container, serial: string): string {
  const hex = Number(serial).toString(16).padStart(8, "0");
  return c.output(`awk '$1 == "${hex}" { print $5, $9 }' /proc/keys`);
}

for (const [what, change] of [
  ["", undefined],
  [" in a user namespace", (config) => setUserNamespace(config, 100000)],
  [" of a user", (config) => Object.assign(config.process.user, { uid: 1000, gid: 1000 })],
] as [string, Change | undefined][]) {
  test(
    `a container${what} has a session keyring of its own, which exec joins`,
    lacking({ crun: "its keyring can't be viewed" }),
    () => {
      const c = ws.script(`${printSerial.join(" ")} > /dev/shm/serial; sleep 1000`, visible(change));
      c.succeed("run", "--detach", "--bundle", c.directory, c.id);
      const serial = c.output("until [ -s /dev/shm/serial ]; do :; done; cat /dev/shm/serial");
      assert.equal(c.output(printSerial.join(" ")), serial);
      const [permissions = "", name] = describeKeyring(c, serial).split(" ");
      assert.equal(name, `_ses.${c.id}:`);
      assert.equal(Number.parseInt(permissions, 16) & KEY_USR_SEARCH, KEY_USR_SEARCH);
      const other = ws.running(visible(change));
      assert.notEqual(other.output(printSerial.join(" ")), serial);
    },
  );
}

/** Runs the runtime with a new session keyring; its serial number is the first line of the output. */
function runInSession(args: readonly string[]) {
  const program = [
    "import ctypes, os, sys",
    "libc = ctypes.CDLL(None)",
    `print(libc.syscall(${keyctl}, 1, b"${ws.tag}"), flush=True)`,
    "os.execv(sys.argv[1], sys.argv[1:])",
  ].join("\n");
  return execute("python3", ["-c", program, runtimePath, ...ws.globalFlags, ...args]);
}

test("with --no-new-keyring a container and its exec keep the caller's", () => {
  const c = ws.script(`${printSerial.join(" ")} > /dev/shm/serial; sleep 1000`, visible());
  const [own] = runInSession(["run", "--detach", "--no-new-keyring", "-b", c.directory, c.id]).stdout.split("\n");
  assert.equal(c.output("until [ -s /dev/shm/serial ]; do :; done; cat /dev/shm/serial"), own);
  const [ofExec, insideExec] = runInSession(["exec", c.id, ...printSerial]).stdout.split("\n");
  assert.equal(insideExec, ofExec);
});

test("without it they don't", () => {
  const c = ws.script(printSerial.join(" "), visible());
  const [own, inside] = runInSession(["run", "-b", c.directory, c.id]).stdout.split("\n");
  assert.match(inside!, /^\d+$/);
  assert.notEqual(inside, own);
});
