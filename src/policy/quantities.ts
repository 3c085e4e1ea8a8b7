// SPDX-License-Identifier: Apache-2.0
// Quantities as people read them, in the decisions.

/** 67108864 is "64 MiB"; what is not a whole number of KiB, MiB or GiB is given in bytes. */
export function formatBytes(bytes: bigint): string {
  const units = ["GiB", "MiB", "KiB"];
  for (const [index, unit] of units.entries()) {
    const size = 1n << BigInt(10 * (3 - index));
    if (bytes >= size && bytes % size === 0n) return `${bytes / size} ${unit}`;
  }
  return `${bytes} bytes`;
}

/** Time of one CPU in per cent, with one digit where it is not whole: quota 12500 of period 100000 is "12.5 %". */
export function formatPercent(quota: bigint, period: bigint): string {
  const tenths = (quota * 1000n) / period;
  return tenths % 10n === 0n ? `${tenths / 10n} %` : `${tenths / 10n}.${tenths % 10n} %`;
}
