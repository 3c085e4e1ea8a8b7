// SPDX-License-Identifier: Apache-2.0
// The annotations of config.json that come from the image (image-spec conversion.md).

import { asArray, asObject, asString, asStrings } from "./descriptor.ts";
import type { Image } from "./image.ts";

/** The annotation with the digest of the image manifest (of the config, where the archive has no manifest). */
export const IMAGE_DIGEST = "dev.edgerun.image.digest";

/** Annotations by which a runtime changes what it does on the host: for the owner to write, not for an image. */
const RESERVED = /^(dev\.edgerun\.|org\.systemd\.property\.|org\.criu\.|run\.oci\.|io\.katacontainers\.|bundle$)/;

/**
 * The annotations of the image, and the labels that were left out because they are reserved.
 * Labels go before what the config says elsewhere, as the specification asks.
 */
export function createAnnotations(image: Image): { annotations: Record<string, string>; omitted: string[] } {
  const { config } = image;
  const inner = asObject(config.config ?? {}, "image config: config");
  const annotations = new Map<string, string>();
  const add = (key: string, value: string) => {
    if (value !== "") annotations.set(`org.opencontainers.image.${key}`, value);
  };
  for (const key of ["os", "architecture", "variant", "os.version", "author", "created"]) {
    add(key, asString(config[key], `image config: ${key}`));
  }
  add("os.features", asStrings(config["os.features"], "image config: os.features").join(","));
  add("stopSignal", asString(inner.StopSignal, "image config: StopSignal"));
  add("exposedPorts", keys(inner.ExposedPorts, "ExposedPorts").join(","));

  const omitted: string[] = [];
  for (const [key, value] of Object.entries(asObject(inner.Labels ?? {}, "image config: Labels"))) {
    if (RESERVED.test(key)) omitted.push(key);
    else if (key !== "") annotations.set(key, asString(value, `image config: label ${JSON.stringify(key)}`));
  }
  annotations.set(IMAGE_DIGEST, image.digest);
  return { annotations: Object.fromEntries(annotations), omitted };
}

/** The names in a set as Go writes it: an object whose values mean nothing. Some tools write a list. */
export function keys(value: unknown, label: string): string[] {
  if (Array.isArray(value)) return asStrings(asArray(value, label), label).sort();
  return Object.keys(asObject(value ?? {}, `image config: ${label}`)).sort();
}
