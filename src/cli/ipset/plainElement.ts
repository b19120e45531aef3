import {
  IPSET_ATTR,
  IPSET_ATTR_ADT,
  IPSET_ATTR_CADT,
  IPSET_ATTR_IPADDR,
  IPSET_CADT_FLAG,
} from '../../ipset/constants.ts';
import { attributeLength, NLA, writeAttributeHeader, writeU16be, writeU32be } from '../../nfnetlink/index.ts';

/** What an element has no value for. */
export const ABSENT = -1;

/** Attributes of up to four bytes, and of eight. */
const SMALL = attributeLength(4);
const WIDE = attributeLength(8);

const HEADER = 4;
/** What ipset(8) keeps free for a comment, whatever its length. */
const COMMENT_ROOM = 256;

/**
 * An element of one or two addresses, a port and the usual extensions, as numbers and bytes: the same object
 * for every line of a restore file. Written as ipset(8) writes it, attribute by attribute in its order.
 */
export class PlainElement {
  /** The addresses in network order, 16 bytes apart. */
  readonly addresses = new Uint8Array(32);
  /** Bytes of one: 4 or 16. */
  addressLength = 4;
  addressCount = 0;
  readonly cidrs = new Int16Array(2);
  port = ABSENT;
  protocol = ABSENT;
  timeout = ABSENT;
  isNomatch = false;
  /** Counters, as far as a number holds them. */
  packets = ABSENT;
  bytes = ABSENT;
  /** Where a comment stands; both equal where there is none. */
  commentFrom: Uint8Array = new Uint8Array();
  commentStart = 0;
  commentEnd = 0;

  clear(): void {
    this.addressCount = 0;
    this.port = ABSENT;
    this.timeout = ABSENT;
    this.isNomatch = false;
    this.packets = ABSENT;
    this.bytes = ABSENT;
    this.commentEnd = this.commentStart;
  }

  get hasComment(): boolean {
    return this.commentEnd > this.commentStart;
  }

  /** Bytes of its attributes. */
  get payload(): number {
    const comment = this.commentEnd - this.commentStart;
    return this.#beforeComment + (comment > 0 ? attributeLength(comment + 1) : 0) + SMALL;
  }

  /** How far the attributes reach, where a comment had the room that ipset(8) keeps free for it; 0 without. */
  readonly reservedEnd = (): number => (this.hasComment ? this.#beforeComment + HEADER + COMMENT_ROOM : 0);

  get #beforeComment(): number {
    let length = this.addressCount * attributeLength(attributeLength(this.addressLength));
    for (let i = 0; i < this.addressCount; i++) if (this.cidrs[i] !== ABSENT) length += SMALL;
    if (this.port !== ABSENT) length += 2 * SMALL;
    if (this.timeout !== ABSENT) length += SMALL;
    if (this.isNomatch) length += SMALL;
    if (this.packets !== ABSENT) length += WIDE;
    if (this.bytes !== ABSENT) length += WIDE;
    return length;
  }

  /** Writes it with the line that it stands in; returns where it ends. */
  write(target: Uint8Array, offset: number, line: number): number {
    let at = writeAttributeHeader(target, offset, IPSET_ATTR.DATA | NLA.F_NESTED, this.payload);
    if (this.addressCount > 0) at = this.#writeAddress(target, at, 0);
    if (this.port !== ABSENT) {
      const type = IPSET_ATTR_CADT.PORT | NLA.F_NET_BYTEORDER;
      writeU16be(target, writeAttributeHeader(target, at, type, 2), this.port);
      at += SMALL;
    }
    if (this.timeout !== ABSENT) at = writeWord(target, at, IPSET_ATTR_CADT.TIMEOUT, this.timeout);
    if (this.port !== ABSENT) at = writeOctet(target, at, IPSET_ATTR_CADT.PROTO, this.protocol);
    if (this.isNomatch) at = writeWord(target, at, IPSET_ATTR_CADT.CADT_FLAGS, IPSET_CADT_FLAG.NOMATCH);
    if (this.addressCount > 1) at = this.#writeAddress(target, at, 1);
    if (this.bytes !== ABSENT) at = writeCounter(target, at, IPSET_ATTR_ADT.BYTES, this.bytes);
    if (this.packets !== ABSENT) at = writeCounter(target, at, IPSET_ATTR_ADT.PACKETS, this.packets);
    if (this.hasComment) at = this.#writeComment(target, at);
    return writeWord(target, at, IPSET_ATTR_CADT.LINENO, line);
  }

  #writeAddress(target: Uint8Array, offset: number, which: 0 | 1): number {
    const { addressLength, addresses } = this;
    const type = which === 0 ? IPSET_ATTR_CADT.IP : IPSET_ATTR_ADT.IP2;
    const inner = addressLength === 4 ? IPSET_ATTR_IPADDR.IPV4 : IPSET_ATTR_IPADDR.IPV6;
    let at = writeAttributeHeader(target, offset, type | NLA.F_NESTED, attributeLength(addressLength));
    at = writeAttributeHeader(target, at, inner | NLA.F_NET_BYTEORDER, addressLength);
    for (let i = 0; i < addressLength; i++) target[at++] = addresses[16 * which + i]!;
    const cidr = this.cidrs[which]!;
    if (cidr === ABSENT) return at;
    return writeOctet(target, at, which === 0 ? IPSET_ATTR_CADT.CIDR : IPSET_ATTR_ADT.CIDR2, cidr);
  }

  #writeComment(target: Uint8Array, offset: number): number {
    const length = this.commentEnd - this.commentStart;
    let at = writeAttributeHeader(target, offset, IPSET_ATTR_ADT.COMMENT, length + 1);
    for (let i = this.commentStart; i < this.commentEnd; i++) target[at++] = this.commentFrom[i]!;
    target[at] = 0;
    return offset + attributeLength(length + 1);
  }
}

function writeWord(target: Uint8Array, offset: number, type: number, value: number): number {
  writeU32be(target, writeAttributeHeader(target, offset, type | NLA.F_NET_BYTEORDER, 4), value);
  return offset + SMALL;
}

function writeOctet(target: Uint8Array, offset: number, type: number, value: number): number {
  target[writeAttributeHeader(target, offset, type, 1)] = value;
  return offset + SMALL;
}

/** A whole number below 2^53 as 64 bits. */
function writeCounter(target: Uint8Array, offset: number, type: number, value: number): number {
  const at = writeAttributeHeader(target, offset, type | NLA.F_NET_BYTEORDER, 8);
  writeU32be(target, at, Math.floor(value / 0x1_0000_0000));
  writeU32be(target, at + 4, value >>> 0);
  return offset + WIDE;
}
