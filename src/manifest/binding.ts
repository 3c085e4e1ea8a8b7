// SPDX-License-Identifier: Apache-2.0
// Whether a bundle is the app that a manifest is for. Engines write config.json anew for each container, so fields are
// compared, not bytes. Digests of image and layers are what the engine says; the digest of the root file system is what
// is there (root_digest.ts).
import { quote } from "../schema/describe.ts";
import type { Process, Spec } from "../spec/config.ts";
import type { Binding, Manifest } from "./schema.ts";
import { invalidManifest } from "./text.ts";

/** The annotations that `edgerun owner bundle` writes: the digest of the OCI image manifest, and those of its layers. */
export const imageDigestAnnotation = "dev.edgerun.image.digest";
export const layerDigestsAnnotation = "dev.edgerun.image.layers";

/**
 * Checks everything but the root file system and the bytes of config.json.
 * @param image the image's digest, as the engine says it; undefined if it doesn't
 * @throws MANIFEST_INVALID naming both sides
 */
export function checkBinding(spec: Spec, { binding }: Manifest, image: string | undefined): void {
  checkImage(binding, image);
  checkLayers(binding, spec.annotations?.[layerDigestsAnnotation]);
  checkArgs(binding, spec.process.args);
  checkUser(binding, spec.process.user);
  checkEnvironment(binding, spec.process.env ?? []);
}

function checkImage({ image }: Binding, found: string | undefined): void {
  if (image === undefined) return;
  if (found === undefined) {
    throw invalidManifest(
      `the manifest is bound to image "${image}", but the bundle has no annotation "${imageDigestAnnotation}": make it with "edgerun owner bundle"`,
    );
  }
  if (found !== image) {
    throw invalidManifest(
      `the manifest is bound to image "${image}", but the bundle is of image ${quoteDigest(found)}`,
    );
  }
}

function checkLayers({ layers }: Binding, found: string | undefined): void {
  if (layers === undefined) return;
  if (found === undefined) {
    throw invalidManifest(
      `the manifest is bound to layers, but the bundle has no annotation "${layerDigestsAnnotation}": make it with "edgerun owner bundle"`,
    );
  }
  if (found !== layers.join(",")) {
    throw invalidManifest(
      `the manifest is bound to layers ${quote(layers.join(","))}, but the bundle is of ${quote(found)}`,
    );
  }
}

function checkArgs({ args, argsPrefixes = [] }: Binding, asked: readonly string[]): void {
  if (args === undefined && argsPrefixes.length === 0) return;
  if (args !== undefined && args.length === asked.length && beginsWith(asked, args)) return;
  if (argsPrefixes.some((prefix) => beginsWith(asked, prefix))) return;
  const allowed = [
    ...(args === undefined ? [] : [JSON.stringify(args)]),
    ...argsPrefixes.map((prefix) => `${JSON.stringify(prefix).slice(0, -1)}, ...]`),
  ];
  throw invalidManifest(
    `the manifest is bound to args ${allowed.join(" or ")}, but the bundle runs ${quote(asked.join(" "))}`,
  );
}

function beginsWith(asked: readonly string[], prefix: readonly string[]): boolean {
  return prefix.every((arg, index) => asked[index] === arg);
}

function checkUser({ user }: Binding, asked: Process["user"]): void {
  if (user === undefined) return;
  if (asked.uid !== user.uid || asked.gid !== user.gid) {
    throw invalidManifest(
      `the manifest is bound to user ${user.uid}:${user.gid}, but the bundle runs as ${asked.uid}:${asked.gid}`,
    );
  }
  const extra = asked.additionalGids?.find((gid) => !user.additionalGids?.includes(gid));
  if (extra !== undefined) {
    throw invalidManifest(`the manifest is bound to user ${user.uid}:${user.gid}, but the bundle adds group ${extra}`);
  }
}

function checkEnvironment({ environment }: Binding, asked: readonly string[]): void {
  if (environment === undefined) return;
  for (const entry of asked) {
    const equals = entry.indexOf("=");
    const name = equals < 0 ? entry : entry.slice(0, equals);
    const isAllowed = environment.some((one) => (one.endsWith("*") ? name.startsWith(one.slice(0, -1)) : name === one));
    if (!isAllowed) {
      throw invalidManifest(
        `the manifest is bound to variables ${environment.map(quote).join(", ") || "none"}, but the bundle sets ${quote(name)}`,
      );
    }
  }
}

/** A digest is longer than quote() shows, and cut it would look like the one it is compared with. */
function quoteDigest(text: string): string {
  return text.length <= 71 ? JSON.stringify(text) : quote(text);
}
