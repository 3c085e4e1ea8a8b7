// SPDX-License-Identifier: Apache-2.0
// Containers on an enrolled host: which manifests are accepted, where they are looked up, and what `exec` may do in a
// container that has one. With the device's cryptography and under Node. (What is granted: manifest_grants.test.ts.)

import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import type { Manifest } from "../../src/manifest/schema.ts";
import type { KeyAlgorithm } from "../../src/owner/keys.ts";
import { makeOwner, type Owner, type SignChanges, signToken } from "../unit/manifest_fixture.ts";
import { addImage, finishLayout, makeTar } from "../unit/owner_bundle_fixture.ts";
import { type Change, setCapabilities } from "./support/config.ts";
import { EnrolledHost, image, leastGrants, makeManifest, now } from "./support/enrolled.ts";
import { callHost, type HostName, hostCommand, hostNames, twoHosts } from "./support/hosts.ts";
import { capabilityMask, statusFields } from "./support/inside.ts";
import { execute } from "./support/process.ts";
import { useWorkspace } from "./support/workspace.ts";

const ws = useWorkspace();
const owned = await EnrolledHost.make(ws);
/** Owners whose private keys are at hand, so that they can sign what the owner's tool would not. */
const [owner, stranger] = [await makeOwner(), await makeOwner()];
writeFileSync(join(owned.configRoot, "trust/second.jwk"), JSON.stringify(owner.jwk), { mode: 0o644 });

/** A test under each host. */
function testBoth(name: string, body: (host: HostName) => Promise<void>): void {
  for (const host of hostNames) test(`${name} (${host})`, twoHosts, () => body(host));
}

// --- keys

for (const alg of ["EdDSA", "ES256", "ES512"] satisfies KeyAlgorithm[]) {
  testBoth(`${alg}: a signed manifest is accepted, one with a flipped bit is not`, async (host) => {
    const other = await EnrolledHost.make(ws, alg);
    assert.match(await other.output(host, {}, "echo running"), /^running$/);
    const token = await other.signText(makeManifest());
    for (const part of [1, 2]) {
      const parts = token.split(".").map((text) => Buffer.from(text, "base64url"));
      parts[part]![10]! ^= 1;
      const flipped = other.write(parts.map((bytes) => bytes.toString("base64url")).join("."));
      other.assertRefused(host, other.bundle(), ["--manifest", flipped], /signature is not valid for key "/);
    }
  });
}

test("the owner's commands: keygen, bundle, sign; then a device runs the image", twoHosts, async () => {
  const [node = "", ...entry] = hostCommand("node");
  const ownerCall = (...args: string[]) => {
    const result = execute(node, [...entry, "owner", ...args]);
    assert.deepEqual([result.status, result.stderr], [0, ""], args.join(" "));
    return result.stdout;
  };
  const work = ws.newDirectory();
  const busybox = readFileSync(join(ws.rootfs, "bin/busybox"));
  // Without the program itself: makeTar() takes text.
  const layer = await makeTar([
    ...["bin", "dev", "proc", "sys"].map((name) => ({ name, type: "directory" as const, mode: 0o755 })),
    { name: "bin/sh", type: "symlink", linkname: "busybox" },
  ]);
  const config = {
    architecture: process.arch === "x64" ? "amd64" : process.arch,
    config: { Cmd: ["/bin/sh", "-c", "echo from the image"] },
  };
  const { digest, ...descriptor } = addImage(join(work, "layout"), [layer], config);
  finishLayout(join(work, "layout"), [{ digest, ...descriptor }]);
  ownerCall("keygen", "--out", join(work, "owner"));
  assert.equal(ownerCall("bundle", join(work, "layout"), "--output", join(work, "bundle")), `${digest}\n`);
  writeFileSync(join(work, "bundle/rootfs/bin/busybox"), busybox, { mode: 0o755 });
  writeFileSync(join(work, "manifest.json"), JSON.stringify(makeManifest({ binding: { image: digest } })));
  ownerCall("sign", join(work, "manifest.json"), "--key", join(work, "owner.key"), "--out", join(work, "signed.jws"));
  mkdirSync(join(work, "etc/trust"), { recursive: true });
  copyFileSync(join(work, "owner.jwk"), join(work, "etc/trust/owner.jwk"));
  for (const host of hostNames) {
    const roots = ["--config-root", join(work, "etc"), "--data-root", join(work, "var")];
    const flags = [...roots, "run", "--manifest", join(work, "signed.jws")];
    const result = callHost(ws, host, [...flags, "--bundle", join(work, "bundle"), ws.newId()]);
    assert.deepEqual(result, { status: 0, signal: null, stdout: "from the image\n", stderr: "" }, host);
  }
});

// --- manifests that are refused

/** A manifest that the second owner signs, whatever is in it. */
async function token(changes: Partial<Manifest>, header: SignChanges = {}, by: Owner = owner): Promise<string> {
  return signToken(by, makeManifest(changes), header);
}
const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
const header = (alg: string) => encode({ alg, kid: owner.kid, typ: "edgerun-capability+jws" });
const another = `sha256:${"cd".repeat(32)}`;

const refused: [name: string, make: () => Promise<string>, text: RegExp][] = [
  ["a stranger's key", () => token({}, {}, stranger), /signed by key ".*", which is not in/],
  ["a stranger's key under the owner's kid", () => token({}, { kid: owner.kid }, stranger), /signature is not valid/],
  ["alg none", async () => `${header("none")}.${encode(makeManifest())}.AAAA`, /alg "none" is not accepted/],
  ["alg none without a signature", async () => `${header("none")}.${encode(makeManifest())}.`, /not a signed JWS/],
  ["alg HS256", async () => `${header("HS256")}.${encode(makeManifest())}.AAAA`, /alg "HS256" is not accepted/],
  [
    "alg of another key",
    async () => `${header("ES256")}.${encode(makeManifest())}.${"A".repeat(86)}`,
    /does not fit key/,
  ],
  ["a key in the header", () => token({}, { header: { jwk: owner.jwk } }), /header has "jwk"/],
  ["another type of token", () => token({}, { typ: "JWT" }), /does not have typ/],
  [
    "another app's image",
    () => token({ binding: { image: another } }),
    /bound to image "sha256:cd.*but the bundle is of image "sha256:ab/,
  ],
  ["other arguments", () => token({ binding: { image, args: ["/bin/true"] } }), /bound to args \["\/bin\/true"\]/],
  ["expired", () => token({ iat: now() - 20, exp: now() - 10 }), /expired at/],
  ["not valid yet", () => token({ nbf: now() + 600 }), /not valid before/],
  ["issued in the future", () => token({ iat: now() + 600 }), /in the future/],
  ["a newer schema", () => token({ schema: "edgerun/capability/v2" as never }), /is not known to this version/],
  [
    "an unknown grant",
    () => token({ grants: { ...leastGrants, gpu: true } as never }),
    /\$\.grants\.gpu: unknown property/,
  ],
  ["no memory limit", () => token({ grants: { pids: { limit: 1 } } as never }), /\$\.grants\.memory/],
  ["a payload that is no JSON", () => token({}, { payloadText: "{" }), /payload is refused/],
  ["JSON without a signature", async () => JSON.stringify(makeManifest()), /not a signed JWS/],
  ["an empty file", async () => "", /not a signed JWS/],
  ["a NUL byte", async () => (await token({})).replace(".", ".\0"), /manifest/],
  ["bytes that are no text", async () => "\ufffd.\ufffd.\ufffd", /manifest/],
  ["10 MB", async () => "A".repeat(10_000_000), /larger than 4194304 bytes/],
];

for (const [name, make, text] of refused) {
  testBoth(`a manifest that is refused: ${name}`, async (host) => {
    owned.assertRefused(host, owned.bundle(), ["--manifest", owned.write(await make())], text);
  });
}

testBoth("the second owner's manifests are accepted as well, with a newline at the end or without", async (host) => {
  for (const end of ["", "\n"]) {
    const c = owned.bundle();
    const manifest = owned.write((await token({})) + end);
    assert.equal(owned.call(host, ["create", "--manifest", manifest, "--bundle", c.directory, c.id]).status, 0);
    c.dispose();
  }
});

testBoth("a bundle without an image digest, or with one that is none", async (host) => {
  const flags = ["--manifest", await owned.signDefault()];
  owned.assertRefused(host, ws.bundle(), flags, /has no annotation "dev\.edgerun\.image\.digest"/);
  const odd = ws.bundle((config) => {
    config.annotations = { "dev.edgerun.image.digest": "sha256:../../x" };
  });
  owned.assertRefused(host, odd, [], /is not a digest/);
  owned.assertRefused(host, odd, flags, /but the bundle is of image "sha256:\.\.\/\.\.\/x"/);
});

// --- where it is looked up

testBoth("without a manifest nothing starts on an enrolled host", async (host) => {
  const needed = /^edgerun: this host has an owner, so a container needs a signed manifest: /;
  owned.assertRefused(host, ws.bundle(), [], needed);
  owned.assertRefused(host, owned.bundle(), [], needed);
  owned.assertRefused(
    host,
    owned.bundle(),
    ["--manifest", "/no/such/file"],
    /signed manifest: there is no file "\/no\/such\/file"/,
  );
  owned.assertRefused(host, owned.bundle(), ["--manifest", ws.directory], /directory/);
});

testBoth("a manifest is found in the bundle, else by the image's digest", async (host) => {
  const c = owned.bundle();
  const create = () => owned.call(host, ["create", "--bundle", c.directory, c.id]);
  const installed = join(owned.configRoot, "manifests", `${image.slice("sha256:".length)}.jws`);
  writeFileSync(installed, await owned.signText(makeManifest({ grants: { ...leastGrants, pids: { limit: 5 } } })));
  try {
    assert.deepEqual([create().stderr, grantedPids(host, c.directory)], ["", "5"]);
    c.dispose();
    const beside = join(c.directory, "manifest.jws");
    writeFileSync(beside, await owned.signText(makeManifest({ grants: { ...leastGrants, pids: { limit: 6 } } })));
    assert.deepEqual([create().stderr, grantedPids(host, c.directory)], ["", "6"]);
    c.dispose();
    const named = await owned.sign(makeManifest({ grants: { ...leastGrants, pids: { limit: 7 } } }));
    assert.equal(grantedPids(host, c.directory, "--manifest", named), "7");
    // One that is there counts, and is not passed over when it is bad.
    writeFileSync(beside, "bad");
    owned.assertRefused(host, c, [], /not a signed JWS/);
  } finally {
    unlinkSync(installed);
  }
});

function grantedPids(host: HostName, bundle: string, ...flags: string[]): string {
  const { decisions } = JSON.parse(owned.call(host, ["plan", "--json", ...flags, "--bundle", bundle]).stdout);
  return decisions.find((decision: { subject: string }) => decision.subject === "pids limit").granted;
}

// --- enrolment

testBoth("a host that is not enrolled runs bundles as they are, and refuses to pretend otherwise", async (host) => {
  const configRoot = ws.newDirectory();
  const call = (...args: string[]) =>
    callHost(ws, host, ["--config-root", configRoot, "--data-root", `${configRoot}/var`, ...args]);
  const enrolled = () => JSON.parse(call("features").stdout).annotations["dev.edgerun.enrolled"];
  mkdirSync(join(configRoot, "trust"));
  writeFileSync(join(configRoot, "trust/README"), "not a key");
  assert.equal(enrolled(), "false");
  const c = ws.script("echo as it is");
  assert.equal(call("run", "--bundle", c.directory, c.id).stdout, "as it is\n");
  const result = call("run", "--manifest", await owned.signDefault(), "--bundle", c.directory, c.id);
  assert.match(result.stderr, /^edgerun: manifest ".*" can't be verified: there is no owner's key in ".*"\n$/);
  assert.equal(result.status, 1);
  copyFileSync(join(owned.configRoot, "trust/owner.jwk"), join(configRoot, "trust/owner.jwk"));
  assert.equal(enrolled(), "true");
});

testBoth("one bad key refuses every start", async (host) => {
  const manifest = await owned.signDefault();
  const good = readFileSync(`${owned.key}.jwk`, "utf8");
  const cases: [text: string, prepare: (file: string) => void, expected: RegExp][] = [
    ["not JSON", () => undefined, /is refused/],
    [readFileSync(`${owned.key}.key`, "utf8"), () => undefined, /it holds a secret/],
    [good.replace(owned.kid, stranger.kid), () => undefined, /"kid" is not the key's RFC 7638 thumbprint/],
    [good, (file) => chmodSync(file, 0o664), /writable by others/],
    [good, (file) => execute("chown", ["1000", file]), /belongs to uid 1000/],
    [good, (file) => execute("ln", ["-sf", `${owned.key}.jwk`, file]), /links are refused/],
    [good, (file) => chmodSync(dirname(file), 0o777), /writable by others/],
  ];
  for (const [text, prepare, expected] of cases) {
    const file = join(owned.configRoot, "trust/third.jwk");
    writeFileSync(file, text, { mode: 0o644 });
    prepare(file);
    try {
      owned.assertRefused(host, owned.bundle(), ["--manifest", manifest], expected);
    } finally {
      rmSync(file);
      chmodSync(dirname(file), 0o755);
    }
  }
});

// --- exec

const everything = ["CAP_SYS_ADMIN", "CAP_NET_ADMIN", "CAP_NET_BIND_SERVICE"];
const capabilities = (text: string): string[] => {
  const { CapBnd = "", CapPrm = "", CapEff = "", CapInh = "", CapAmb = "", NoNewPrivs = "" } = statusFields(text);
  return [CapBnd, CapPrm, CapEff, CapInh, CapAmb, NoNewPrivs];
};

/** What `exec` may have that asks for everything, in a container that was created under these flags. */
function checkExec(host: HostName, flags: readonly string[], change: Change, granted: readonly string[]): void {
  const c = owned.bundle(change);
  const run = owned.call(host, ["run", "--detach", ...flags, "--bundle", c.directory, c.id]);
  assert.equal(run.status, 0, run.stderr);
  const mask = capabilityMask(granted);
  const none = capabilityMask([]);
  const added = owned.call(host, [
    "exec",
    ...everything.flatMap((name) => ["--cap", name]),
    c.id,
    "cat",
    "/proc/self/status",
  ]);
  assert.deepEqual(capabilities(added.stdout), [mask, mask, mask, none, none, "1"], added.stderr);
  const sets = ["bounding", "permitted", "effective", "inheritable", "ambient"];
  const process = {
    args: ["sh", "-c", "cat /proc/self/status; cat /proc/self/oom_score_adj; ulimit -Hn; ulimit -Hc"],
    env: ["PATH=/bin"],
    cwd: "/",
    user: { uid: 0, gid: 0 },
    capabilities: Object.fromEntries(sets.map((set) => [set, everything])),
    noNewPrivileges: false,
    oomScoreAdj: -500,
    rlimits: [
      { type: "RLIMIT_NOFILE", soft: 10_000, hard: 10_000 },
      { type: "RLIMIT_CORE", soft: 1000, hard: 1000 },
    ],
    scheduler: { policy: "SCHED_FIFO", priority: 10 },
  };
  const file = ws.newFile(JSON.stringify(process));
  const { stdout, stderr } = owned.call(host, ["exec", "--process", file, c.id]);
  assert.deepEqual(capabilities(stdout), [mask, mask, mask, mask, mask, "1"], stderr);
  assert.deepEqual(stdout.trimEnd().split("\n").slice(-3), ["0", "4096", "0"]);
  c.dispose();
}

testBoth("exec has no more than the manifest grants, whatever it asks for", async (host) => {
  const granted = ["CAP_NET_BIND_SERVICE"];
  const manifest = await owned.sign(makeManifest({ grants: { ...leastGrants, capabilities: granted } }));
  checkExec(host, ["--manifest", manifest], (config) => setCapabilities(config, granted), granted);
});

testBoth("exec in a container whose manifest grants no capability", async (host) => {
  checkExec(host, ["--manifest", await owned.signDefault()], () => undefined, []);
});

// --- pod sandboxes

/** As containerd's CRI plugin marks the container that holds a pod's namespaces. */
const markSandbox: Change = (config) => {
  config.annotations = { "io.kubernetes.cri.container-type": "sandbox" };
};

testBoth("a pod's sandbox starts without a manifest, and has as good as nothing", async (host) => {
  const c = ws.script(
    "cat /proc/self/status; cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null || true",
    (config) => {
      markSandbox(config);
      setCapabilities(config, everything);
    },
  );
  const { status, stdout, stderr } = owned.call(host, ["run", "--bundle", c.directory, c.id]);
  assert.equal(status, 0, stderr);
  const none = capabilityMask([]);
  assert.deepEqual(capabilities(stdout), [none, none, none, none, none, "1"]);
  assert.match(stdout, /\n8\n$/);
  checkExec(host, [], markSandbox, []);
});

testBoth("the mark of a sandbox gives nothing: mounts, devices and the host's network are refused", async (host) => {
  const source = ws.newDirectory();
  const c = ws.bundle((config) => {
    markSandbox(config);
    config.mounts.push({ destination: "/var", type: "bind", source, options: ["bind"] });
    config.linux.devices = [{ path: "/dev/sda", type: "b", major: 8, minor: 0 }];
    config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "network");
  });
  owned.assertRefused(host, c, [], /device \/dev\/sda .*namespace network .*mount \/var /);
});

after(() => assert.equal(callHost(ws, "device", ["list", "--quiet"]).stdout, "", "containers are left"));
