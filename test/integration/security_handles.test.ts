// SPDX-License-Identifier: Apache-2.0
// What a container can get hold of: descriptors, the runtime's binary, its environment, the caller's terminal.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { setNamespace } from "./support/config.ts";
import { execute } from "./support/process.ts";
import { lacking, runtimePath } from "./support/runtime.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const descriptors = Array.from({ length: 13 }, (_, index) => index + 3);
/** True where the shell stands on something outside the container. */
const standsOutside =
  "test -e ./proc/self || test -e ../../sys/fs/cgroup || pwd | grep -q unreachable || ls ../../../../ | grep -q lost+found";

test("CVE-2024-21626: no descriptor of the runtime is a working directory, at run", () => {
  for (const fd of descriptors) {
    const result = ws.runScript(`pwd; ls ../../../../../etc/hostname 2>/dev/null`, (config) => {
      config.process.cwd = `/proc/self/fd/${fd}`;
    });
    assert.notEqual(
      result.status === 0 && !result.stdout.startsWith("/proc/"),
      true,
      `descriptor ${fd}: ${result.stdout}`,
    );
  }
});

test("CVE-2024-21626: nor at exec", () => {
  const c = ws.running();
  for (const fd of descriptors) {
    const result = c.exec(["sh", "-c", standsOutside], ["--cwd", `/proc/self/fd/${fd}`]);
    assert.notEqual(result.status, 0, `descriptor ${fd}: ${result.stdout}`);
  }
  assert.equal(c.exec(["true"], ["--cwd", "/etc"]).status, 0);
});

test("CVE-2024-21626: nor through a link in the image", () => {
  const rootfs = ws.newRootfs();
  for (const fd of descriptors) symlinkSync(`/proc/self/fd/${fd}`, join(rootfs, `cwd${fd}`));
  for (const fd of descriptors) {
    const result = ws.runScript(standsOutside, (config) => {
      config.root.path = rootfs;
      config.process.cwd = `/cwd${fd}`;
    });
    assert.notEqual(result.status, 0, `descriptor ${fd}`);
  }
});

test("CVE-2024-21626: no program is started through a descriptor of the runtime", () => {
  for (const fd of descriptors) {
    const c = ws.bundle((config) => {
      config.process.args = [`/proc/self/fd/${fd}/../../../../../../bin/busybox`, "true"];
    });
    assert.notEqual(c.run().status, 0, `descriptor ${fd}`);
  }
});

// MUST be updated when init gets another descriptor: each one is in reach of the container once it runs.
test("a created container's first process holds no descriptor of a host directory or file", () => {
  const c = ws.created();
  const links = readdirSync(`/proc/${c.pid}/fd`).map((fd) => readlinkSync(`/proc/${c.pid}/fd/${fd}`));
  const allowed = [
    /^\/dev\/null$/,
    /^(socket|pipe|anon_inode):/,
    /^\/memfd:/,
    new RegExp(`^${ws.stateRoot}/`),
    / \(deleted\)$/,
    /^\/proc(\/|$)/,
  ];
  assert.deepEqual(
    links.filter((link) => !allowed.some((pattern) => pattern.test(link))),
    [],
  );
});

test("a running container's first process holds descriptors 0, 1 and 2 alone", () => {
  const c = ws.running();
  assert.deepEqual(
    readdirSync(`/proc/${c.pid}/fd`)
      .filter((fd) => Number(fd) < 3 || Number(fd) > 10)
      .sort(),
    ["0", "1", "2"],
  );
});

/** A copy of the runtime under test, so that a successful attack destroys nothing; and its digest. */
function expendableRuntime(): { path: string; digest: () => string } {
  const path = join(ws.newDirectory(), runtimePath.split("/").at(-1)!);
  copyFileSync(runtimePath, path);
  chmodSync(path, 0o755);
  return { path, digest: () => createHash("sha256").update(readFileSync(path)).digest("hex") };
}

for (const [what, args] of [
  ["the program is /proc/self/exe", ["/proc/self/exe"]],
  ["the program is a script whose interpreter is /proc/self/exe", ["/attack"]],
] as const) {
  test(`CVE-2019-5736: ${what}`, () => {
    const runtime = expendableRuntime();
    const before = runtime.digest();
    const rootfs = ws.newRootfs();
    writeFileSync(join(rootfs, "attack"), "#!/proc/self/exe\n", { mode: 0o755 });
    const c = ws.bundle((config) => {
      config.root.path = rootfs;
      config.process.args = [...args];
    });
    execute(runtime.path, [...ws.globalFlags, "run", "--bundle", c.directory, c.id], { timeoutMs: 10_000 });
    assert.equal(runtime.digest(), before);
  });
}

test("CVE-2019-5736, CVE-2016-9962: a container can't write to what execs into it, nor read its descriptors", () => {
  const runtime = expendableRuntime();
  const before = runtime.digest();
  const volume = ws.newDirectory();
  // Looks at every process that appears; what is not busybox is the runtime on its way in.
  const watch = `while :; do for p in /proc/[0-9]*; do
    exe=$(readlink $p/exe) || continue
    case $exe in /bin/busybox) continue;; esac
    ( : >> $p/exe ) 2>/dev/null && echo "wrote $exe" >> /volume/found
    for f in $p/fd/*; do case $(readlink $f) in /sys/fs/cgroup*|${ws.directory}*) echo "holds $(readlink $f)" >> /volume/found;; esac; done
  done; done`;
  const c = ws.script(watch, (config) => {
    config.mounts.push({ destination: "/volume", type: "bind", source: volume, options: ["bind"] });
  });
  const call = (...args: string[]) => execute(runtime.path, [...ws.globalFlags, ...args]);
  assert.equal(call("run", "--detach", "--bundle", c.directory, c.id).status, 0);
  for (let round = 0; round < 20; round++) assert.equal(call("exec", c.id, "true").status, 0);
  assert.deepEqual(readdirSync(volume), []);
  assert.equal(runtime.digest(), before);
});

test("CVE-2019-14271: nothing of the image is loaded by the runtime", () => {
  const rootfs = ws.newRootfs();
  mkdirSync(join(rootfs, "lib"));
  writeFileSync(join(rootfs, "etc/nsswitch.conf"), "passwd: canary\n");
  writeFileSync(join(rootfs, "lib/libnss_canary.so.2"), "not a library");
  assert.equal(
    ws.output("echo fine", (config) => {
      config.root.path = rootfs;
      config.process.user.uid = 4242;
    }),
    "fine",
  );
});

for (const kind of ["prestart", "createRuntime", "createContainer", "poststart", "poststop"] as const) {
  const peers = kind === "createContainer" ? { runc: "1.1 gives it the environment of the process" } : {};
  test(`CVE-2025-23266: the container's environment is not that of a ${kind} hook`, lacking(peers), () => {
    const file = join(ws.newDirectory(), "environment");
    const result = ws.runScript("true", (config) => {
      config.process.env.push("LD_PRELOAD=/canary.so");
      // createContainer hooks see the host's root too, but in the container's mount namespace.
      config.hooks = { [kind]: [{ path: "/bin/cp", args: ["cp", "/proc/self/environ", file] }] };
    });
    assert.equal(result.status, 0, result.stderr);
    assert.doesNotMatch(readFileSync(file, "utf8"), /canary/);
  });
}

test(
  "CVE-2022-0811: a sysctl's value carries no second one",
  lacking({ runc: "1.1 hands it to the kernel, which refuses it", crun: "hands it to the kernel" }),
  () => {
    const c = ws.bundle((config) => {
      config.linux.sysctl = { "net.ipv4.ip_forward": "1\nkernel.domainname=canary" };
    });
    assert.notEqual(c.create().status, 0);
    assert.notEqual(readFileSync("/proc/sys/kernel/domainname", "utf8").trim(), "canary");
    ws.assertNothingLeft();
  },
);

test("CVE-2016-10124, CVE-2017-5226: the caller's terminal is not the container's controlling terminal", () => {
  const c = ws.script("(: < /dev/tty) 2>/dev/null && echo has-one; cut -d' ' -f6,7 /proc/self/stat");
  const command = [runtimePath, ...ws.globalFlags, "run", "--bundle", c.directory, c.id].join(" ");
  const result = execute("script", ["-qec", command, "/dev/null"]);
  assert.match(result.stdout, /\b[01] 0\r\n/);
  assert.doesNotMatch(result.stdout, /has-one/);
});

for (const own of [false, true]) {
  const peers = own ? {} : { crun: "1.8 lets a cgroup be made there" };
  test(
    `CVE-2023-25809: /sys/fs/cgroup is read-only ${own ? "with" : "without"} a cgroup namespace`,
    lacking(peers),
    () => {
      // A name that the workspace removes, should it be made after all.
      const script = `for d in /sys/fs/cgroup /sys/fs/cgroup/*/; do mkdir $d/${ws.tag}-probe 2>/dev/null && exit 0; done; exit 1`;
      const result = ws.runScript(script, (config) => {
        if (own) setNamespace(config, "cgroup");
      });
      assert.notEqual(result.status, 0);
    },
  );
}

test("GHSA-g54h-m393-cpwq: without linux.resources.devices the host's devices are denied", () => {
  const open = (major: number, minor: number) =>
    ws.runScript(`mknod /dev/probe c ${major} ${minor} && head -c 0 /dev/probe`, (config) => {
      delete config.linux.resources!.devices;
      config.process.capabilities = { bounding: ["CAP_MKNOD"], effective: ["CAP_MKNOD"], permitted: ["CAP_MKNOD"] };
    });
  const denied = open(1, 11);
  assert.notEqual(denied.status, 0);
  assert.match(denied.stderr, /Operation not permitted/);
  assert.equal(open(1, 3).status, 0);
});
