// SPDX-License-Identifier: Apache-2.0
// What a manifest may say, which bundle it is for, and when a host asks for one.
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Json } from "../../src/host/functions.ts";
import { admitBundle } from "../../src/manifest/admit.ts";
import { checkBinding } from "../../src/manifest/binding.ts";
import { formatCpuList, parseCpuList } from "../../src/manifest/cpu_list.ts";
import { decodeManifest } from "../../src/manifest/decode.ts";
import type { Binding } from "../../src/manifest/schema.ts";
import type { Process, Spec } from "../../src/spec/config.ts";
import { defaultSpec } from "../../src/spec/default.ts";
import {
  exampleManifest,
  failure,
  image,
  makeDirectory,
  makeOwner,
  makeSite,
  now,
  signToken,
  writeKey,
} from "./manifest_fixture.ts";

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
  assert.doesNotThrow(() => checkBinding(bundle(), manifest, image));
  assert.throws(() => checkBinding(bundle(), manifest, undefined), failure("MANIFEST_INVALID", "has no annotation"));
  const other = `sha256:${"cd".repeat(32)}`;
  assert.throws(() => checkBinding(bundle(), manifest, other), failure("MANIFEST_INVALID", image));
  assert.throws(() => checkBinding(bundle(), manifest, other), failure("MANIFEST_INVALID", other));
  const bound = exampleManifest({ binding: { image, args: ["sh"] } });
  assert.doesNotThrow(() => checkBinding(bundle(), bound, image));
  for (const args of [["sh", "-c"], ["ash"], []]) {
    const spec = bundle({ process: { ...defaultSpec().process, args } });
    assert.throws(() => checkBinding(spec, bound, image), failure("MANIFEST_INVALID", 'bound to args ["sh"]'));
  }
});

const process = (changes: Partial<Process>) => bundle({ process: { ...defaultSpec().process, ...changes } });

test("beginnings of the arguments: one must fit, or the exact ones", () => {
  const manifest = exampleManifest({
    binding: { image, args: ["/bin/app"], argsPrefixes: [["/bin/app", "--port"], ["/bin/tool"]] },
  });
  for (const args of [["/bin/app"], ["/bin/app", "--port"], ["/bin/app", "--port", "1"], ["/bin/tool", "x"]]) {
    assert.doesNotThrow(() => checkBinding(process({ args }), manifest, image), args.join(" "));
  }
  for (const args of [["/bin/app", "-x"], ["/bin/app", "--port=1"], ["/bin/toolbox"], []]) {
    assert.throws(
      () => checkBinding(process({ args }), manifest, image),
      failure("MANIFEST_INVALID", 'bound to args ["/bin/app"] or ["/bin/app","--port", ...] or ["/bin/tool", ...]'),
    );
  }
});

test("the user, with no other groups than are named", () => {
  const manifest = exampleManifest({ binding: { image, user: { uid: 1000, gid: 20, additionalGids: [5] } } });
  for (const user of [
    { uid: 1000, gid: 20 },
    { uid: 1000, gid: 20, additionalGids: [5] },
  ]) {
    assert.doesNotThrow(() => checkBinding(process({ user }), manifest, image));
  }
  const cases: [Process["user"], string][] = [
    [{ uid: 0, gid: 20 }, "bound to user 1000:20, but the bundle runs as 0:20"],
    [{ uid: 1000, gid: 0 }, "runs as 1000:0"],
    [{ uid: 1000, gid: 20, additionalGids: [5, 6] }, "adds group 6"],
  ];
  for (const [user, text] of cases) {
    assert.throws(() => checkBinding(process({ user }), manifest, image), failure("MANIFEST_INVALID", text));
  }
});

test("the names of variables, and layers", () => {
  const environment = exampleManifest({ binding: { image, environment: ["PATH", "LC_*"] } });
  assert.doesNotThrow(() =>
    checkBinding(process({ env: ["PATH=/bin", "LC_ALL=C", "LC_=", "PATH"] }), environment, image),
  );
  for (const name of ["LD_PRELOAD", "PATHS", "path", ""]) {
    assert.throws(
      () => checkBinding(process({ env: ["PATH=/bin", `${name}=x`] }), environment, image),
      failure("MANIFEST_INVALID", `but the bundle sets ${JSON.stringify(name)}`),
    );
  }
  const other = `sha256:${"cd".repeat(32)}`;
  const layers = exampleManifest({ binding: { layers: [image, other] } });
  const annotated = (text: string) => bundle({ annotations: { "dev.edgerun.image.layers": text } });
  assert.doesNotThrow(() => checkBinding(annotated(`${image},${other}`), layers, undefined));
  for (const text of [image, `${other},${image}`, ""]) {
    assert.throws(
      () => checkBinding(annotated(text), layers, undefined),
      failure("MANIFEST_INVALID", "bound to layers"),
    );
  }
  assert.throws(() => checkBinding(bundle(), layers, undefined), failure("MANIFEST_INVALID", "has no annotation"));
});

/** A device with the owner's key, and what it says to a bundle. */
async function enrolled(t: TestContext) {
  const owner = await makeOwner();
  const site = makeSite(t, owner.jwk);
  const bundleDirectory = makeDirectory(t);
  const admit = (spec: Spec, manifestFile?: string) =>
    admitBundle(site, { spec, bundle: bundleDirectory, manifestFile }, () => undefined);
  return { owner, site, bundleDirectory, admit };
}

test("a host without a key asks for nothing", (t) => {
  const site = makeSite(t);
  const admit = (manifestFile: string | undefined) =>
    admitBundle(site, { spec: bundle(), bundle: "/absent", manifestFile }, () => undefined);
  assert.equal(admit(undefined), null);
  assert.throws(() => admit("/any.jws"), failure("MANIFEST_INVALID", "can't be verified"));
});

test("a manifest is found by name, in an annotation, in the bundle, by the app, by the image: in this order", async (t) => {
  const { owner, site, bundleDirectory, admit } = await enrolled(t);
  const store = `${site.configRoot}/manifests`;
  const byApp = bundle({ annotations: { "dev.edgerun.app": "com.example.meter-reader" } });
  assert.throws(() => admit(bundle()), failure("MANIFEST_REQUIRED", "there is no file"));
  assert.throws(() => admit(bundle({ annotations: {} })), failure("MANIFEST_REQUIRED", "--manifest"));
  assert.throws(() => admit(byApp), failure("MANIFEST_REQUIRED", "com.example.meter-reader.jws"));
  const traversal = bundle({ annotations: { "dev.edgerun.image.digest": "sha256:../../etc/passwd" } });
  assert.throws(() => admit(traversal), failure("MANIFEST_INVALID", "is not a digest"));
  for (const app of ["../../etc/passwd", "a", "com.example/../x", ""]) {
    const spec = bundle({ annotations: { "dev.edgerun.app": app } });
    assert.throws(() => admit(spec), failure("MANIFEST_INVALID", "is no app id"), app);
  }
  const sign = (seq: number, binding: Binding = { image }) => signToken(owner, exampleManifest({ seq, binding }));
  const byImage = writeKey(store, `${image.slice(7)}.jws`, await sign(1));
  assert.equal(admit(bundle())?.manifest.seq, 1);
  assert.equal(admit(bundle())?.verified?.signers[0]?.kid, owner.kid);
  const annotations = { "dev.edgerun.image.digest": image, "dev.edgerun.app": "com.example.meter-reader" };
  writeKey(store, "com.example.meter-reader.jws", await sign(2));
  assert.equal(admit(bundle({ annotations }))?.manifest.seq, 2);
  writeKey(bundleDirectory, "manifest.jws", await sign(3));
  assert.equal(admit(bundle({ annotations }))?.manifest.seq, 3);
  const inline = { ...annotations, "dev.edgerun.manifest": await sign(4) };
  assert.equal(admit(bundle({ annotations: inline }))?.manifest.seq, 4);
  assert.equal(admit(bundle({ annotations: inline }), byImage)?.manifest.seq, 1);
  const other = bundle({ annotations: { "dev.edgerun.image.digest": `sha256:${"cd".repeat(32)}` } });
  assert.throws(() => admit(other, byImage), failure("MANIFEST_INVALID", "but the bundle is of image"));
  writeKey(store, "large.jws", "x".repeat(5_000_000));
  assert.throws(() => admit(bundle(), `${store}/large.jws`), failure("MANIFEST_INVALID", "larger than 4194304 bytes"));
});

test("the image is known by what engines say, without an annotation of ours", async (t) => {
  const { owner, site, admit } = await enrolled(t);
  writeKey(`${site.configRoot}/manifests`, `${image.slice(7)}.jws`, await signToken(owner, exampleManifest()));
  for (const name of ["io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName"]) {
    assert.equal(admit(bundle({ annotations: { [name]: `registry.example.com/meter@${image}` } }))?.manifest.seq, 17);
    const tag = bundle({ annotations: { [name]: "registry.example.com/meter:1" } });
    assert.throws(() => admit(tag), failure("MANIFEST_REQUIRED", "--manifest"));
  }
  const id = "ab12";
  const files: { [path: string]: string } = {
    [`/var/lib/docker/containers/${id}/config.v2.json`]: JSON.stringify({ ID: id, Image: image }),
  };
  const { host } = site;
  const docker = {
    ...site,
    host: { ...host, readFileIfExists: (path: string, max: number) => files[path] ?? host.readFileIfExists(path, max) },
  };
  const spec = bundle({ annotations: {} });
  const admitDocker = (directory: string) =>
    admitBundle(docker, { spec, bundle: directory, manifestFile: undefined }, () => undefined);
  assert.equal(admitDocker(`/run/containerd/io.containerd.runtime.v2.task/moby/${id}`)?.manifest.seq, 17);
  assert.throws(() => admitDocker(`/run/containerd/other/${id}`), failure("MANIFEST_REQUIRED", "--manifest"));
});

test("a pod sandbox starts without a manifest, with hardly a grant; an app of the same pod does not", async (t) => {
  const { admit } = await enrolled(t);
  for (const name of ["io.kubernetes.cri.container-type", "io.kubernetes.cri-o.ContainerType"]) {
    const admission = admit(bundle({ annotations: { [name]: "sandbox" } }));
    assert.equal(admission?.verified, null);
    assert.deepEqual(Object.keys(admission?.manifest.grants ?? {}).sort(), ["cpu", "memory", "network", "pids"]);
    const app = bundle({ annotations: { [name]: "container" } });
    assert.throws(() => admit(app), failure("MANIFEST_REQUIRED", "signed manifest"));
  }
});
