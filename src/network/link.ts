// SPDX-License-Identifier: Apache-2.0
// The link between the host and one container: a pair of interfaces, "er7" on the host and "eth0" inside, with addresses
// that follow from its number. On a link of its own an app sees nothing of other apps, not even their addresses.

/** How many links there can be: 2^15 pairs of addresses in 198.18.0.0/16. */
export const maxLinks = 1 << 15;

export const insideName = "eth0";

export type Link = {
  number: number;
  /** The host's interface. */
  name: string;
  host4: readonly number[];
  inside4: readonly number[];
  host6: readonly number[];
  inside6: readonly number[];
};

/** Prefix lengths of a link's two addresses (RFC 3021, RFC 6164). */
export const linkPrefixLength = { 4: 31, 6: 127 } as const;

/**
 * 198.18.0.0/15 is kept for measurements between networks (RFC 2544) and so is nobody's: not the LAN's, not a mobile
 * operator's (as 100.64.0.0/10 is), not Docker's. For IPv6 a unique local prefix (RFC 4193).
 */
export function computeLink(number: number): Link {
  const low = number * 2;
  const v4 = (end: number) => [198, 18, low >> 8, (low & 0xff) + end];
  const v6 = (end: number) => [
    0xfd,
    0x65,
    0x64,
    0x67,
    0x65,
    0x72,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    low >> 8,
    (low & 0xff) + end,
  ];
  return { number, name: `er${number}`, host4: v4(0), inside4: v4(1), host6: v6(0), inside6: v6(1) };
}

/** The number of a link's interface; undefined for interfaces that are not ours. */
export function linkNumber(name: string): number | undefined {
  if (!name.startsWith("er") || name.length < 3) return undefined;
  const number = Number(name.slice(2));
  return Number.isInteger(number) && number >= 0 && number < maxLinks && `er${number}` === name ? number : undefined;
}

/**
 * A number that nothing has. Containers that start at the same time are not to choose the same, so the search begins
 * at a place that follows from the id.
 * @param names of interfaces and of tables
 * @returns undefined when all are taken
 */
export function findFreeNumber(names: readonly string[], id: string): number | undefined {
  const taken = new Set(
    names.map((name) => linkNumber(name.startsWith(tablePrefix) ? name.slice(tablePrefix.length) : name)),
  );
  let start = 0;
  for (let at = 0; at < id.length; at++) start = (start * 31 + id.charCodeAt(at)) % maxLinks;
  for (let step = 0; step < maxLinks; step++) {
    const number = (start + step) % maxLinks;
    if (!taken.has(number)) return number;
  }
  return undefined;
}

const tablePrefix = "edgerun-";

/** The table of rules on the host that belongs to a link. */
export function hostTable(linkName: string): string {
  return `${tablePrefix}${linkName}`;
}

/** The table inside the container. */
export const insideTable = "edgerun";
