// SPDX-License-Identifier: Apache-2.0
// Manifests over time, on the real thing: several signatures, what is remembered over delete, a full disk, two starts at
// once, and what can happen between create and start. With the device's cryptography and under Node.

import assert from "node:assert/strict";
import { chmodSync, copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Manifest } from "../../src/manifest/schema.ts";
import { keygen } from "../../src/owner/keygen.ts";
import { countersign, sign } from "../../src/owner/sign.ts";
import type { Container } from "./support/container.ts";
import { EnrolledHost, makeManifest, now } from "./support/enrolled.ts";
import { type HostName, hostNames, launchHost, twoHosts } from "./support/hosts.ts";
import { execute } from "./support/process.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();

/** A test under each host, with an owner of its own. */
function testBoth(name: string, body: (owned: EnrolledHost, host: HostName) => Promise<void>): void {
  for (const host of hostNames) {
    test(`${name} (${host})`, twoHosts, async () => body(await EnrolledHost.make(ws), host));
  }
}

/** `run` of a program that ends at once. */
function run(owned: EnrolledHost, host: HostName, manifest: string) {
  const c = owned.bundle((config) => {
    config.process.args = ["/bin/true"];
  });
  return owned.call(host, ["run", "--manifest", manifest, "--bundle", c.directory, c.id]);
}

const app = { id: "com.example.meter-reader" };

// --- rollback

testBoth("an older manifest does not start any more, also after delete", async (owned, host) => {
  const [first, second] = [
    await owned.sign(makeManifest({ app, seq: 1 })),
    await owned.sign(makeManifest({ app, seq: 2 })),
  ];
  assert.deepEqual(run(owned, host, first), { status: 0, signal: null, stdout: "", stderr: "" });
  assert.equal(run(owned, host, second).status, 0);
  const text = /^edgerun: manifest ".*" for "com.example.meter-reader" has seq 1, and one with seq 2 was accepted here/;
  owned.assertRefused(host, owned.bundle(), ["--manifest", first], text);
  const another = await owned.sign(makeManifest({ app, seq: 2, jti: "another" }));
  owned.assertRefused(host, owned.bundle(), ["--manifest", another], /has seq 2, and so had another one/);
  // Both hosts remember in the same form.
  const other = host === "device" ? "node" : "device";
  owned.assertRefused(other, owned.bundle(), ["--manifest", first], /has seq 1/);
  assert.equal(run(owned, other, second).status, 0);
  const directory = join(owned.dataRoot, "sequences");
  assert.deepEqual(
    [statSync(owned.dataRoot).mode & 0o777, statSync(directory).mode & 0o777, readdirSync(directory).length],
    [0o700, 0o700, 1],
  );
});

testBoth("a refused bundle does not use its number up, and neither does plan", async (owned, host) => {
  const bundle = owned.bundle((config) => {
    config.mounts.push({ destination: "/etc", type: "bind", source: "/etc", options: ["bind"] });
  });
  const manifest = await owned.sign(makeManifest({ app, seq: 9 }));
  owned.assertRefused(host, bundle, ["--manifest", manifest], /does not allow what the bundle asks for: mount \/etc/);
  owned.call(host, ["plan", "--manifest", manifest, "--bundle", owned.bundle().directory]);
  assert.equal(existsSync(owned.dataRoot), false);
  assert.equal(run(owned, host, await owned.sign(makeManifest({ app, seq: 8 }))).status, 0);
});

testBoth("a full disk: the start fails and leaves nothing; what is remembered already starts", async (owned, host) => {
  const manifest = await owned.sign(makeManifest({ app, seq: 1 }));
  const newer = await owned.sign(makeManifest({ app, seq: 2 }));
  mkdirSync(owned.dataRoot, { mode: 0o700 });
  const mounted = execute("mount", ["-t", "tmpfs", "-o", "size=64k,mode=0700", ws.tag, owned.dataRoot]);
  assert.equal(mounted.status, 0, mounted.stderr);
  try {
    assert.equal(run(owned, host, manifest).status, 0);
    execute("dd", ["if=/dev/zero", `of=${join(owned.dataRoot, "fill")}`, "bs=4k"]);
    const { status, stderr } = run(owned, host, newer);
    assert.match(
      stderr,
      /^edgerun: unable to start container process: cannot remember that manifest ".*" for "com.example.meter-reader" is in force: .*: No space left on device\n$/,
    );
    // The host as a whole is compared after the file; here the disk is still mounted.
    assert.deepEqual([status, owned.call(host, ["list", "--quiet"]).stdout], [1, ""]);
    assert.equal(run(owned, host, manifest).status, 0);
    rmSync(join(owned.dataRoot, "fill"));
    assert.equal(run(owned, host, newer).status, 0);
  } finally {
    execute("umount", [owned.dataRoot]);
  }
});

testBoth(
  "starts that race an update: each is under the old or the new manifest, and the new one stays",
  async (owned, host) => {
    const [old, young] = [
      await owned.sign(makeManifest({ app, seq: 1 })),
      await owned.sign(makeManifest({ app, seq: 2 })),
    ];
    const starts = Array.from({ length: 8 }, (_, index) => {
      const c = owned.bundle((config) => {
        config.process.args = ["/bin/true"];
      });
      const manifest = index % 2 === 0 ? old : young;
      const args = [...owned.flags, "run", "--manifest", manifest, "--bundle", c.directory, c.id];
      return { manifest, running: launchHost(ws, host, args) };
    });
    for (const { manifest, running } of starts) {
      const { status, stderr } = await running.end();
      if (manifest === young) assert.deepEqual([status, stderr], [0, ""]);
      else if (status !== 0) assert.match(stderr, /has seq 1, and one with seq 2 was accepted here already/);
    }
    owned.assertRefused(host, owned.bundle(), ["--manifest", old], /has seq 1/);
    assert.equal(run(owned, host, young).status, 0);
  },
);

testBoth("what others could have written is not believed", async (owned, host) => {
  const manifest = await owned.sign(makeManifest());
  assert.equal(run(owned, host, manifest).status, 0);
  chmodSync(owned.dataRoot, 0o777);
  const newer = await owned.sign(makeManifest());
  owned.assertRefused(host, owned.bundle(), ["--manifest", newer], /data root ".*" is writable by others/);
  chmodSync(owned.dataRoot, 0o700);
  chmodSync(owned.configRoot, 0o777);
  owned.assertRefused(host, owned.bundle(), ["--manifest", newer], /configuration ".*" is writable by others/);
  chmodSync(owned.configRoot, 0o755);
  assert.equal(run(owned, host, newer).status, 0);
});

// --- several signatures

testBoth("an operator with P-521 and a certifier with Ed25519 have to sign", async (owned, host) => {
  const operator = await keygen({ out: ws.newFile(), alg: "ES512" });
  const certifier = await keygen({ out: ws.newFile(), alg: "EdDSA" });
  const trust = join(owned.configRoot, "trust");
  rmSync(join(trust, "owner.jwk"));
  for (const [name, { publicFile }] of Object.entries({ operator, certifier })) {
    copyFileSync(publicFile, join(trust, `${name}.jwk`));
  }
  const keys = { [operator.kid]: { roles: ["operator"] }, [certifier.kid]: { roles: ["certifier"] } };
  const policy = { schema: "edgerun/trust-policy/v1", operators: 1, certifiers: 1, keys };
  writeFileSync(join(trust, "policy.json"), JSON.stringify(policy));
  const [signed, both, flipped] = [ws.newFile(), ws.newFile(), ws.newFile()];
  const manifestFile = ws.newFile(JSON.stringify(makeManifest()));
  await sign({ key: operator.privateFile, manifestFile, out: signed });
  owned.assertRefused(host, owned.bundle(), ["--manifest", signed], /signed by 1 operator\(s\) and 0 certifier\(s\)/);
  await countersign({ key: certifier.privateFile, file: signed, out: both });
  assert.equal(run(owned, host, both).status, 0);
  await assert.rejects(
    countersign({ key: certifier.privateFile, file: both, out: flipped }),
    /signed by key .* already/,
  );
  const token = JSON.parse(execute("cat", [both]).stdout);
  token.signatures[1].signature = token.signatures[1].signature.replace(/^../, "AA");
  writeFileSync(flipped, JSON.stringify(token));
  owned.assertRefused(host, owned.bundle(), ["--manifest", flipped], /signature is not valid for key/);
});

// --- between create and start

/** A created container, and what happens to it when `change` comes before its start. */
async function startAfter(
  owned: EnrolledHost,
  host: HostName,
  change: (c: Container) => Promise<void> | void,
  manifest: Partial<Manifest> = {},
): Promise<string> {
  const file = await owned.sign(makeManifest({ app, seq: 5, ...manifest }));
  const c = owned.bundle();
  const created = owned.call(host, ["create", "--manifest", file, "--bundle", c.directory, c.id]);
  assert.deepEqual([created.status, created.stderr], [0, ""]);
  await change(c);
  const { status, stderr } = owned.call(host, ["start", c.id]);
  if (status !== 0) assert.equal(c.status(), "created", "a refused start leaves the container as it was");
  c.dispose();
  return stderr;
}

async function revoke(owned: EnrolledHost, list: object): Promise<void> {
  const document = { schema: "edgerun/revocations/v1", iss: "utility.example", seq: 1, iat: now() - 10, ...list };
  const manifestFile = ws.newFile(JSON.stringify(document));
  await sign({ key: `${owned.key}.key`, manifestFile, out: join(owned.configRoot, "revocations.jws") });
}

function setKnownTime(owned: EnrolledHost, seconds: number): void {
  writeFileSync(join(owned.dataRoot, "clock.json"), JSON.stringify({ seconds }), { mode: 0o600 });
}

testBoth("start checks again: nothing has changed", async (owned, host) => {
  assert.equal(await startAfter(owned, host, () => undefined), "");
  // Other things that are revoked, a clock that is later but not too late, the file of the manifest gone.
  assert.equal(await startAfter(owned, host, () => revoke(owned, { jtis: ["other"] }), { seq: 6 }), "");
  assert.equal(await startAfter(owned, host, () => setKnownTime(owned, now() + 1800), { seq: 7 }), "");
});

const changes: [
  name: string,
  change: (owned: EnrolledHost, c: Container, host: HostName) => Promise<void> | void,
  text: RegExp,
][] = [
  ["it is revoked", (owned) => revoke(owned, { jtis: ["meter-reader-17"] }), /is revoked: it is listed by its jti/],
  ["the key is revoked", (owned) => revoke(owned, { kids: [owned.kid] }), /signed by key ".*", which is revoked/],
  ["it has expired", (owned) => setKnownTime(owned, now() + 4000), /expired at/],
  [
    "a newer manifest has started",
    async (owned, _, host) => {
      assert.equal(run(owned, host, await owned.sign(makeManifest({ app, seq: 6 }))).status, 0);
    },
    /has seq 5, and one with seq 6 was accepted here already/,
  ],
  [
    "another key is trusted",
    async (owned) => {
      const { publicFile } = await keygen({ out: ws.newFile() });
      copyFileSync(publicFile, join(owned.configRoot, "trust/owner.jwk"));
    },
    /signed by key ".*", which is not in/,
  ],
  [
    "what is kept of it is replaced by another one that the owner signed",
    async (owned, c) => {
      const other = await owned.sign(makeManifest({ jti: "other" }));
      copyFileSync(other, join(ws.stateRoot, c.id, "manifest.jws"));
    },
    /is not the one that it was created under/,
  ],
  [
    "what is kept of it is gone",
    (_, c) => rmSync(join(ws.stateRoot, c.id, "manifest.jws")),
    /manifest\.jws": No such file or directory/,
  ],
];
for (const [name, change, text] of changes) {
  testBoth(`start checks again: ${name}`, async (owned, host) => {
    assert.match(await startAfter(owned, host, (c) => change(owned, c, host)), text);
  });
}

testBoth(
  "a container that was created before the host had an owner does not start without a manifest",
  async (owned, host) => {
    const trust = join(owned.configRoot, "trust/owner.jwk");
    const kept = ws.newFile();
    copyFileSync(trust, kept);
    rmSync(trust);
    const c = owned.bundle();
    assert.equal(owned.call(host, ["create", "--bundle", c.directory, c.id]).status, 0);
    copyFileSync(kept, trust);
    const { status, stderr } = owned.call(host, ["start", c.id]);
    assert.equal(status, 1);
    assert.match(stderr, /needs a signed manifest: the container was created without one/);
    rmSync(trust);
    assert.equal(owned.call(host, ["start", c.id]).status, 0);
  },
);

// --- devices

testBoth("a manifest for another device", async (owned, host) => {
  const manifest = await owned.sign(makeManifest({ audience: { classes: ["meter-a7"] } }));
  owned.assertRefused(host, owned.bundle(), ["--manifest", manifest], /device\.json" is missing/);
  const device = join(owned.configRoot, "device.json");
  writeFileSync(device, JSON.stringify({ schema: "edgerun/device/v1", id: "a", classes: ["meter-a8"] }));
  owned.assertRefused(host, owned.bundle(), ["--manifest", manifest], /is for class "meter-a7"; this is device "a"/);
  writeFileSync(device, JSON.stringify({ schema: "edgerun/device/v1", id: "a", classes: ["meter-a7"] }));
  assert.equal(run(owned, host, manifest).status, 0);
});
