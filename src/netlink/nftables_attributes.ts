// SPDX-License-Identifier: Apache-2.0
// The numbers of nf_tables' attributes (linux/netfilter/nf_tables.h, enum nft_..._attributes), by what they belong to.

import type { NetlinkWriter } from "./writer.ts";

export const NFTA = {
  table: { name: 1, flags: 2, userData: 6 },
  chain: { table: 1, name: 3, hook: 4, policy: 5, type: 7 },
  hook: { number: 1, priority: 2 },
  rule: { table: 1, chain: 2, expressions: 4, userData: 7 },
  set: { table: 1, name: 2, flags: 3, keyType: 4, keyBytes: 5, description: 9, id: 10, userData: 13 },
  setDescription: { concat: 2 },
  setField: { bytes: 1 },
  elements: { table: 1, set: 2, list: 3, setId: 4 },
  element: { key: 1, flags: 3, timeoutMs: 4, keyEnd: 10 },
  object: { table: 1, name: 2, type: 3, data: 4 },
  quota: { bytes: 1, flags: 2, consumed: 4 },
  counter: { bytes: 1, packets: 2 },
  /** An entry of any list. */
  list: { element: 1 },
  data: { value: 1, verdict: 2 },
  verdict: { code: 1, chain: 2 },
  expression: { name: 1, data: 2 },
  immediate: { register: 1, data: 2 },
  meta: { register: 1, key: 2 },
  payload: { register: 1, base: 2, offset: 3, bytes: 4 },
  compare: { register: 1, operator: 2, data: 3 },
  range: { register: 1, operator: 2, from: 3, to: 4 },
  bitwise: { source: 1, register: 2, bytes: 3, mask: 4, xor: 5 },
  lookup: { set: 1, register: 2, setId: 4, flags: 5 },
  conntrack: { register: 1, key: 2 },
  limit: { rate: 1, unit: 2, burst: 3, type: 4, flags: 5 },
  connectionLimit: { count: 1, flags: 2 },
  objectReference: { type: 1, name: 2 },
  log: { group: 1, prefix: 2, snapLength: 3 },
  reject: { type: 1, code: 2 },
  nat: { type: 1, family: 2, addressMin: 3, portMin: 5 },
} as const;

/** A value, as keys and comparisons hold it. */
export function writeValue(writer: NetlinkWriter, attribute: number, value: Uint8Array): void {
  writer.nested(attribute, () => writer.attributeBytes(NFTA.data.value, value));
}
