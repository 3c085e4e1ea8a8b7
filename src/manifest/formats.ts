// SPDX-License-Identifier: Apache-2.0
// The kinds of text in manifests and host inventories: for each what the published schema says (`pattern`), and what
// the device checks, which has no RegExp.
import type { TextFormat } from "../schema/schema.ts";
import { capabilityNames } from "../spec/capabilities.ts";
import { parsePrefix } from "./addresses.ts";
import { parseCpuList } from "./cpu_list.ts";
import { consistsOf, isPlainPath } from "./text.ts";

const digits = "0123456789";
const lowerHex = `${digits}abcdef`;
const lowerLetters = "abcdefghijklmnopqrstuvwxyz";

export const manifestFormats = {
  /** A name that the host inventory maps to something real, and names that the manifest gives itself. */
  logical_name: {
    pattern: "^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$",
    expected: "a name of lower-case letters, digits and inner . _ -",
    accepts: isLogicalName,
  },
  reverse_dns: {
    pattern: "^[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+$",
    expected: 'a reverse DNS name such as "com.example.meter-reader"',
    accepts: isReverseDns,
  },
  /** Apps that a key may sign for. */
  app_pattern: {
    pattern: "^(\\*|[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)*(\\.\\*)?)$",
    expected: 'an app id, "com.example.*" for all that begin so, or "*"',
    accepts: (text) => text === "*" || isReverseDns(text.endsWith(".*") ? `${text.slice(0, -1)}x` : text),
  },
  dns_name: {
    pattern: "^(\\*\\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*$",
    expected: 'a DNS name such as "api.example.com" or, for all names below one, "*.example.com"',
    accepts: isDnsName,
  },
  digest: {
    pattern: "^sha256:[0-9a-f]{64}$",
    expected: '"sha256:" and 64 lower-case hex digits',
    accepts: isDigest,
  },
  /** On the host, or in the container. */
  plain_path: {
    pattern: "^/([^/]+(/[^/]+)*)?$",
    expected: 'an absolute path without empty, "." or ".." components and without a slash at the end',
    accepts: isPlainPath,
  },
  /** A place in the container for a mount: anything but its root. */
  mount_path: {
    pattern: "^/[^/]+(/[^/]+)*$",
    expected: 'an absolute path other than "/", without empty, "." or ".." components and without a slash at the end',
    accepts: (text) => text !== "/" && isPlainPath(text),
  },
  device_path: {
    pattern: "^/dev/[^/]+(/[^/]+)*$",
    expected: 'a path below /dev without empty, "." or ".." components',
    accepts: (text) => text.startsWith("/dev/") && isPlainPath(text),
  },
  device_access: {
    pattern: "^[rwm]{1,3}$",
    expected: "letters r, w and m, each at most once",
    accepts: (text) => consistsOf(text, "rwm") && new Set(text).size === text.length,
  },
  /** Vendor, class and device of the Container Device Interface. */
  cdi_name: {
    pattern: "^[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9_-]*=[A-Za-z0-9][A-Za-z0-9._:-]*$",
    expected: 'a CDI device such as "vendor.example/gpu=0"',
    accepts: isCdiName,
  },
  cpu_list: {
    pattern: "^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$",
    expected: 'a list of CPUs such as "0-1,3"',
    accepts: (text) => text !== "" && parseCpuList(text) !== undefined,
  },
  capability: {
    pattern: "^CAP_[A-Z_]+$",
    expected: 'a capability such as "CAP_NET_BIND_SERVICE"',
    accepts: (text) => capabilityNames.includes(text),
  },
  syscall: {
    pattern: "^[a-z0-9_]{1,63}$",
    expected: 'a system call such as "io_uring_setup"',
    accepts: (text) => text.length <= 63 && consistsOf(text, `${lowerLetters}${digits}_`),
  },
  /** What may be in the environment; the end of the name is free after "*". */
  environment_name: {
    pattern: "^[A-Za-z_][A-Za-z0-9_]*\\*?$",
    expected: 'the name of an environment variable such as "TZ", or the beginning of names, "LC_*"',
    accepts: isEnvironmentName,
  },
  ports: {
    pattern: "^[0-9]{1,5}(-[0-9]{1,5})?$",
    expected: 'a port, "502", or a range of ports, "5000-5010", between 1 and 65535',
    accepts: (text) => parsePorts(text) !== undefined,
  },
  ip_prefix: {
    pattern: "^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$",
    expected: 'an IP address, or a prefix without host bits such as "192.0.2.0/24" or "2001:db8::/32"',
    accepts: (text) => parsePrefix(text) !== undefined,
  },
  /** MQTT 5.0 section 4.7. */
  mqtt_filter: {
    pattern: "^[^#]*#?$",
    expected: 'an MQTT topic filter such as "site/+/temperature" or "site/#"',
    accepts: isMqttFilter,
  },
} as const satisfies { [name: string]: TextFormat };

/** True for "sha256:" and 64 lower-case hex digits. */
export function isDigest(text: string): boolean {
  return text.startsWith("sha256:") && text.length === 71 && consistsOf(text.slice(7), lowerHex);
}

/** The first and last port of "502" or "5000-5010"; undefined if it is neither. */
export function parsePorts(text: string): [first: number, last: number] | undefined {
  const [first = "", last = first, ...rest] = text.split("-");
  const range = [first, last].map((port) => (port.length <= 5 && consistsOf(port, digits) ? Number(port) : 0));
  const [from = 0, to = 0] = range;
  return rest.length === 0 && from >= 1 && from <= to && to <= 65535 ? [from, to] : undefined;
}

export function isLogicalName(text: string): boolean {
  const inner = (character: string): boolean => character === "." || character === "_" || character === "-";
  return (
    text.length <= 63 &&
    consistsOf(text, `${lowerLetters}${digits}._-`) &&
    !inner(text.charAt(0)) &&
    !inner(text.charAt(text.length - 1))
  );
}

/** At least two labels of letters, digits and inner hyphens, as in com.example.meter-reader. */
export function isReverseDns(text: string): boolean {
  const labels = text.split(".");
  return text.length <= 253 && labels.length >= 2 && labels.every((label) => isLabel(label.toLowerCase(), ""));
}

/** True if an app pattern means this app. */
export function matchesApp(pattern: string, app: string): boolean {
  if (pattern === "*") return true;
  return pattern.endsWith(".*") ? app.startsWith(pattern.slice(0, -1)) : app === pattern;
}

function isDnsName(text: string): boolean {
  const name = text.startsWith("*.") ? text.slice(2) : text;
  const labels = name.toLowerCase().split(".");
  // The last label of a name is never a number: it would be an address.
  const last = labels[labels.length - 1]!;
  return name.length <= 253 && labels.every((label) => isLabel(label, "_")) && !consistsOf(last, digits);
}

function isLabel(label: string, more: string): boolean {
  return (
    label.length <= 63 &&
    consistsOf(label, `${lowerLetters}${digits}-${more}`) &&
    !label.startsWith("-") &&
    !label.endsWith("-")
  );
}

function isCdiName(text: string): boolean {
  const [kind = "", device = "", ...rest] = text.split("=");
  const [vendor = "", deviceClass = "", ...more] = kind.split("/");
  const word = (part: string, inner: string): boolean =>
    consistsOf(part.toLowerCase(), `${lowerLetters}${digits}${inner}`) && !inner.includes(part.charAt(0));
  return (
    rest.length === 0 && more.length === 0 && word(vendor, "._-") && word(deviceClass, "_-") && word(device, "._:-")
  );
}

function isEnvironmentName(text: string): boolean {
  const name = text.endsWith("*") ? text.slice(0, -1) : text;
  return consistsOf(name.toLowerCase(), `${lowerLetters}${digits}_`) && !digits.includes(name.charAt(0));
}

function isMqttFilter(text: string): boolean {
  const levels = text.split("/");
  const wellFormed = (level: string, index: number): boolean =>
    level === "+" || (level === "#" && index === levels.length - 1) || !(level.includes("+") || level.includes("#"));
  return text !== "" && text.length <= 65535 && levels.every(wellFormed);
}
