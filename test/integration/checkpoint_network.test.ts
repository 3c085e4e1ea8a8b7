// SPDX-License-Identifier: Apache-2.0
// Networks over a checkpoint and a restore: namespaces of the container's own come back empty and are set up as at a
// start; those of others are left alone, and connections in them go on.

import assert from "node:assert/strict";
import { copyFileSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Change, setNamespace } from "./support/config.ts";
import { Counter, compileProgram, succeed, useCriu } from "./support/criu.ts";
import { execute, launch, waitFor } from "./support/process.ts";
import { lacking } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

useCriu();
const ws = useWorkspace();
const noCriu = lacking({ crun: "Debian 12's is built without CRIU" });
const edgerunOnly = lacking({ crun: "Debian 12's is built without CRIU", runc: "does not do this" });

const namespace = `${ws.tag}-net`;
execute("ip", ["netns", "add", namespace]);
execute("ip", ["-n", namespace, "link", "set", "lo", "up"]);
ws.atClose(() => {
  execute("ip", ["netns", "delete", namespace]);
});

test("a network namespace of its own: loopback is up, and its sysctls are set", edgerunOnly, () => {
  const counter = new Counter(ws, (config) => {
    config.linux.sysctl = { "net.ipv4.ip_unprivileged_port_start": "80", "net.core.somaxconn": "77" };
  }).run();
  const c = counter.container;
  const tell = () =>
    c.output(
      "cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/core/somaxconn; ip -o address show dev lo",
    );
  const before = tell();
  assert.match(before, /^80\n77\n.*127\.0\.0\.1\/8/);
  succeed(counter.checkpoint());
  succeed(counter.restore());
  assert.equal(tell(), before);
});

test("a joined network namespace is left alone, and joined again", noCriu, () => {
  const path = `/run/netns/${namespace}`;
  const counter = new Counter(ws, (config) => setNamespace(config, "network", path)).run();
  succeed(counter.checkpoint());
  const last = counter.count;
  succeed(counter.restore());
  counter.assertGoesOn(last);
  assert.equal(statSync(`/proc/${counter.container.pid}/ns/net`).ino, statSync(path).ino);
});

// Echoes lines with a number before them: who has counted on has the same connection and the same memory.
const server = `
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
int main(int count, char **arguments) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(arguments[1])), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (void *)&address, sizeof address) || listen(listener, 1)) return 1;
  FILE *stream = fdopen(accept(listener, 0, 0), "r+");
  char line[100];
  for (int number = 1; fgets(line, sizeof line, stream); number++) {
    fseek(stream, 0, SEEK_CUR);
    fprintf(stream, "%d %s", number, line);
    fflush(stream);
  }
}`;

/** A client on the host's side of the namespace, which sends what is written to it. */
function connect(port: number) {
  const script = `
import socket, sys
c = socket.create_connection(("127.0.0.1", ${port}))
f = c.makefile("r")
for line in sys.stdin:
    c.sendall(line.encode()); print(f.readline(), end="", flush=True)
`;
  return launch("ip", ["netns", "exec", namespace, "python3", "-c", script], { pipe: true });
}

test("--tcp-established: a connection goes on; without the flag the container does", noCriu, async () => {
  const program = compileProgram(ws, server);
  const port = 4711;
  const rootfs = ws.newRootfs();
  copyFileSync(program, join(rootfs, "bin/server"));
  const change: Change = (config) => {
    config.root.path = rootfs;
    setNamespace(config, "network", `/run/netns/${namespace}`);
  };
  const counter = new Counter(ws, change, `server ${port} &`).run();
  waitFor("the server", () => execute("ip", ["netns", "exec", namespace, "ss", "-ltn"]).stdout.includes(`:${port} `));
  const client = connect(port);
  try {
    const say = (line: string, answer: string) => {
      client.child.stdin!.write(`${line}\n`);
      waitFor(answer, () => client.stdout().endsWith(`${answer}\n`));
    };
    say("one", "1 one");
    const refused = counter.checkpoint();
    assert.equal(refused.status, 1);
    const log = readFileSync(`${counter.work}/dump.log`, "utf8");
    assert.ok(log.includes("Connected TCP socket, consider using --tcp-established"), refused.stderr);
    say("two", "2 two");
    succeed(counter.checkpoint("--tcp-established"));
    succeed(counter.restore(["--detach", "--tcp-established"]));
    say("three", "3 three");
    assert.equal(client.stdout(), "1 one\n2 two\n3 three\n");
  } finally {
    client.child.kill("SIGKILL");
    await client.end();
  }
});

test("hooks before the start run again, when the namespaces are there", edgerunOnly, () => {
  const log = ws.newFile("");
  const script = (name: string) => {
    const state = 'state=$(cat); pid=$(echo "$state" | sed "s/.*\\"pid\\":\\([0-9]*\\).*/\\1/")';
    const text = `#!/bin/sh\n${state}\necho ${name} $(ls /proc/$pid/ns | grep -c net) >>${log}\n`;
    const file = ws.newFile(text);
    execute("chmod", ["755", file]);
    return { path: file };
  };
  const names = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"] as const;
  const counter = new Counter(ws, (config) => {
    config.hooks = Object.fromEntries(
      names
        .filter((name) => name !== "createContainer" && name !== "startContainer")
        .map((name) => [name, [script(name)]]),
    );
  }).run();
  succeed(counter.checkpoint());
  assert.equal(readFileSync(log, "utf8"), "prestart 1\ncreateRuntime 1\npoststart 1\npoststop 0\n");
  succeed(counter.restore());
  counter.container.stop();
  counter.container.succeed("delete", counter.container.id);
  assert.equal(readFileSync(log, "utf8").split("\n").slice(4).join("\n"), "prestart 1\ncreateRuntime 1\npoststop 0\n");
});

test("a hook that fails ends the restore, and nothing is left", edgerunOnly, () => {
  const fails = ws.newFile("");
  const hook = ws.newFile(`#!/bin/sh\ntest -e ${fails}\n`);
  execute("chmod", ["755", hook]);
  const counter = new Counter(ws, (config) => {
    config.hooks = { createRuntime: [{ path: hook }] };
  }).run();
  succeed(counter.checkpoint());
  execute("rm", [fails]);
  const result = counter.restore();
  assert.match(
    result.stderr,
    /^edgerun: unable to restore container: error running createRuntime hook #0: .*exit status 1\n$/,
  );
  assert.equal(result.status, 1);
});
