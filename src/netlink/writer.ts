// SPDX-License-Identifier: Apache-2.0
// Netlink messages (netlink(7)) as bytes: header, family header, attributes (type, length, value), each padded to four
// bytes. Integers are in the machine's order, which is little-endian on every machine that edgerun is built for, or in
// the network's (be16, be32, be64), which nf_tables uses.

export const NLM_F_REQUEST = 0x1;
export const NLM_F_ACK = 0x4;
export const NLM_F_DUMP = 0x300;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;

const NLA_F_NESTED = 0x8000;
/** struct nlmsghdr. */
export const netlinkHeaderBytes = 16;

/** Collects the messages of one host.netlinkExchange(); their sequence numbers count from 1. */
export class NetlinkWriter {
  /** What each message does, for the error of the one that fails. */
  readonly labels: string[] = [];
  private buffer = new Uint8Array(4096);
  private size = 0;

  /** One message; `body` writes what follows the header. */
  message(label: string, type: number, flags: number, body: () => void): void {
    const start = this.size;
    this.labels.push(label);
    this.u32(0); // the length, below
    this.u16(type);
    this.u16(flags | NLM_F_REQUEST);
    this.u32(this.labels.length);
    this.u32(0); // port: the kernel knows it
    body();
    this.patchU32(start, this.size - start);
    this.pad();
  }

  attribute(type: number, body: () => void): void {
    const start = this.size;
    this.u16(0);
    this.u16(type);
    body();
    const length = this.size - start;
    if (length > 0xffff) throw new TypeError(`a netlink attribute of ${length} bytes`);
    this.buffer[start] = length & 0xff;
    this.buffer[start + 1] = length >> 8;
    this.pad();
  }

  /** An attribute that holds attributes. */
  nested(type: number, body: () => void): void {
    this.attribute(type | NLA_F_NESTED, body);
  }

  attributeU8(type: number, value: number): void {
    this.attribute(type, () => this.u8(value));
  }

  attributeU32(type: number, value: number): void {
    this.attribute(type, () => this.u32(value));
  }

  attributeBe32(type: number, value: number): void {
    this.attribute(type, () => this.be32(value));
  }

  attributeBe64(type: number, value: number): void {
    this.attribute(type, () => this.be64(value));
  }

  attributeBytes(type: number, value: Uint8Array): void {
    this.attribute(type, () => this.bytes(value));
  }

  /** With the NUL that the kernel expects at its end. */
  attributeText(type: number, value: string): void {
    this.attribute(type, () => {
      this.text(value);
      this.u8(0);
    });
  }

  u8(value: number): void {
    if (this.size === this.buffer.length) this.grow(1);
    this.buffer[this.size++] = value;
  }

  u16(value: number): void {
    this.u8(value & 0xff);
    this.u8((value >> 8) & 0xff);
  }

  u32(value: number): void {
    this.u16(value & 0xffff);
    this.u16(value >>> 16);
  }

  be16(value: number): void {
    this.u8((value >> 8) & 0xff);
    this.u8(value & 0xff);
  }

  be32(value: number): void {
    this.be16(value >>> 16);
    this.be16(value & 0xffff);
  }

  /** A safe integer. */
  be64(value: number): void {
    this.be32(Math.floor(value / 0x1_0000_0000));
    this.be32(value % 0x1_0000_0000);
  }

  /** A safe integer, as two words of the machine's order. */
  u64(value: number): void {
    this.u32(value % 0x1_0000_0000);
    this.u32(Math.floor(value / 0x1_0000_0000));
  }

  bytes(value: Uint8Array): void {
    this.grow(value.length);
    this.buffer.set(value, this.size);
    this.size += value.length;
  }

  /** ASCII, as all names in these protocols are. */
  text(value: string): void {
    for (let at = 0; at < value.length; at++) {
      const code = value.charCodeAt(at);
      if (code === 0 || code > 0x7e) throw new TypeError(`"${value}" in a netlink message`);
      this.u8(code);
    }
  }

  zeros(count: number): void {
    for (let at = 0; at < count; at++) this.u8(0);
  }

  /** All messages. */
  finish(): Uint8Array {
    return this.buffer.subarray(0, this.size);
  }

  private pad(): void {
    this.zeros(-this.size & 3);
  }

  private patchU32(at: number, value: number): void {
    this.buffer[at] = value & 0xff;
    this.buffer[at + 1] = (value >> 8) & 0xff;
    this.buffer[at + 2] = (value >> 16) & 0xff;
    this.buffer[at + 3] = value >>> 24;
  }

  private grow(count: number): void {
    if (this.size + count <= this.buffer.length) return;
    const larger = new Uint8Array(Math.max(2 * this.buffer.length, this.size + count));
    larger.set(this.buffer);
    this.buffer = larger;
  }
}
