// SPDX-License-Identifier: Apache-2.0
// Which image a bundle is of, as far as whoever made the bundle says so. Nothing here is signed: it selects a manifest,
// and is compared with what the manifest is bound to; only binding.rootfs looks at the files themselves.
import type { Json } from "../host/functions.ts";
import type { Spec } from "../spec/config.ts";
import { imageDigestAnnotation } from "./binding.ts";
import { isDigest } from "./formats.ts";
import { readLimited, type Site } from "./site.ts";

/** Annotations of containerd's CRI plugin and of CRI-O that name the image, with its digest where the pod's spec has it. */
const imageNameAnnotations = ["io.kubernetes.cri.image-name", "io.kubernetes.cri-o.ImageName"];
const maxDockerConfigBytes = 4 << 20;

/**
 * The digest of a bundle's image; undefined if nobody says. In this order: the annotation dev.edgerun.image.digest; the
 * digest in the name by which a pod's spec calls the image; the image ID in dockerd's record of the container.
 * The text is whatever was found: it need not be a digest.
 */
export function findImageDigest(site: Site, spec: Spec, bundle: string): string | undefined {
  const annotations = spec.annotations ?? {};
  const given = annotations[imageDigestAnnotation];
  if (given !== undefined) return given;
  for (const name of imageNameAnnotations) {
    const image = annotations[name];
    const digest = image?.slice(image.indexOf("@") + 1) ?? "";
    if (image?.includes("@") && isDigest(digest)) return digest;
  }
  return findDockerImage(site, bundle);
}

/**
 * dockerd passes no annotations to the runtime (before version 25), but keeps a record for each container, whose id is
 * the name of the bundle's directory below the namespace "moby" of its containerd.
 */
function findDockerImage(site: Site, bundle: string): string | undefined {
  const [id = "", namespace] = bundle.split("/").reverse();
  if (namespace !== "moby" || id === "") return undefined;
  const path = `/var/lib/docker/containers/${id}/config.v2.json`;
  const text = readLimited(site.host, path, maxDockerConfigBytes, "dockerd's record");
  if (text === null) return undefined;
  const record: Json = site.host.parseJson(text, path);
  if (typeof record !== "object" || record === null || Array.isArray(record)) return undefined;
  return typeof record.Image === "string" ? record.Image : undefined;
}
