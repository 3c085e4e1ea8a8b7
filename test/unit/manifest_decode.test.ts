// SPDX-License-Identifier: Apache-2.0
// What a manifest may say, which bundle it is for, and when a host asks for one.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "../../src/host/functions.ts";
import { admitBundle } from "../../src/manifest/admit.ts";
import { formatCpuList, parseCpuList } from "../../src/manifest/cpu_list.ts";
import { decodeManifest } from "../../src/manifest/decode.ts";
import { checkBinding } from "../../src/manifest/verify.ts";
import type { Spec } from "../../src/spec/config.ts";
import { defaultSpec } from "../../src/spec/default.ts";
import {
  exampleManifest,
  failure,
  image,
  makeDirectory,
  makeOwner,
  makeTrust,
  now,
  signToken,
  uid,
  writeKey,
} from "./manifest_fixture.ts";
import { nodeHost } from "./node_host.ts";

const memory = { limitBytes: 64 * 1048576 };
const pids = { limit: 32 };

function bundle(changes: Partial<Spec> = {}): Spec {
  return { ...defaultSpec(), annotations: { "dev.edgerun.image.digest": image }, ...changes };
}

test("every grant that the reference describes is accepted", () => {
  const grants = {
    memory,
    pids,
    cpu: { quotaPercent: 150, cpus: "0-1" },
    capabilities: ["CAP_NET_BIND_SERVICE"],
    devices: [{ path: "/dev/ttyS0", access: "rw" }],
    mounts: [{ source: "/srv/data", destination: "/data", access: "rw" }],
    network: { mode: "namespace", path: "/run/netns/app" },
  };
  assert.deepEqual(decodeManifest({ ...exampleManifest(), grants } as unknown as Json).grants, grants);
});

test("what is wrong is named with its JSON path", () => {
  const grant = (changes: object): object => ({ grants: { memory, pids, ...changes } });
  const cases: [object, string][] = [
    [{ grants: { pids } }, "$.grants.memory: required, but missing"],
    [{ grants: { memory } }, "$.grants.pids: required, but missing"],
    [{ iss: "" }, "$.iss: "],
    [{ seq: 1.5 }, "$.seq: "],
    [{ seq: -1 }, "$.seq: "],
    [{ exp: now - 200 }, "$.exp: must be later"],
    [{ nbf: now + 5000 }, "$.exp: must be later"],
    [{ app: { id: "meter" } }, "$.app.id: "],
    [{ app: { id: "com.example." } }, "$.app.id: "],
    [{ app: { id: "com.exam ple" } }, "$.app.id: "],
    [{ binding: { image: "sha256:abc" } }, "$.binding.image: "],
    [{ binding: { image: image.toUpperCase() } }, "$.binding.image: "],
    [{ binding: { image, args: [] } }, "$.binding.args: "],
    [grant({ memory: { limitBytes: 1000 } }), "$.grants.memory.limitBytes: "],
    [grant({ pids: { limit: 0 } }), "$.grants.pids.limit: "],
    [grant({ cpu: { quotaPercent: 0 } }), "$.grants.cpu.quotaPercent: "],
    [grant({ cpu: { quotaPercent: 10, cpus: "1-0" } }), "$.grants.cpu.cpus: "],
    [grant({ capabilities: ["CAP_NET_BIND"] }), "$.grants.capabilities[0]: "],
    [grant({ capabilities: ["CAP_KILL", "CAP_KILL"] }), "granted twice"],
    [grant({ devices: [{ path: "/dev/../etc", access: "r" }] }), "$.grants.devices[0].path: "],
    [grant({ devices: [{ path: "/tmp/x", access: "r" }] }), "expected a path below /dev"],
    [grant({ devices: [{ path: "/dev/x", access: "rx" }] }), "$.grants.devices[0].access: "],
    [grant({ devices: [{ path: "/dev/x", access: "rr" }] }), "$.grants.devices[0].access: "],
    [grant({ mounts: [{ source: "/a/", destination: "/b", access: "ro" }] }), "$.grants.mounts[0].source: "],
    [grant({ mounts: [{ source: "/a", destination: "/", access: "ro" }] }), "$.grants.mounts[0].destination: "],
    [grant({ mounts: [{ source: "/a", destination: "/b", access: "wo" }] }), "$.grants.mounts[0].access: "],
    [grant({ network: { mode: "bridge" } }), "$.grants.network.mode: "],
    [grant({ network: { mode: "none", path: "/run/netns/a" } }), "$.grants.network.path: "],
    [grant({ privileged: true }), "$.grants.privileged: unknown property"],
  ];
  for (const [changes, expected] of cases) {
    const payload = { ...exampleManifest(), ...changes } as unknown as Json;
    assert.throws(() => decodeManifest(payload), failure("MANIFEST_INVALID", expected), JSON.stringify(changes));
  }
});

test("CPU lists", () => {
  assert.deepEqual(parseCpuList("0-2,4"), [0, 1, 2, 4]);
  assert.deepEqual(parseCpuList("3,1-2,2"), [1, 2, 3]);
  assert.deepEqual(parseCpuList(""), []);
  for (const text of ["a", "1-", "-1", "1-2-3", ",", "0-8192", "99999", "2-1", "1 2"]) {
    assert.equal(parseCpuList(text), undefined, text);
  }
  for (const text of ["0", "0-2,4", "1,3,5-7"]) assert.equal(formatCpuList(parseCpuList(text) ?? []), text);
});

test("a manifest is for one image and, if it says so, for one command line", () => {
  const manifest = exampleManifest();
  assert.doesNotThrow(() => checkBinding(bundle(), manifest));
  assert.throws(
    () => checkBinding(bundle({ annotations: {} }), manifest),
    failure("MANIFEST_INVALID", "has no annotation"),
  );
  const other = `sha256:${"cd".repeat(32)}`;
  const otherApp = bundle({ annotations: { "dev.edgerun.image.digest": other } });
  assert.throws(() => checkBinding(otherApp, manifest), failure("MANIFEST_INVALID", image));
  assert.throws(() => checkBinding(otherApp, manifest), failure("MANIFEST_INVALID", other));
  const bound = exampleManifest({ binding: { image, args: ["sh"] } });
  assert.doesNotThrow(() => checkBinding(bundle(), bound));
  for (const args of [["sh", "-c"], ["ash"], []]) {
    const spec = bundle({ process: { ...defaultSpec().process, args } });
    assert.throws(() => checkBinding(spec, bound), failure("MANIFEST_INVALID", 'bound to args ["sh"]'));
  }
});

test("a host without a key asks for nothing; one with a key asks for a manifest: named, in the bundle, or by digest", async (t) => {
  const host = nodeHost(now);
  const owner = await makeOwner();
  const manifestDirectory = makeDirectory(t);
  const bundleDirectory = makeDirectory(t);
  const plain = { trustDirectory: makeTrust(t), bundle: bundleDirectory, manifestDirectory, manifestFile: undefined };
  assert.equal(admitBundle(host, bundle(), plain, uid), null);
  const named = { ...plain, manifestFile: `${manifestDirectory}/any.jws` };
  assert.throws(() => admitBundle(host, bundle(), named, uid), failure("MANIFEST_INVALID", "can't be verified"));

  const enrolled = { ...plain, trustDirectory: makeTrust(t, owner.jwk) };
  const admit = (spec: Spec, changes: object = {}) => admitBundle(host, spec, { ...enrolled, ...changes }, uid);
  assert.throws(() => admit(bundle()), failure("MANIFEST_REQUIRED", "there is no file"));
  assert.throws(() => admit(bundle({ annotations: {} })), failure("MANIFEST_REQUIRED", "--manifest"));
  const traversal = bundle({ annotations: { "dev.edgerun.image.digest": "sha256:../../etc/passwd" } });
  assert.throws(() => admit(traversal), failure("MANIFEST_INVALID", "is not a digest"));

  const file = writeKey(manifestDirectory, `${image.slice(7)}.jws`, await signToken(owner, exampleManifest()));
  assert.equal(admit(bundle())?.verified?.kid, owner.kid);
  assert.equal(admit(bundle(), { manifestFile: file })?.manifest.seq, 17);
  const other = bundle({ annotations: { "dev.edgerun.image.digest": `sha256:${"cd".repeat(32)}` } });
  assert.throws(() => admit(other, { manifestFile: file }), failure("MANIFEST_INVALID", "but the bundle is of image"));
  writeKey(manifestDirectory, `${image.slice(7)}.jws`, "x".repeat(100_000));
  assert.throws(() => admit(bundle()), failure("MANIFEST_INVALID", "larger than 65536 bytes"));
  writeKey(bundleDirectory, "manifest.jws", await signToken(owner, exampleManifest({ seq: 18 })));
  assert.equal(admit(bundle())?.manifest.seq, 18);
});

test("a pod sandbox starts without a manifest, with hardly a grant; an app of the same pod does not", async (t) => {
  const owner = await makeOwner();
  const trustDirectory = makeTrust(t, owner.jwk);
  const paths = { trustDirectory, bundle: "/absent", manifestDirectory: "/absent", manifestFile: undefined };
  for (const name of ["io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"]) {
    const admission = admitBundle(nodeHost(now), bundle({ annotations: { [name]: "sandbox" } }), paths, uid);
    assert.equal(admission?.verified, null);
    assert.deepEqual(Object.keys(admission?.manifest.grants ?? {}).sort(), ["cpu", "memory", "network", "pids"]);
    const app = bundle({ annotations: { [name]: "container" } });
    assert.throws(() => admitBundle(nodeHost(now), app, paths, uid), failure("MANIFEST_REQUIRED", "signed manifest"));
  }
});
