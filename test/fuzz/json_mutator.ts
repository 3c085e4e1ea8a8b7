// SPDX-License-Identifier: Apache-2.0
// Changes to JSON values that know what JSON is: values of another type, at the edge of a range, with names that
// mean something to JavaScript; members removed, repeated, renamed, or taken over from another document.
import type { Json } from "../../src/host/functions.ts";
import type { Random } from "./random.ts";

type Container = Json[] | { [key: string]: Json };
type Place = { parent: Container; key: string };

const numbers: readonly (number | bigint)[] = [
  0,
  -1,
  1,
  2,
  63,
  64,
  255,
  256,
  1000,
  65535,
  65536,
  1.5,
  -0.5,
  1e300,
  2147483647,
  2147483648,
  4294967295,
  4294967296,
  9007199254740991,
  9007199254740993n,
  -9223372036854775808n,
  9223372036854775807n,
  18446744073709551615n,
];

const words: readonly string[] = [
  ...[
    "",
    " ",
    "/",
    "..",
    "../..",
    "/..",
    "//a//b/",
    "relative/path",
    "/proc/self/ns/net",
    "/dev/null",
    ":",
    "=",
    "a=b",
  ],
  ...["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf", "length", "0", "-1", "1e3", "true", "null"],
  ...["line\nbreak", "\u001b[31m", "\u007f", "\u2028", "é", "\u{1f600}", "x".repeat(300), "x".repeat(70_000)],
  ...["CAP_SYS_ADMIN", "CAP_", "RLIMIT_NOFILE", "RLIMIT_CORE", "SCMP_ACT_ALLOW", "SCMP_ACT_NOTIFY", "SCMP_CMP_EQ"],
  ...["mount", "network", "user", "time", "cgroup", "pid", "bind", "rbind", "rro", "size=1g", "mode=1777", "shared"],
  ...[
    "c",
    "b",
    "p",
    "a",
    "rwm",
    "m",
    "net.ipv4.ip_forward",
    "kernel/shmmax",
    "kernel.domainname",
    "0-3,7",
    "1.0.2-dev",
  ],
];

/** A changed copy; the value itself and the donors stay as they are. */
export function mutateJson(random: Random, value: Json, donors: readonly Json[]): Json {
  const root: Json[] = [structuredClone(value)];
  for (let changes = 1 + random.below(random.once(4) ? 12 : 3); changes > 0; changes--) {
    const places = listPlaces(root);
    if (places.length === 0) break; // the document itself was removed
    change(random, random.pick(places), donors);
  }
  return root[0] ?? null;
}

/** As JSON text, also with BigInt, which JSON.stringify() refuses. */
export function printJson(value: Json): string {
  if (typeof value === "bigint") return value.toString();
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(printJson).join(",")}]`;
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}:${printJson(member)}`);
  return `{${members.join(",")}}`;
}

function get({ parent, key }: Place): Json {
  return (parent as { [key: string]: Json })[key]!;
}

/** Defined, not assigned: the name may be "__proto__". */
function set({ parent, key }: Place, value: Json): void {
  Object.defineProperty(parent, key, { value, writable: true, enumerable: true, configurable: true });
}

function remove({ parent, key }: Place): void {
  if (Array.isArray(parent)) parent.splice(Number(key), 1);
  else delete parent[key];
}

function isContainer(value: Json | undefined): value is Container {
  return typeof value === "object" && value !== null;
}

/** Every value in the document, by where it stands; the document itself first. */
function listPlaces(root: Container): Place[] {
  const places: Place[] = [];
  const pending: Container[] = [root];
  for (let parent = pending.pop(); parent !== undefined; parent = pending.pop()) {
    for (const key of Object.keys(parent)) {
      const place = { parent, key };
      places.push(place);
      const value = get(place);
      if (isContainer(value)) pending.push(value);
    }
  }
  return places;
}

function change(random: Random, place: Place, donors: readonly Json[]): void {
  const value = get(place);
  switch (random.below(10)) {
    case 0:
      remove(place);
      break;
    case 1:
      set(place, anyValue(random));
      break;
    case 2: // what another document has under the same name
      set(place, structuredClone(findInDonor(random, place.key, donors) ?? value));
      break;
    case 3:
      repeat(random, place);
      break;
    case 4:
      addMember(random, value, donors);
      break;
    default:
      set(place, similarValue(random, value));
  }
}

function repeat(random: Random, place: Place): void {
  const { parent } = place;
  const copy = structuredClone(get(place));
  if (Array.isArray(parent)) parent.splice(random.below(parent.length + 1), 0, copy);
  else set({ parent, key: random.pick(words) }, copy);
}

function addMember(random: Random, value: Json, donors: readonly Json[]): void {
  if (!isContainer(value)) return;
  const donor = random.pick(listPlaces(donors as Json[]));
  const member = structuredClone(get(donor));
  if (Array.isArray(value)) value.push(member);
  else set({ parent: value, key: donor.key }, member);
}

function findInDonor(random: Random, key: string, donors: readonly Json[]): Json | undefined {
  const found = listPlaces(donors as Json[]).filter((place) => place.key === key);
  return found.length === 0 ? undefined : get(random.pick(found));
}

function anyValue(random: Random): Json {
  switch (random.below(6)) {
    case 0:
      return null;
    case 1:
      return random.once(2);
    case 2:
      return random.pick(numbers);
    case 3:
      return random.once(2) ? [] : [random.pick(words)];
    case 4:
      return random.once(2) ? {} : { [random.pick(words)]: random.pick(numbers) };
    default:
      return random.pick(words);
  }
}

function similarValue(random: Random, value: Json): Json {
  if (typeof value === "boolean") return !value;
  if (typeof value === "number" || typeof value === "bigint") {
    return random.once(2) ? random.pick(numbers) : Number(value) + random.below(5) - 2;
  }
  if (typeof value === "string") return random.once(2) ? random.pick(words) : changeText(random, value);
  return isContainer(value) ? value : anyValue(random);
}

function changeText(random: Random, text: string): string {
  const at = random.below(text.length + 1);
  const rest = text.slice(at);
  const insert = random.once(3) ? "" : random.pick(["/", "..", "/../", ".", ",", ":", "=", "\n", "\\", "A", "9", "%"]);
  return text.slice(0, at) + insert + (random.once(2) ? rest : rest.slice(1 + random.below(8)));
}
