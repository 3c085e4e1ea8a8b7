// SPDX-License-Identifier: Apache-2.0
// nf_tables over netlink (linux/netfilter/nf_tables.h): tables, chains, sets, named quotas and counters, rules. One
// exchange is one transaction: the kernel takes all of it or nothing. `nft list ruleset` shows what it made.
import type { Host } from "../host/functions.ts";
import { NFTA, writeValue } from "./nftables_attributes.ts";
import type { Expression } from "./nftables_expressions.ts";
import {
  forEachAttribute,
  type NetlinkMessage,
  readAttributes,
  readBe64,
  readMessages,
  readNested,
  readText,
  readTextOf,
} from "./reader.ts";
import { NetlinkWriter, NLM_F_APPEND, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL } from "./writer.ts";

export const NETLINK_NETFILTER = 12;

const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 0x10;
const NFNL_MSG_BATCH_END = 0x11;

const NFT_MSG_NEWTABLE = 0;
const NFT_MSG_GETTABLE = 1;
const NFT_MSG_DELTABLE = 2;
const NFT_MSG_NEWCHAIN = 3;
const NFT_MSG_NEWRULE = 6;
const NFT_MSG_GETRULE = 7;
const NFT_MSG_NEWSET = 9;
const NFT_MSG_NEWSETELEM = 12;
const NFT_MSG_DELSETELEM = 14;
const NFT_MSG_NEWOBJ = 18;
const NFT_MSG_GETOBJ = 19;

/** Both families in one table (NFPROTO_INET). */
export const NFPROTO_INET = 1;
export const NFPROTO_IPV4 = 2;
export const NFPROTO_IPV6 = 10;

const NFT_OBJECT_COUNTER = 1;
const NFT_OBJECT_QUOTA = 2;

const NF_DROP = 0;
const NF_ACCEPT = 1;
const NF_INET_HOOKS = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;

const NFT_SET_INTERVAL = 0x4;
const NFT_SET_TIMEOUT = 0x10;
const NFT_SET_CONCAT = 0x80;
const NFT_SET_ELEM_INTERVAL_END = 0x1;

const NFT_QUOTA_F_INV = 0x1;

/** User data of libnftnl: type, length, value. A rule's comment; and the byte order of a set's keys, 2: the network's. */
const commentUserData = 0;
const networkByteOrder: readonly number[] = [0, 4, 2, 0, 0, 0];
const nfgenmsgBytes = 4;

/** Elements in one message: an attribute holds 64 KiB at most. */
const elementsPerMessage = 1000;

export type ChainHook = keyof typeof NF_INET_HOOKS;

/** `type` nat or filter; lower priorities come first (NF_IP_PRI_*: filter 0, srcnat 100, dstnat -100). */
export type BaseChain = { type: "filter" | "nat"; hook: ChainHook; priority: number; policy: "accept" | "drop" };

/** One field of a set's key: what `nft` calls it, its number there, and its bytes. Padded to four bytes in a key. */
export const setFields = {
  ipv4_addr: { type: 7, bytes: 4 },
  ipv6_addr: { type: 8, bytes: 16 },
  inet_proto: { type: 12, bytes: 1 },
  inet_service: { type: 13, bytes: 2 },
} as const;

export type SetField = keyof typeof setFields;

/** An element from its first to its last key, both included; `timeoutSeconds` 0: it stays. */
export type SetElement = { first: Uint8Array; last: Uint8Array; timeoutSeconds?: number };

export type SetDefinition = { name: string; fields: readonly SetField[]; isInterval: boolean; hasTimeout: boolean };

/** Collects the messages of one transaction on one table of the inet family. */
export class NftablesBatch {
  readonly writer = new NetlinkWriter();
  private readonly table: string;
  private setCount = 0;
  private readonly setIds = new Map<string, number>();

  constructor(table: string) {
    this.table = table;
    this.writeBatchMark(NFNL_MSG_BATCH_BEGIN, "begin a transaction");
  }

  /** Fails with EEXIST if the table is there. `comment`: whose it is. */
  addTable(comment: string): void {
    this.message(`add table "${this.table}"`, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL, (writer) => {
      writer.attributeText(NFTA.table.name, this.table);
      writer.attributeBe32(NFTA.table.flags, 0);
      writeComment(writer, NFTA.table.userData, comment);
    });
  }

  /** With all that is in it. */
  deleteTable(): void {
    this.message(`delete table "${this.table}"`, NFT_MSG_DELTABLE, 0, (writer) => {
      writer.attributeText(NFTA.table.name, this.table);
    });
  }

  /** Without `base`: a chain that rules jump to. */
  addChain(name: string, base: BaseChain | null): void {
    this.message(`add chain "${name}"`, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_EXCL, (writer) => {
      writer.attributeText(NFTA.chain.table, this.table);
      writer.attributeText(NFTA.chain.name, name);
      if (base === null) return;
      writer.nested(NFTA.chain.hook, () => {
        writer.attributeBe32(NFTA.hook.number, NF_INET_HOOKS[base.hook]);
        writer.attributeBe32(NFTA.hook.priority, base.priority);
      });
      writer.attributeBe32(NFTA.chain.policy, base.policy === "drop" ? NF_DROP : NF_ACCEPT);
      writer.attributeText(NFTA.chain.type, base.type);
    });
  }

  addSet({ name, fields, isInterval, hasTimeout }: SetDefinition): void {
    const isConcat = fields.length > 1;
    const id = ++this.setCount;
    this.setIds.set(name, id);
    const flags =
      (isInterval ? NFT_SET_INTERVAL : 0) | (hasTimeout ? NFT_SET_TIMEOUT : 0) | (isConcat ? NFT_SET_CONCAT : 0);
    this.message(`add set "${name}"`, NFT_MSG_NEWSET, NLM_F_CREATE | NLM_F_EXCL, (writer) => {
      writer.attributeText(NFTA.set.table, this.table);
      writer.attributeText(NFTA.set.name, name);
      writer.attributeBe32(NFTA.set.flags, flags);
      writer.attributeBe32(NFTA.set.keyType, keyType(fields));
      writer.attributeBe32(NFTA.set.keyBytes, keyBytes(fields));
      writer.nested(NFTA.set.description, () => {
        if (!isConcat) return;
        writer.nested(NFTA.setDescription.concat, () => {
          for (const field of fields) writeFieldLength(writer, field);
        });
      });
      writer.attributeBe32(NFTA.set.id, id);
      writer.attribute(NFTA.set.userData, () => {
        for (const byte of networkByteOrder) writer.u8(byte);
      });
    });
  }

  /** Elements of a set that this transaction makes, or that is there. */
  addElements(set: SetDefinition, elements: readonly SetElement[]): void {
    this.writeElements("add", NFT_MSG_NEWSETELEM, NLM_F_CREATE, set, elements);
  }

  deleteElements(set: SetDefinition, elements: readonly SetElement[]): void {
    this.writeElements("delete", NFT_MSG_DELSETELEM, 0, set, elements);
  }

  /** A named quota: matches once `bytes` are over; `usedBytes` so far. */
  addQuota(name: string, bytes: number, usedBytes: number): void {
    this.addObject(name, "quota", NFT_OBJECT_QUOTA, (writer) => {
      writer.attributeBe64(NFTA.quota.bytes, bytes);
      writer.attributeBe32(NFTA.quota.flags, NFT_QUOTA_F_INV);
      writer.attributeBe64(NFTA.quota.consumed, usedBytes);
    });
  }

  addCounter(name: string, packets: number, bytes: number): void {
    this.addObject(name, "counter", NFT_OBJECT_COUNTER, (writer) => {
      writer.attributeBe64(NFTA.counter.bytes, bytes);
      writer.attributeBe64(NFTA.counter.packets, packets);
    });
  }

  /** A rule at the end of a chain. `comment`: at most 127 characters, shown by nft, for people. */
  addRule(chain: string, expressions: readonly Expression[], comment: string): void {
    const label = `add rule "${comment}" to chain "${chain}"`;
    this.message(label, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, (writer) => {
      writer.attributeText(NFTA.rule.table, this.table);
      writer.attributeText(NFTA.rule.chain, chain);
      writer.nested(NFTA.rule.expressions, () => {
        for (const expression of expressions) writer.nested(NFTA.list.element, () => this.writeExpression(expression));
      });
      writeComment(writer, NFTA.rule.userData, comment);
    });
  }

  /** The number by which rules of this transaction name a set. */
  setId(name: string): number {
    return this.setIds.get(name) ?? 0;
  }

  /**
   * Makes all of it real, or nothing.
   * @param namespace path of the network namespace; "" for ours
   * @throws EdgerunError HOST with the label of the step that failed
   */
  commit(host: Host, namespace: string): void {
    this.writeBatchMark(NFNL_MSG_BATCH_END, "end a transaction");
    host.netlinkExchange(namespace, NETLINK_NETFILTER, this.writer.finish(), this.writer.labels);
  }

  private writeExpression({ name, write }: Expression): void {
    this.writer.attributeText(NFTA.expression.name, name);
    this.writer.nested(NFTA.expression.data, () => write(this.writer, this));
  }

  private addObject(name: string, kind: string, type: number, data: (writer: NetlinkWriter) => void): void {
    this.message(`add ${kind} "${name}"`, NFT_MSG_NEWOBJ, NLM_F_CREATE | NLM_F_EXCL, (writer) => {
      writer.attributeText(NFTA.object.table, this.table);
      writer.attributeText(NFTA.object.name, name);
      writer.attributeBe32(NFTA.object.type, type);
      writer.nested(NFTA.object.data, () => data(writer));
    });
  }

  private writeElements(
    verb: string,
    type: number,
    flags: number,
    set: SetDefinition,
    elements: readonly SetElement[],
  ): void {
    for (let start = 0; start < elements.length; start += elementsPerMessage) {
      const part = elements.slice(start, start + elementsPerMessage);
      this.message(`${verb} elements of set "${set.name}"`, type, flags, (writer) => {
        writer.attributeText(NFTA.elements.table, this.table);
        writer.attributeText(NFTA.elements.set, set.name);
        writer.nested(NFTA.elements.list, () => {
          for (const element of part) writeElement(writer, set, element);
        });
        const id = this.setId(set.name);
        if (id !== 0) writer.attributeBe32(NFTA.elements.setId, id);
      });
    }
  }

  private message(label: string, type: number, flags: number, body: (writer: NetlinkWriter) => void): void {
    this.writer.message(label, (NFNL_SUBSYS_NFTABLES << 8) | type, flags, () => {
      writeHeader(this.writer, NFPROTO_INET, 0);
      body(this.writer);
    });
  }

  private writeBatchMark(type: number, label: string): void {
    this.writer.message(label, type, 0, () => writeHeader(this.writer, 0, NFNL_SUBSYS_NFTABLES));
  }
}

/** libnftnl's user data: type, length, text with its NUL. */
function writeComment(writer: NetlinkWriter, attribute: number, comment: string): void {
  if (comment === "") return;
  writer.attribute(attribute, () => {
    writer.u8(commentUserData);
    writer.u8(comment.length + 1);
    writer.text(comment);
    writer.u8(0);
  });
}

function readComment(userData: Uint8Array | undefined): string {
  return userData?.[0] === commentUserData ? readText(userData.subarray(2)) : "";
}

/** struct nfgenmsg. */
function writeHeader(writer: NetlinkWriter, family: number, resource: number): void {
  writer.u8(family);
  writer.u8(0);
  writer.be16(resource);
}

function keyType(fields: readonly SetField[]): number {
  let type = 0;
  for (const field of fields) type = type * 64 + setFields[field].type;
  return type;
}

/** Bytes of a key: of a single field as it is, of several each padded to a register of four. */
function keyBytes(fields: readonly SetField[]): number {
  if (fields.length === 1) return setFields[fields[0]!].bytes;
  return fields.reduce((sum, field) => sum + ((setFields[field].bytes + 3) & ~3), 0);
}

function writeFieldLength(writer: NetlinkWriter, field: SetField): void {
  writer.nested(NFTA.list.element, () => writer.attributeBe32(NFTA.setField.bytes, setFields[field].bytes));
}

function writeElement(writer: NetlinkWriter, set: SetDefinition, element: SetElement): void {
  const { first, last, timeoutSeconds = 0 } = element;
  const isConcat = set.fields.length > 1;
  writer.nested(NFTA.list.element, () => {
    writeValue(writer, NFTA.element.key, first);
    if (set.isInterval && isConcat) writeValue(writer, NFTA.element.keyEnd, last);
    if (timeoutSeconds > 0) writer.attributeBe64(NFTA.element.timeoutMs, timeoutSeconds * 1000);
  });
  // A single field's interval is two elements: its first key, and behind its last one an end.
  if (!set.isInterval || isConcat) return;
  const end = successor(last);
  if (end === undefined) return; // to the end of all keys
  writer.nested(NFTA.list.element, () => {
    writer.attributeBe32(NFTA.element.flags, NFT_SET_ELEM_INTERVAL_END);
    writeValue(writer, NFTA.element.key, end);
  });
}

/** The key after this one; undefined after the last. */
function successor(key: Uint8Array): Uint8Array | undefined {
  const next = key.slice();
  for (let at = next.length - 1; at >= 0; at--) {
    next[at] = (next[at]! + 1) & 0xff;
    if (next[at] !== 0) return next;
  }
  return undefined;
}

export type Table = { name: string; comment: string };

/** The tables of the inet family. */
export function listTables(host: Host, namespace: string): Table[] {
  return dump(host, namespace, null, NFT_MSG_GETTABLE, "list tables").map(({ payload }) => {
    const table = readAttributes(payload, nfgenmsgBytes);
    return { name: readTextOf(table, NFTA.table.name), comment: readComment(table.get(NFTA.table.userData)) };
  });
}

export type ObjectCount = {
  kind: "quota" | "counter";
  name: string;
  bytes: number;
  packets: number;
  limitBytes: number;
};

/** The named quotas (`bytes`: used) and counters of a table; none if there is no such table. */
export function listObjects(host: Host, namespace: string, table: string): ObjectCount[] {
  const counts: ObjectCount[] = [];
  for (const { payload } of dump(host, namespace, table, NFT_MSG_GETOBJ, `list objects of table "${table}"`)) {
    const object = readAttributes(payload, nfgenmsgBytes);
    if (readTextOf(object, NFTA.object.table) !== table) continue;
    const data = readNested(object, NFTA.object.data);
    const type = object.get(NFTA.object.type)?.[3];
    const name = readTextOf(object, NFTA.object.name);
    const number = (attribute: number): number => {
      const value = data.get(attribute);
      return value === undefined ? 0 : readBe64(value, 0);
    };
    if (type === NFT_OBJECT_QUOTA) {
      const [bytes, limitBytes] = [number(NFTA.quota.consumed), number(NFTA.quota.bytes)];
      counts.push({ kind: "quota", name, bytes, packets: 0, limitBytes });
    } else if (type === NFT_OBJECT_COUNTER) {
      const [bytes, packets] = [number(NFTA.counter.bytes), number(NFTA.counter.packets)];
      counts.push({ kind: "counter", name, bytes, packets, limitBytes: 0 });
    }
  }
  return counts;
}

export type RuleCount = { chain: string; comment: string; packets: number; bytes: number };

/** What the counters in a table's rules say, in the order of the rules. Rules without a counter are left out. */
export function listRuleCounts(host: Host, namespace: string, table: string): RuleCount[] {
  const counts: RuleCount[] = [];
  for (const { payload } of dump(host, namespace, table, NFT_MSG_GETRULE, `list rules of table "${table}"`)) {
    const rule = readAttributes(payload, nfgenmsgBytes);
    if (readTextOf(rule, NFTA.rule.table) !== table) continue;
    const expressions = rule.get(NFTA.rule.expressions);
    if (expressions === undefined) continue;
    forEachAttribute(expressions, 0, (_type, expression) => {
      const parts = readAttributes(expression, 0);
      if (readTextOf(parts, NFTA.expression.name) !== "counter") return;
      const data = readNested(parts, NFTA.expression.data);
      counts.push({
        chain: readTextOf(rule, NFTA.rule.chain),
        comment: readComment(rule.get(NFTA.rule.userData)),
        bytes: readBe64(data.get(NFTA.counter.bytes)!, 0),
        packets: readBe64(data.get(NFTA.counter.packets)!, 0),
      });
    });
  }
  return counts;
}

function dump(host: Host, namespace: string, table: string | null, type: number, label: string): NetlinkMessage[] {
  const writer = new NetlinkWriter();
  writer.message(label, (NFNL_SUBSYS_NFTABLES << 8) | type, NLM_F_DUMP, () => {
    writeHeader(writer, NFPROTO_INET, 0);
    if (table !== null) writer.attributeText(NFTA.object.table, table);
  });
  return readMessages(host.netlinkExchange(namespace, NETLINK_NETFILTER, writer.finish(), writer.labels));
}
