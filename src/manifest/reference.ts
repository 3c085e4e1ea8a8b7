// SPDX-License-Identifier: Apache-2.0
// What each key of a manifest means and what it becomes: for spec/manifest.schema.json and docs/manifest.md.
// Not on the device.
import type { Reference } from "../schema/reference.ts";
import { grantsReference } from "./reference_grants.ts";
import { networkReference } from "./reference_network.ts";

const digest = "sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";

/** Everything but `grants`. */
const envelopeReference: Reference = {
  schema: { means: "the format of this document", example: "edgerun/capability/v1" },
  iss: { means: "who signs; with app.id, what `seq` counts for", example: "utility.example" },
  jti: { means: "the name of this manifest, for people, records and revocation", example: "meter-reader-17" },
  seq: { means: "a number that is larger in each later manifest of the app", example: 17 },
  iat: {
    means: "when it was issued, in seconds since the epoch; more than 5 minutes in the future is refused",
    example: 1767225600,
  },
  nbf: { means: "not valid before this time, in seconds since the epoch", example: 1767225600 },
  exp: { means: "not valid at this time and later, in seconds since the epoch", example: 1798761600 },
  audience: {
    means: "the devices that it is for; absent: every device that trusts the key, where the trust store allows it",
  },
  "audience.devices": { means: "device ids, as /etc/edgerun/device.json has them", example: ["meter-0815"] },
  "audience.classes": { means: "device classes; a device of any of these is meant", example: ["meter-a7"] },
  strict: {
    means: "false: what this kernel can't enforce is left out and reported; otherwise it refuses the start",
    example: true,
  },
  app: { means: "the app" },
  "app.id": { means: "a reverse DNS name", example: "com.example.meter-reader" },
  "app.version": { means: "for people and records", example: "1.2.3" },
  binding: { means: "what may run under it; one of image, layers and rootfs at least, and all that is there must fit" },
  "binding.image": {
    means: "digest of the OCI image manifest",
    becomes: "compared with the bundle's annotation `dev.edgerun.image.digest`",
    example: digest,
  },
  "binding.layers": {
    means: "digests of the image's layers, lowest first",
    becomes: "compared with the bundle's annotation `dev.edgerun.image.layers`",
    example: [digest],
  },
  "binding.rootfs": { means: "digest of the root file system itself, computed on the device" },
  "binding.rootfs.type": {
    means: "tree: a digest over all of its files; squashfs, erofs: of the image file that is mounted there",
    example: "tree",
  },
  "binding.rootfs.digest": { means: "SHA-256; not enforced in this version", example: digest },
  "binding.config": {
    means: "digest of config.json, to the byte; for bundles that no engine rewrites",
    example: digest,
  },
  "binding.args": { means: "the program and its arguments, all of them", example: ["/usr/bin/meter-reader"] },
  "binding.argsPrefixes": {
    means: "beginnings of the program and its arguments, one of which must fit, unless `args` does",
    example: [["/usr/bin/meter-reader", "--port"]],
  },
  "binding.user": { means: "the user that the program runs as, exactly" },
  "binding.user.uid": { means: "process.user.uid", example: 1000 },
  "binding.user.gid": { means: "process.user.gid", example: 1000 },
  "binding.user.additionalGids": { means: "process.user.additionalGids: these at most; absent: none", example: [20] },
  "binding.environment": {
    means: "the names of the variables that may be set, with * for any end of a name",
    example: ["PATH", "TZ", "LC_*"],
  },
  grants: { means: "what the app may have; what is absent is not granted" },
  source: { means: "what this manifest was made from, to the byte; grants nothing" },
  "source.format": { means: "its kind", example: "geisa/0.9.0" },
  "source.text": { means: "the document", example: "{}" },
};

export const manifestReference: Reference = { ...envelopeReference, ...grantsReference, ...networkReference };
