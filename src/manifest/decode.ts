// SPDX-License-Identifier: Apache-2.0
// From parsed JSON to a Manifest: the schema's version, the schema, and what a schema can't say. Used on the device
// after the signature was checked, and by the owner's tool before signing.
import type { Json } from "../host/functions.ts";
import { decode } from "../schema/decode.ts";
import { quote } from "../schema/describe.ts";
import { capabilityNames } from "../spec/capabilities.ts";
import { parseCpuList } from "./cpu_list.ts";
import { type Grants, type Manifest, manifestSchema, schemaV1 } from "./schema.ts";
import { consistsOf, invalidManifest, isPlainPath } from "./text.ts";

/**
 * Decodes and checks a payload; time is not looked at, see checkValidity().
 * @throws MANIFEST_INVALID with the JSON path of the first problem
 */
export function decodeManifest(payload: Json): Manifest {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload)) {
    throw invalidManifest("manifest: expected an object");
  }
  // First of all, so that a newer manifest is called newer, and not a collection of unknown properties.
  const version = payload.schema;
  if (typeof version === "string" && version !== schemaV1) {
    throw invalidManifest(
      `manifest: $.schema: ${quote(version)} is not known to this version, which knows "${schemaV1}"`,
    );
  }
  const manifest = decode(manifestSchema, payload, "manifest", "MANIFEST_INVALID").value;
  if ((manifest.nbf ?? manifest.iat) >= manifest.exp) fail("exp", "must be later than nbf and iat");
  if (!isReverseDns(manifest.app.id)) fail("app.id", `${quote(manifest.app.id)} is not a reverse DNS name`);
  if (!isImageDigest(manifest.binding.image)) {
    fail("binding.image", `${quote(manifest.binding.image)} is not "sha256:" and 64 lower-case hex digits`);
  }
  checkGrants(manifest.grants);
  return manifest;
}

/** True for "sha256:" and 64 lower-case hex digits. */
export function isImageDigest(text: string): boolean {
  return text.startsWith("sha256:") && text.length === 71 && consistsOf(text.slice(7), "0123456789abcdef");
}

function fail(path: string, problem: string): never {
  throw invalidManifest(`manifest: $.${path}: ${problem}`);
}

function checkGrants(grants: Grants): void {
  const { cpu, network, capabilities = [], devices = [], mounts = [] } = grants;
  if (cpu?.cpus !== undefined && parseCpuList(cpu.cpus) === undefined) {
    fail("grants.cpu.cpus", `${quote(cpu.cpus)} is not a list of CPUs such as "0-1,3"`);
  }
  if (network?.path !== undefined) {
    if (network.mode !== "namespace") fail("grants.network.path", `has no meaning with mode "${network.mode}"`);
    checkPath("grants.network.path", network.path);
  }
  for (const [index, name] of capabilities.entries()) {
    if (!capabilityNames.includes(name))
      fail(`grants.capabilities[${index}]`, `${quote(name)} is not a capability's name`);
  }
  checkUnique("grants.capabilities", capabilities);
  for (const [index, { path, access }] of devices.entries()) {
    const place = `grants.devices[${index}]`;
    checkPath(`${place}.path`, path);
    if (!path.startsWith("/dev/")) fail(`${place}.path`, `${quote(path)} is not below /dev`);
    if (!consistsOf(access, "rwm") || new Set(access).size !== access.length) {
      fail(`${place}.access`, `${quote(access)} is not made of r, w and m, each at most once`);
    }
  }
  const devicePaths = devices.map((device) => device.path);
  checkUnique("grants.devices", devicePaths);
  for (const [index, { source, destination }] of mounts.entries()) {
    checkPath(`grants.mounts[${index}].source`, source);
    checkPath(`grants.mounts[${index}].destination`, destination);
    if (destination === "/") fail(`grants.mounts[${index}].destination`, "must not be the root");
  }
  const destinations = mounts.map((mount) => mount.destination);
  checkUnique("grants.mounts", destinations);
}

function checkPath(place: string, path: string): void {
  if (!isPlainPath(path)) fail(place, `${quote(path)} has an empty, "." or ".." component`);
}

function checkUnique(place: string, names: readonly string[]): void {
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) fail(place, `${quote(twice)} is granted twice`);
}

/** At least two labels of letters, digits and inner hyphens, as in com.example.meter-reader. */
function isReverseDns(text: string): boolean {
  const labels = text.split(".");
  const wellFormed = (label: string): boolean =>
    consistsOf(label.toLowerCase(), "abcdefghijklmnopqrstuvwxyz0123456789-") &&
    !label.startsWith("-") &&
    !label.endsWith("-") &&
    label.length <= 63;
  return text.length <= 253 && labels.length >= 2 && labels.every(wellFormed);
}
