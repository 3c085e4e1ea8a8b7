// SPDX-License-Identifier: Apache-2.0
// A hostile root file system: links where the runtime mounts, creates or masks. Nothing outside may change; every
// target outside is a canary in the workspace. Each attack has a twin that must start.

import assert from "node:assert/strict";
import { chownSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Change, Config } from "./support/config.ts";
import { parseMountinfo } from "./support/inside.ts";
import { launch } from "./support/process.ts";
import { lacking } from "./support/runtime.ts";
import { runOnTerminal } from "./support/terminal.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();

/** A root file system in which `path` is a link. */
function rootfsWithLink(path: string, target: string): string {
  const rootfs = ws.newRootfs();
  rmSync(join(rootfs, path), { recursive: true, force: true });
  symlinkSync(target, join(rootfs, path));
  return rootfs;
}

/** A directory outside the container with a file in it. */
function outside(): string {
  const directory = ws.newDirectory();
  writeFileSync(join(directory, "canary"), "alive\n");
  return directory;
}

/** The directory holds its file and nothing else, unchanged, and nothing is mounted there. */
function assertUntouched(directory: string): void {
  assert.deepEqual(readdirSync(directory), ["canary"]);
  assert.equal(readFileSync(join(directory, "canary"), "utf8"), "alive\n");
  assert.equal(statSync(join(directory, "canary")).uid, 0);
  const mounts = parseMountinfo(readFileSync("/proc/self/mountinfo", "utf8"));
  assert.equal(
    mounts.some((mount) => mount.target.startsWith(directory)),
    false,
  );
}

const on = (rootfs: string, change?: Change) => (config: Config) => {
  config.root = { path: rootfs, readonly: false };
  change?.(config);
};
const without = (destination: string) => (config: Config) => {
  config.mounts = config.mounts.filter((mount) => !mount.destination.startsWith(destination));
};
const tmpfs = (destination: string) => (config: Config) => {
  config.mounts.push({ destination, type: "tmpfs", source: "tmpfs" });
};

test("CVE-2015-1335, CVE-2019-18837: a mount target that is a link stays inside", () => {
  const directory = outside();
  ws.runScript("touch /mnt/x", on(rootfsWithLink("mnt", directory), tmpfs("/mnt")));
  assertUntouched(directory);
});

test("a mount target that climbs out by dots stays inside", () => {
  const directory = outside();
  ws.runScript("true", on(rootfsWithLink("mnt", `${"../".repeat(20)}${directory}`), tmpfs("/mnt/new")));
  assertUntouched(directory);
});

test("a mount target that is a link inside the root works", () => {
  assert.equal(
    ws.runScript("touch /mnt/x && test -e /tmp/x", on(rootfsWithLink("mnt", "/tmp"), tmpfs("/mnt"))).status,
    0,
  );
});

test("CVE-2024-45310: missing targets are not made outside", () => {
  const directory = outside();
  ws.runScript(
    "true",
    on(rootfsWithLink("srv", directory), (config) => {
      config.mounts.push({ destination: "/srv/a/b", type: "bind", source: ws.newDirectory(), options: ["bind"] });
    }),
  );
  assertUntouched(directory);
});

for (const [what, target, peers] of [
  ["CVE-2021-30465: a target", "/volume/t", {}],
  ["CVE-2024-45310: a missing target", "/volume/t/a/b", { runc: "1.1 is older than the fix" }],
] as const) {
  test(`${what} that is swapped for a link meanwhile stays inside`, lacking(peers), async () => {
    const directory = outside();
    const volume = ws.newDirectory();
    mkdirSync(join(volume, "t"));
    symlinkSync(`${"../".repeat(20)}${directory}`, join(volume, "link"));
    const racer = launch("python3", ["-c", exchange, join(volume, "t"), join(volume, "link")]);
    try {
      for (let i = 0; i < 30; i++) {
        const result = ws.runScript(
          "cat /volume/t/canary 2>/dev/null",
          on(ws.rootfs, (config) => {
            config.root.readonly = true;
            config.mounts.push({ destination: "/volume", type: "bind", source: volume, options: ["rbind"] });
            tmpfs(target)(config);
          }),
        );
        assert.doesNotMatch(result.stdout, /alive/);
        ws.deleteContainers();
      }
    } finally {
      racer.child.kill("SIGKILL");
      await racer.end();
    }
    assertUntouched(directory);
  });
}

// renameat2(RENAME_EXCHANGE) of its two arguments, without end.
const exchange = `
import ctypes, sys
libc = ctypes.CDLL(None)
a, b = (name.encode() for name in sys.argv[1:3])
while True: libc.renameat2(-100, a, -100, b, 2)
`;

for (const [what, prepare] of [
  ["a link to a file", (rootfs: string, file: string) => symlinkSync(file, join(rootfs, "dev/null"))],
  ["a regular file", (rootfs: string) => writeFileSync(join(rootfs, "dev/null"), "")],
  ["a dangling link", (rootfs: string) => symlinkSync("/no/such/file", join(rootfs, "dev/null"))],
] as [string, (rootfs: string, file: string) => void][]) {
  test(
    `CVE-2025-31133: /dev/null is ${what}, and nothing is unmasked by it`,
    what === "a dangling link"
      ? {}
      : lacking({ runc: "1.1 is older than the fix", crun: "1.8 writes through the mask" }),
    () => {
      const rootfs = ws.newRootfs();
      writeFileSync(join(rootfs, "secret"), "secret\n");
      writeFileSync(join(rootfs, "decoy"), "decoy\n");
      prepare(rootfs, "/decoy");
      const result = ws.runScript(
        "cat /secret; echo overwritten > /secret; cat /decoy",
        on(rootfs, (config) => {
          without("/dev")(config);
          config.linux.maskedPaths = ["/secret"];
        }),
      );
      assert.doesNotMatch(result.stdout, /^secret/m);
      assert.equal(readFileSync(join(rootfs, "secret"), "utf8"), "secret\n");
      if (result.status === 0) assert.match(result.stdout, /^decoy$/m, "the decoy was not written through the mask");
    },
  );
}

test("masking works without a mount on /dev", () => {
  const rootfs = ws.newRootfs();
  writeFileSync(join(rootfs, "secret"), "secret\n");
  assert.equal(
    ws.output(
      "cat /secret",
      on(rootfs, (config) => {
        without("/dev")(config);
        config.linux.maskedPaths = ["/secret"];
      }),
    ),
    "",
  );
});

for (const readonly of [false, true]) {
  test(`CVE-2025-52565, CVE-2026-88264: /dev/console is a link; root is ${readonly ? "read-only" : "writable"}`, () => {
    const directory = outside();
    const rootfs = rootfsWithLink("dev/console", `${"../".repeat(20)}${directory}/canary`);
    writeFileSync(join(rootfs, "etc/victim"), "alive\n");
    const c = ws.script(
      "true",
      on(rootfs, (config) => {
        config.root.readonly = readonly;
        config.process.terminal = true;
        without("/dev")(config);
      }),
    );
    runOnTerminal(ws, [], ["run", "--bundle", c.directory, c.id]);
    assertUntouched(directory);
  });
}

test(
  "CVE-2026-41579, CVE-2026-47766: a /dev that is a link is not filled outside",
  lacking({ runc: "1.1 is older than the fix", crun: "1.8 is older than the fix" }),
  () => {
    const directory = outside();
    const rootfs = rootfsWithLink("dev", `${"../".repeat(20)}${directory}`);
    ws.runScript("true", on(rootfs, without("/dev")));
    assertUntouched(directory);
  },
);

test(
  "CVE-2026-88265: /dev/null is a link to a volume's file, which keeps its owner and text",
  lacking({ crun: "1.8 is older than the fix" }),
  () => {
    const directory = outside();
    const rootfs = rootfsWithLink("dev/null", "/volume/canary");
    ws.runScript(
      "true",
      on(rootfs, (config) => {
        without("/dev")(config);
        config.process.user = { uid: 1000, gid: 1000 };
        config.mounts.push({ destination: "/volume", type: "bind", source: directory, options: ["bind"] });
      }),
    );
    assertUntouched(directory);
  },
);

test("CVE-2026-115521: a read-only root is read-only though the image has a /proc of its own", () => {
  const rootfs = ws.newRootfs();
  mkdirSync(join(rootfs, "proc/self/fd"), { recursive: true });
  const result = ws.runScript(
    "touch /etc/x",
    on(rootfs, (config) => {
      config.root.readonly = true;
      without("/proc")(config);
      config.linux.maskedPaths = [];
      config.linux.readonlyPaths = [];
    }),
  );
  assert.notEqual(result.status, 0);
  assert.equal(readdirSync(join(rootfs, "etc")).includes("x"), false);
});

for (const [path, cve] of [
  ["proc", "CVE-2019-19921, CVE-2023-27561"],
  ["sys", "CVE-2023-28642"],
] as const) {
  test(
    `${cve}: a /${path} that is a link is refused`,
    lacking({ crun: "mounts it below the root at the link's target" }),
    () => {
      const rootfs = rootfsWithLink(path, "/elsewhere");
      mkdirSync(join(rootfs, "elsewhere"));
      const c = ws.bundle(on(rootfs));
      c.fail(
        /must be mounted on ordinary directory|must not be a symlink|not a (plain )?directory|symlink|symbolic link/,
        ["create", "--bundle", c.directory, c.id],
      );
      ws.assertNothingLeft();
    },
  );
}

test(
  "CVE-2019-19921: a volume over a part of /proc is refused",
  lacking({ runc: "1.1 takes it", crun: "takes it" }),
  () => {
    const c = ws.bundle((config) => tmpfs("/proc/self/attr")(config));
    assert.notEqual(c.create().status, 0);
    ws.assertNothingLeft();
  },
);

test("CVE-2026-55686: a working directory below a link is made inside only", () => {
  const directory = outside();
  const rootfs = rootfsWithLink("w", `${"../".repeat(20)}${directory}`);
  ws.runScript(
    "true",
    on(rootfs, (config) => {
      config.process.cwd = "/w/missing";
    }),
  );
  assertUntouched(directory);
});

test("a root that is itself a link works", lacking({ runc: "refuses it" }), () => {
  const link = ws.newFile();
  symlinkSync(ws.rootfs, link);
  assert.equal(ws.runScript("true", on(link)).status, 0);
});

test("the runtime writes no file into the root", () => {
  const rootfs = ws.newRootfs();
  const before = (readdirSync(rootfs, { recursive: true }) as string[]).sort();
  chownSync(rootfs, 0, 0);
  assert.equal(ws.runScript("true", on(rootfs)).status, 0);
  const added = (readdirSync(rootfs, { recursive: true }) as string[]).sort().filter((name) => !before.includes(name));
  assert.deepEqual(
    added.filter((name) => !statSync(join(rootfs, name)).isDirectory()),
    [],
  );
});
