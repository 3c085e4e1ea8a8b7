// SPDX-License-Identifier: Apache-2.0
// ECDSA signatures: ECDSA-Sig-Value in DER (RFC 3279 section 2.2.3) to the r||s of JOSE (RFC 7518 section 3.4).

/** The signature as r||s, each of `size` bytes; undefined if the bytes are no such structure. */
export function derToRaw(der: Uint8Array, size: number): Uint8Array | undefined {
  const sequence = readElement(der, 0, 0x30);
  if (sequence === undefined || sequence.end !== der.length) return undefined;
  const r = readElement(der, sequence.start, 0x02);
  const s = r && readElement(der, r.end, 0x02);
  if (r === undefined || s === undefined || s.end !== der.length) return undefined;
  const raw = new Uint8Array(2 * size);
  for (const [index, { start, end }] of [r, s].entries()) {
    let first = start;
    while (first < end && der[first] === 0) first++;
    if (end - first > size) return undefined;
    raw.set(der.subarray(first, end), (index + 1) * size - (end - first));
  }
  return raw;
}

/** The content of the element at an offset. Lengths up to 255: a P-521 signature has 139 bytes at most. */
function readElement(der: Uint8Array, at: number, tag: number): { start: number; end: number } | undefined {
  if (der[at] !== tag) return undefined;
  const isLong = der[at + 1] === 0x81;
  const length = isLong ? der[at + 2] : der[at + 1];
  const start = at + (isLong ? 3 : 2);
  if (length === undefined || (!isLong && length > 0x7f) || start + length > der.length) return undefined;
  return { start, end: start + length };
}
