// SPDX-License-Identifier: Apache-2.0
// checkpoint and restore that can't be: one clear line, a container that goes on, nothing that is left.

import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Change } from "./support/config.ts";
import { Counter, succeed, useCriu } from "./support/criu.ts";
import { execute, type Result } from "./support/process.ts";
import { lacking, runtimePath } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

useCriu();
const ws = useWorkspace();
const noCriu = lacking({ crun: "Debian 12's is built without CRIU" });
const edgerunOnly = lacking({ crun: "Debian 12's is built without CRIU", runc: "has other texts, or no check" });

function assertOneLine(result: Result, text: RegExp): void {
  assert.match(result.stderr, text);
  assert.match(result.stderr, /^edgerun: [^\n]+\n$/, "one line");
  assert.equal(result.status, 1);
}

/** The checkpoint fails, and the container goes on. */
function assertNotSaved(counter: Counter, text: RegExp, flags: string[] = [], env?: NodeJS.ProcessEnv): void {
  const c = counter.container;
  const options = env === undefined ? {} : { env: { ...process.env, ...env } };
  assertOneLine(ws.runtime(["checkpoint", ...counter.paths, ...flags, c.id], options), text);
  counter.advance();
  assert.equal(c.status(), "running");
}

/** The restore fails, and nothing is left of it. */
function assertNotRestored(counter: Counter, text: RegExp, flags: string[] = []): void {
  assertOneLine(counter.restore(["--detach", ...flags]), text);
  counter.container.fail(/does not exist/, ["state", counter.container.id]);
  ws.assertHostUnchanged();
}

test("only a container that runs can be checkpointed", noCriu, () => {
  const images = ["--image-path", ws.newDirectory()];
  const created = ws.created();
  created.fail(/Container cannot be checkpointed in created state/, ["checkpoint", ...images, created.id]);
  created.start();
  created.stop();
  created.fail(/Container cannot be checkpointed in stopped state/, ["checkpoint", ...images, created.id]);
  created.fail(/container does not exist/, ["checkpoint", ...images, ws.newId()]);
});

test("flags that are wrong", edgerunOnly, () => {
  const counter = new Counter(ws).run();
  const wrong: [string[], RegExp][] = [
    [["--parent-path", "/abs"], /^edgerun: --parent-path must be relative$/m],
    [["--parent-path", "nosuch"], /^edgerun: invalid --parent-path: stat \S+\/nosuch: no such file or directory$/m],
    [["--page-server", "here"], /^edgerun: Use --page-server ADDRESS:PORT to specify page server$/m],
    [["--page-server", ":1"], /^edgerun: Use --page-server ADDRESS:PORT/m],
    [["--page-server", "::1:80"], /^edgerun: Use --page-server ADDRESS:PORT/m],
    [["--page-server", "here:x"], /^edgerun: Invalid port number$/m],
    [["--manage-cgroups-mode", "hard"], /^edgerun: Invalid manage-cgroups-mode value$/m],
    [["--network-lock", "x"], /^edgerun: Invalid network-lock value$/m],
    [["--empty-ns", "user"], /^edgerun: namespace "user" is not supported$/m],
    [["--status-fd", "x"], /^edgerun: invalid value "x" for flag -status-fd: parse error$/m],
    [["--lazy-pages", "--status-fd", "77"], /^edgerun: invalid --status-fd argument 77: bad file descriptor$/m],
    [["--lazy-pages", "--status-fd", "0"], /^edgerun: invalid --status-fd argument 0: not writable$/m],
  ];
  for (const [flags, text] of wrong) {
    const result = ws.runtime(["checkpoint", ...counter.paths, ...flags, counter.container.id]);
    assert.match(result.stderr, text, flags.join(" "));
    assert.equal(result.status, 1);
  }
  counter.advance();
});

test("without criu: what to install, and where it was searched", edgerunOnly, () => {
  const counter = new Counter(ws).run();
  // A relative entry is the working directory's: never searched.
  const PATH = `.:${ws.newDirectory()}`;
  const text =
    /exec: "criu": executable file not found in \$PATH: install the package "criu" \(version 3\.15 or later; searched /;
  assertNotSaved(counter, text, [], { PATH });
  succeed(counter.checkpoint());
  const path = process.env.PATH;
  process.env.PATH = "/usr/bin:/bin";
  try {
    assertNotRestored(counter, text);
  } finally {
    process.env.PATH = path!;
  }
});

/** A directory with a `criu` that answers each packet with these bytes. */
function fakeCriu(answer: string): NodeJS.ProcessEnv {
  const directory = ws.newDirectory();
  const text = `#!/usr/bin/python3
import socket
c = socket.socket(fileno=3)
while c.recv(1 << 20): c.send(bytes.fromhex("${answer}")) if "${answer}" else exit(1)
`;
  writeFileSync(join(directory, "criu"), text, { mode: 0o755 });
  return { PATH: `${directory}:${process.env.PATH}` };
}

test("a criu that is too old, that ends, that talks nonsense", edgerunOnly, () => {
  const counter = new Counter(ws).run();
  const version = (major: string, minor: string) => `080a 1001 5204 08${major} 10${minor}`;
  assertNotSaved(
    counter,
    /\/criu" is version 3\.14: CRIU version 31400 must be 31500 or higher/,
    [],
    fakeCriu(version("03", "0e")),
  );
  assertNotSaved(counter, /criu ended without an answer/, [], fakeCriu(""));
  assertNotSaved(counter, /criu sent what is no message of its protocol/, [], fakeCriu("ff"));
  // Answers the dump with its version, too: that is no success of a dump, and no failure that it could tell.
  assertNotSaved(counter, /criu failed: type VERSION: it was asked for DUMP/, [], fakeCriu(version("04", "01")));
});

test("a failed dump: the log's last errors, and where the log is", edgerunOnly, () => {
  // One end of a socket that the host has the other end of.
  const script = `
import os, socket, sys
ours, theirs = socket.socketpair()
theirs.set_inheritable(True)
os.dup2(theirs.fileno(), 3, inheritable=True)
os.execv(sys.argv[1], sys.argv[1:])
`;
  const counter = new Counter(ws);
  const c = counter.container;
  const run = ["run", "--detach", "--preserve-fds", "1", "--bundle", c.directory, c.id];
  succeed(execute("python3", ["-c", script, runtimePath, ...ws.globalFlags, ...run]));
  counter.advance();
  const log = join(counter.work, "dump.log");
  assertNotSaved(
    counter,
    new RegExp(`criu failed: type DUMP errno \\d+: log file: ${log}: .*Error \\(criu/sk-unix\\.c:\\d+\\)`),
  );
});

const unsupported: [string, Change, RegExp][] = [
  [
    "an I/O priority",
    (config) => Object.assign(config.process, { ioPriority: { class: "IOPRIO_CLASS_BE", priority: 4 } }),
    /config\.json: \$\.process\.ioPriority: an I\/O priority can't be checkpointed or restored/,
  ],
  [
    "a joined cgroup namespace",
    (config) => config.linux.namespaces.push({ type: "cgroup", path: "/proc/self/ns/cgroup" }),
    /config\.json: \$\.linux\.namespaces: a container in a joined cgroup namespace can't be/,
  ],
];
for (const [what, change, text] of unsupported) {
  test(`what criu would lose is refused: ${what}`, edgerunOnly, () => {
    assertNotSaved(new Counter(ws, change).run(), text);
  });
}

test("images that others could have written are not restored", edgerunOnly, () => {
  const counter = new Counter(ws).run();
  succeed(counter.checkpoint());
  const { images } = counter;
  const file = join(images, "core-1.img");
  const cases: [string, () => void, () => void, RegExp][] = [
    [
      "a file of another user",
      () => chownSync(file, 1000, 0),
      () => chownSync(file, 0, 0),
      /core-1\.img" belongs to uid 1000/,
    ],
    [
      "a file for all",
      () => chmodSync(file, 0o666),
      () => chmodSync(file, 0o600),
      /core-1\.img" is writable by others/,
    ],
    [
      "a directory of another user",
      () => chownSync(images, 1000, 0),
      () => chownSync(images, 0, 0),
      /images" belongs to uid 1000/,
    ],
    [
      "a directory for a group",
      () => chmodSync(images, 0o770),
      () => chmodSync(images, 0o700),
      /images" is writable by others/,
    ],
    [
      "a link",
      () => {
        renameSync(file, `${file}.moved`);
        symlinkSync(`${file}.moved`, file);
      },
      () => renameSync(`${file}.moved`, file),
      /core-1\.img" is a symbolic link/,
    ],
    [
      "a directory that others can replace",
      () => chmodSync(join(images, ".."), 0o777),
      () => chmodSync(join(images, ".."), 0o755),
      /" is writable by others/,
    ],
  ];
  for (const [what, spoil, mend, text] of cases) {
    spoil();
    assert.match(counter.restore().stderr, /must belong to the caller and be writable by nobody else/, what);
    assertNotRestored(counter, text);
    mend();
  }
  succeed(counter.restore());
});

test("images that are missing, cut off, or no images", edgerunOnly, () => {
  const counter = new Counter(ws).run();
  succeed(counter.checkpoint());
  const { images } = counter;
  renameSync(images, `${images}.moved`);
  assertNotRestored(counter, /cannot find the directory of a checkpoint: realpath "\S+images": No such file/);
  mkdirSync(images, { mode: 0o700 });
  assertNotRestored(counter, /descriptors\.json": no such file or directory/i);
  execute("cp", ["-a", `${images}.moved/.`, images]);
  truncateSync(join(images, "pagemap-1.img"), 3);
  assertNotRestored(
    counter,
    /unable to restore container: criu failed: type RESTORE errno \d+: log file: \S+\/restore\.log: Error \(criu/,
  );
  execute("cp", ["-a", `${images}.moved/.`, images]);
  writeFileSync(join(images, "edgerun.json"), '{"version":2}');
  assertNotRestored(counter, /edgerun\.json: \$\.version: expected an integer between 1 and 1/);
  execute("cp", ["-a", `${images}.moved/.`, images]);
  succeed(counter.restore());
});

test("a restore does not touch what is there already", edgerunOnly, () => {
  const counter = new Counter(ws).run();
  const c = counter.container;
  succeed(counter.checkpoint("--leave-running"));
  assertOneLine(counter.restore(), /container with given ID already exists/);
  const other = ws.bundle();
  assertOneLine(counter.restore(["--detach"], other.id), /container's cgroup is not empty: \d+ process\(es\) found/);
  counter.advance();
  assert.equal(c.status(), "running");
});

test("terminals and flags don't fit", edgerunOnly, () => {
  const counter = new Counter(ws).run();
  succeed(counter.checkpoint());
  const socket = ["--console-socket", ws.newFile()];
  assertNotRestored(counter, /cannot use console socket if edgerun will not detach or allocate tty/, socket);
  const file = join(counter.container.directory, "config.json");
  writeFileSync(file, readFileSync(file, "utf8").replace('"terminal":false', '"terminal":true'));
  assertNotRestored(counter, /cannot allocate tty if edgerun will detach without setting console socket/);
});

test("a pid file that can't be written ends the restored container", edgerunOnly, () => {
  const counter = new Counter(ws).run();
  succeed(counter.checkpoint());
  assertNotRestored(counter, /unable to restore container: .*No such file or directory/, ["--pid-file", "/nosuch/pid"]);
});
