// SPDX-License-Identifier: Apache-2.0
// `manifest`: the store of the device, revocation of running containers, a new trust root. Under both hosts.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { keygen } from "../../src/owner/keygen.ts";
import { countersign, sign } from "../../src/owner/sign.ts";
import { EnrolledHost, image, makeManifest, now } from "./support/enrolled.ts";
import { type HostName, hostNames, twoHosts } from "./support/hosts.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const app = { id: "com.example.meter-reader" };

/** A test under each host, with an owner of its own. */
function testBoth(name: string, body: (owned: EnrolledHost, host: HostName) => Promise<void>): void {
  for (const host of hostNames) {
    test(`${name} (${host})`, twoHosts, async () => body(await EnrolledHost.make(ws), host));
  }
}

testBoth("install, list, show, verify, remove; a bundle is found by its image and by its app", async (owned, host) => {
  const manifest = (...args: string[]) => owned.call(host, ["manifest", ...args]);
  const start = (annotations: Record<string, string>) => {
    const c = owned.bundle((config) => {
      config.process.args = ["/bin/true"];
      config.annotations = annotations;
    });
    return owned.call(host, ["run", "--bundle", c.directory, c.id]);
  };
  const byImage = { "dev.edgerun.image.digest": image };
  const byApp = { ...byImage, "dev.edgerun.app": app.id };
  const [first, second] = [
    await owned.sign(makeManifest({ app, seq: 1 })),
    await owned.sign(makeManifest({ app, seq: 2 })),
  ];
  assert.match(start(byImage).stderr, /there is no file/);
  assert.match(
    manifest("verify", first).stdout,
    /^valid: meter-reader-17 \(seq 1\) for com.example.meter-reader, sha256:/,
  );
  assert.match(manifest("install", first).stdout, /^installed meter-reader-17 \(seq 1\) for com.example.meter-reader/);
  assert.deepEqual([start(byImage).status, start(byApp).status], [0, 0]);
  assert.equal(manifest("install", second).status, 0);
  const again = manifest("install", first);
  assert.match(again.stderr, /has seq 1, and one with seq 2 was accepted here already/);
  assert.equal(again.status, 1);
  assert.deepEqual(readdirSync(join(owned.configRoot, "manifests")).sort(), [
    `${image.slice(7)}.jws`,
    "com.example.meter-reader.jws",
  ]);
  const listed = manifest("list").stdout.trimEnd().split("\n");
  assert.match(listed[0]!, /^APP +SEQ +EXPIRES +STATUS$/);
  assert.match(listed[1]!, /^com.example.meter-reader +2 +\d+ +valid$/);
  assert.equal(listed.length, 2);
  const shown = JSON.parse(manifest("show", app.id).stdout);
  assert.deepEqual([shown.valid, shown.problem, shown.payload.seq], [true, null, 2]);
  const old = manifest("show", first);
  assert.equal(old.status, 1);
  assert.match(JSON.parse(old.stdout).problem, /has seq 1/);
  assert.deepEqual([start(byImage).status, start(byApp).status], [0, 0]);
  assert.equal(manifest("remove", app.id).status, 0);
  assert.deepEqual(readdirSync(join(owned.configRoot, "manifests")), []);
  assert.match(start(byImage).stderr, /there is no file/);
  assert.match(manifest("remove", app.id).stderr, /no manifest for app "com.example.meter-reader" is installed/);
  // Removed, and still remembered.
  assert.match(manifest("install", first).stderr, /has seq 1/);
});

testBoth("what is refused is not installed", async (owned, host) => {
  const manifest = (...args: string[]) => owned.call(host, ["manifest", ...args]);
  const store = join(owned.configRoot, "manifests");
  const cases: [args: string[], text: RegExp][] = [
    [["install", ws.newFile("x")], /not a signed JWS/],
    [["install", await owned.sign(makeManifest({ audience: { devices: ["other"] } }))], /device\.json" is missing/],
    [["install", "/no/such/file"], /there is no file/],
    [["install"], /needs a command, and its file or app/],
    [["remove", "../x"], /is not an app id/],
    [["sell", "x"], /has no command "sell"/],
    [["show", "com.example.other"], /is installed/],
  ];
  for (const [args, text] of cases) {
    const { status, stderr } = manifest(...args);
    assert.match(stderr, text);
    assert.equal(status, 1);
  }
  assert.deepEqual([readdirSync(store), existsSync(owned.dataRoot)], [[], false]);
  rmSync(join(owned.configRoot, "trust/owner.jwk"));
  assert.match(manifest("list").stderr, /this host has no owner/);
});

testBoth("a revocation list stops what runs under what it revokes, and nothing else", async (owned, host) => {
  const run = async (jti: string) => {
    const c = owned.bundle();
    const file = await owned.sign(makeManifest({ jti }));
    const result = owned.call(host, ["run", "--detach", "--manifest", file, "--bundle", c.directory, c.id]);
    assert.equal(result.status, 0, result.stderr);
    return c;
  };
  const [bad, good] = [await run("bad"), await run("good")];
  const list = async (seq: number) => {
    const document = { schema: "edgerun/revocations/v1", iss: "utility.example", seq, iat: now(), jtis: ["bad"] };
    const out = ws.newFile();
    await sign({ key: `${owned.key}.key`, manifestFile: ws.newFile(JSON.stringify(document)), out });
    return out;
  };
  assert.deepEqual(owned.call(host, ["manifest", "check"]), { status: 0, signal: null, stdout: "", stderr: "" });
  const told = owned.call(host, ["manifest", "revoke", await list(2)]);
  assert.match(
    told.stdout,
    /^revocation list 2 of utility.example is in force\n.* running: manifest "bad" .* is revoked/,
  );
  assert.deepEqual([told.status, bad.status(), good.status()], [1, "running", "running"]);
  const stopped = owned.call(host, ["manifest", "check", "--stop"]);
  assert.match(stopped.stdout, new RegExp(`^${bad.id} stopped: manifest "bad"`));
  assert.deepEqual([stopped.status, bad.status(), good.status()], [0, "stopped", "running"]);
  const older = owned.call(host, ["manifest", "revoke", await list(1)]);
  assert.match(older.stderr, /has seq 1, and one with seq 2 was accepted here already/);
  const next = owned.call(host, ["manifest", "revoke", "--stop", await list(3)]);
  assert.deepEqual([next.status, next.stdout], [0, "revocation list 3 of utility.example is in force\n"]);
});

testBoth(
  "a trust root takes the place of the keys; the next one needs the old keys and the new",
  async (owned, host) => {
    const keys = await Promise.all([1, 2, 3].map(() => keygen({ out: ws.newFile() })));
    const [r1, r2, operator] = keys as [(typeof keys)[0], (typeof keys)[0], (typeof keys)[0]];
    const jwk = async (file: string) => JSON.parse(await (await import("node:fs/promises")).readFile(file, "utf8"));
    const makeRoot = async (version: number, root: (typeof keys)[0], signers: (typeof keys)[0][]) => {
      const document = {
        ...{ schema: "edgerun/trust-root/v1", version, epoch: 0, iat: now(), threshold: 1, rootKeys: [root.kid] },
        jwks: [await jwk(root.publicFile), await jwk(operator.publicFile)],
        policy: { schema: "edgerun/trust-policy/v1", keys: { [operator.kid]: { roles: ["operator"] } } },
      };
      let file = ws.newFile();
      const [first, ...more] = signers;
      await sign({ key: first!.privateFile, manifestFile: ws.newFile(JSON.stringify(document)), out: file });
      for (const { privateFile } of more) {
        const out = ws.newFile();
        await countersign({ key: privateFile, file, out });
        file = out;
      }
      return file;
    };
    const trustRoot = (file: string) => owned.call(host, ["manifest", "trust-root", file]);
    assert.equal(trustRoot(await makeRoot(1, r1, [r1])).stdout, "trust root 1 (epoch 0) is in force\n");
    assert.deepEqual(readdirSync(join(owned.configRoot, "trust")), ["root.jws"]);
    const manifest = ws.newFile();
    await sign({ key: operator.privateFile, manifestFile: ws.newFile(JSON.stringify(makeManifest())), out: manifest });
    assert.equal(owned.call(host, ["manifest", "verify", manifest]).status, 0);
    assert.match(owned.call(host, ["manifest", "verify", await owned.signDefault()]).stderr, /which is not in/);
    assert.match(trustRoot(await makeRoot(2, r2, [r2])).stderr, /signed by no key of "the trust root in force"/);
    assert.equal(trustRoot(await makeRoot(2, r2, [r2, r1])).stdout, "trust root 2 (epoch 0) is in force\n");
    assert.match(trustRoot(await makeRoot(1, r1, [r1, r2])).stderr, /version 2 is in force already/);
    assert.equal(owned.call(host, ["manifest", "verify", manifest]).status, 0);
  },
);

testBoth("starts at the same time keep the time together", async (owned, host) => {
  mkdirSync(owned.dataRoot, { mode: 0o700 });
  writeFileSync(join(owned.dataRoot, "clock.json"), `{"seconds":${now() - 8000}}`, { mode: 0o600 });
  const file = await owned.sign(makeManifest());
  const { launchHost } = await import("./support/hosts.ts");
  const starts = Array.from({ length: 6 }, () => {
    const c = owned.bundle((config) => {
      config.process.args = ["/bin/true"];
    });
    return launchHost(ws, host, [...owned.flags, "run", "--manifest", file, "--bundle", c.directory, c.id]);
  });
  for (const running of starts) assert.deepEqual((await running.end()).stderr, "");
});
