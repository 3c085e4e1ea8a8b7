// SPDX-License-Identifier: Apache-2.0
// What the schema of the grants can't say: parts that contradict each other, or say the same thing twice.
import { childPath, quote } from "../schema/describe.ts";
import { isLogicalName } from "./formats.ts";
import type { Grants, NetworkGrant, VolumeWindow } from "./schema.ts";

/** Reports the problem at a JSON path, without the "$." at its beginning. */
export type Fail = (path: string, problem: string) => never;

/** Calls `fail` for the first problem. */
export function checkGrants(grants: Grants, fail: Fail): void {
  const { memory, cpu = { quotaPercent: 100 }, capabilities = [], devices = [], network } = grants;
  if (memory.highBytes !== undefined && memory.highBytes > memory.limitBytes) {
    fail("grants.memory.highBytes", "is more than limitBytes");
  }
  const cpuChoices = [cpu.count, cpu.cpus, cpu.cpuSet].filter((choice) => choice !== undefined);
  if (cpuChoices.length > 1) fail("grants.cpu", "has more than one of count, cpus and cpuSet");
  checkUnique("grants.capabilities", capabilities, fail);
  const deviceNames = devices.map(({ path, name }) => path ?? name ?? "");
  checkUnique("grants.devices", deviceNames, fail);
  checkHardware(grants, fail);
  checkPlaces(grants, fail);
  if (network !== undefined) checkNetwork(network, fail);
}

function checkHardware(grants: Grants, fail: Fail): void {
  const accelerators = (grants.accelerators ?? []).map(({ name, cdi }) => name ?? cdi ?? "");
  checkUnique("grants.accelerators", accelerators, fail);
  for (const kind of ["sensors", "actuators", "registers"] as const) {
    const names = (grants[kind] ?? []).map(({ name }) => name);
    checkUnique(`grants.${kind}`, names, fail);
  }
  const offered = (grants.services?.offers ?? []).map(({ name }) => name);
  checkUnique("grants.services.offers", offered, fail);
  const used = (grants.services?.uses ?? []).map(({ name, from }) => `${name} from ${from}`);
  checkUnique("grants.services.uses", used, fail);
}

/** One place in the container can hold one thing, and one part of a volume belongs in one place. */
function checkPlaces(grants: Grants, fail: Fail): void {
  const { mounts = [], storage = {} } = grants;
  const { temporary = [], persistent = [] } = storage;
  const destinations = mounts.map((mount) => mount.destination);
  checkUnique("grants.mounts", destinations, fail);
  const places = [...temporary, ...persistent].map(({ path }) => path);
  checkUnique("grants.storage", [...destinations, ...places], fail);
  const parts = persistent.map(({ volume, name = "" }) => `${volume}/${name}`);
  checkUnique("grants.storage.persistent", parts, fail);
}

function checkNetwork(network: NetworkGrant, fail: Fail): void {
  const { mode } = network;
  const only = (key: keyof NetworkGrant, ...modes: (typeof mode)[]): void => {
    if (network[key] !== undefined && !modes.includes(mode)) {
      fail(`grants.network.${key}`, `has no meaning with mode "${mode}"`);
    }
  };
  only("path", "namespace");
  only("interfaces", "interface");
  only("proxies", "indirect");
  for (const key of ["classes", "apps", "host"] as const) only(key, "direct", "interface", "namespace");
  for (const key of ["rate", "volumes", "flowLog"] as const) only(key, "indirect", "direct", "interface", "namespace");
  const interfaces = (network.interfaces ?? []).map(({ name }) => name);
  checkUnique("grants.network.interfaces", interfaces, fail);
  const proxies = (network.proxies ?? []).map(({ port, path }) => path ?? `port ${port}`);
  checkUnique("grants.network.proxies", proxies, fail);
  checkVolumes("grants.network.volumes", network.volumes ?? [], fail);
  for (const [name, { volumes = [] }] of Object.entries(network.classes ?? {})) {
    const path = childPath("grants.network.classes", name);
    if (!isLogicalName(name)) fail(path, "the name of a class has lower-case letters, digits and inner . _ - only");
    checkVolumes(`${path}.volumes`, volumes, fail);
  }
}

function checkVolumes(path: string, volumes: readonly VolumeWindow[], fail: Fail): void {
  for (const [index, { exhausted, throttleBytesPerSecond, monthStartDay, window }] of volumes.entries()) {
    const place = `${path}[${index}]`;
    if ((exhausted === "throttle") !== (throttleBytesPerSecond !== undefined)) {
      fail(place, '"exhausted": "throttle" and throttleBytesPerSecond need each other');
    }
    if (monthStartDay !== undefined && window === "rolling") {
      fail(`${place}.window`, "a month is not rolling; use periodSeconds for the last 30 days");
    }
  }
}

function checkUnique(place: string, names: readonly string[], fail: Fail): void {
  const seen = new Set<string>();
  for (const name of names) {
    if (seen.has(name)) fail(place, `${quote(name)} is granted twice`);
    seen.add(name);
  }
}
