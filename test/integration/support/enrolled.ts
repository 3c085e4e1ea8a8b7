// SPDX-License-Identifier: Apache-2.0
// A configuration directory with an owner's key, and containers that start under manifests which that owner signed.
// /etc/edgerun is never touched: everything goes by --config-root and --data-root.

import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { imageDigestAnnotation } from "../../../src/manifest/binding.ts";
import type { Grants, Manifest } from "../../../src/manifest/schema.ts";
import { keygen } from "../../../src/owner/keygen.ts";
import type { KeyAlgorithm } from "../../../src/owner/keys.ts";
import { sign } from "../../../src/owner/sign.ts";
import type { Change, Config } from "./config.ts";
import type { Container } from "./container.ts";
import { callHost, type HostName } from "./hosts.ts";
import type { Options, Result } from "./process.ts";
import type { Workspace } from "./workspace.ts";

/** The image of the bundles here. */
export const image = `sha256:${"ab".repeat(32)}`;
/** What a manifest must grant at least. */
export const leastGrants: Grants = { memory: { limitBytes: 64 << 20 }, pids: { limit: 32 } };

/** Seconds since the epoch, now. */
export function now(): number {
  return Math.floor(Date.now() / 1000);
}

let made = 0;

/** A manifest that is valid now, for the bundles of useEnrolled(): each for an app of its own, so none is older than another. */
export function makeManifest(changes: Partial<Manifest> = {}): Manifest {
  return {
    schema: "edgerun/capability/v1",
    iss: "utility.example",
    jti: "meter-reader-17",
    seq: 17,
    iat: now() - 10,
    exp: now() + 3600,
    app: { id: `com.example.meter-reader-${++made}`, version: "1.2.3" },
    binding: { image },
    grants: leastGrants,
    ...changes,
  };
}

export function annotate(config: Config): void {
  config.annotations = { ...config.annotations, [imageDigestAnnotation]: image };
}

export class EnrolledHost {
  readonly ws: Workspace;
  readonly configRoot: string;
  /** What this host remembers of manifests. */
  readonly dataRoot: string;
  /** Path of the owner's key pair, without suffix. */
  readonly key: string;
  readonly kid: string;

  constructor(ws: Workspace, configRoot: string, key: string, kid: string) {
    this.ws = ws;
    this.configRoot = configRoot;
    this.dataRoot = `${configRoot}/var`;
    this.key = key;
    this.kid = kid;
  }

  /** A host that trusts a new owner's key. */
  static async make(ws: Workspace, alg: KeyAlgorithm = "EdDSA"): Promise<EnrolledHost> {
    const configRoot = ws.newDirectory();
    for (const name of ["trust", "manifests"]) {
      mkdirSync(join(configRoot, name));
      chmodSync(join(configRoot, name), 0o755);
    }
    const { kid, publicFile } = await keygen({ out: ws.newFile(), alg });
    const enrolled = join(configRoot, "trust/owner.jwk");
    copyFileSync(publicFile, enrolled);
    chmodSync(enrolled, 0o644);
    return new EnrolledHost(ws, configRoot, publicFile.slice(0, -".jwk".length), kid);
  }

  /** The global flags for this configuration. */
  get flags(): string[] {
    return ["--config-root", this.configRoot, "--data-root", this.dataRoot];
  }

  /** Signs a manifest as the owner does; returns the token's file. */
  async sign(manifest: Manifest): Promise<string> {
    const out = this.ws.newFile();
    await sign({ key: `${this.key}.key`, manifestFile: this.ws.newFile(JSON.stringify(manifest)), out });
    return out;
  }

  /** Signs the manifest with the least grants. */
  signDefault(): Promise<string> {
    return this.sign(makeManifest());
  }

  /** A token's text, without the newline at its end. */
  async signText(manifest: Manifest): Promise<string> {
    return readFileSync(await this.sign(manifest), "utf8").trimEnd();
  }

  /** Puts a token into a new file. */
  write(token: string): string {
    const file = this.ws.newFile();
    writeFileSync(file, token);
    return file;
  }

  /** Calls edgerun with this configuration. */
  call(host: HostName, args: readonly string[], options?: Options): Result {
    return callHost(this.ws, host, [...this.flags, ...args], options);
  }

  /** A bundle of the image. */
  bundle(change?: Change): Container {
    return this.ws.script("while :; do sleep 1000; done", (config) => {
      annotate(config);
      change?.(config);
    });
  }

  /** Runs a script in a container with these grants, to its end; the exit code must be 0. Returns what it prints. */
  async output(host: HostName, grants: Partial<Grants>, script: string, change?: Change): Promise<string> {
    const result = await this.runScript(host, grants, script, change);
    assert.deepEqual([result.status, result.stderr], [0, ""], result.stdout);
    return result.stdout.trimEnd();
  }

  /** As output(), whatever the end is. */
  async runScript(host: HostName, grants: Partial<Grants>, script: string, change?: Change): Promise<Result> {
    const manifest = await this.sign(makeManifest({ grants: { ...leastGrants, ...grants } }));
    const c = this.bundle((config) => {
      config.process.args = ["/bin/sh", "-c", script];
      change?.(config);
    });
    return this.call(host, ["run", "--manifest", manifest, "--bundle", c.directory, c.id]);
  }

  /** A container that was created with these grants. */
  async created(host: HostName, grants: Partial<Grants>, change?: Change): Promise<Container> {
    const manifest = await this.sign(makeManifest({ grants: { ...leastGrants, ...grants } }));
    const c = this.bundle(change);
    const result = this.call(host, ["create", "--manifest", manifest, "--bundle", c.directory, c.id]);
    assert.deepEqual(result, { status: 0, signal: null, stdout: "", stderr: "" });
    return c;
  }

  /** With these grants the bundle must be refused: `denied` is each denial as it stands in the message. */
  async assertDenied(host: HostName, grants: Partial<Grants>, change: Change, ...denied: string[]): Promise<void> {
    const manifest = await this.sign(makeManifest({ grants: { ...leastGrants, ...grants } }));
    const c = this.bundle(change);
    const result = this.call(host, ["run", "--manifest", manifest, "--bundle", c.directory, c.id]);
    const text = `edgerun: the manifest does not allow what the bundle asks for: ${denied.join(", ")}\n`;
    assert.deepEqual(result, { status: 1, signal: null, stdout: "", stderr: text });
    this.ws.assertNothingLeft();
  }

  /** `create` must fail with one line that matches, and leave nothing behind. */
  assertRefused(host: HostName, c: Container, flags: readonly string[], text: RegExp): void {
    const result = this.call(host, ["create", ...flags, "--bundle", c.directory, c.id]);
    assert.match(result.stderr, text);
    assert.match(result.stderr, /^edgerun: [^\n]+\n$/, "one line");
    assert.deepEqual([result.status, result.stdout], [1, ""]);
    this.ws.assertNothingLeft();
  }
}
