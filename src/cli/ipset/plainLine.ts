import {
  IPSET_ATTR,
  IPSET_ATTR_ADT,
  IPSET_ATTR_CADT,
  IPSET_ATTR_IPADDR,
  IPSET_CMD,
} from '../../ipset/constants.ts';
import { MAX_TIMEOUT } from '../../ipset/timeout.ts';
import { AF } from '../../nfnetlink/constants.ts';
import { attributeLength, NLA, writeAttributeHeader, writeU16be, writeU32be } from '../../nfnetlink/index.ts';
import type { CachedSet } from './kernel.ts';
import type { NetworkDatabase } from './netdb.ts';
import type { RestoreTarget } from './restoreBatch.ts';
import type { PartReader } from './typeGrammar.ts';

const [NEWLINE, SPACE, COMMA, DOT, SLASH, ZERO] = [10, 32, 44, 46, 47, 48] as const;
const ABSENT = -1;

/** What a part of a plain element is: an address, an address or a network, a port with its protocol. */
type PlainPart = 'host' | 'net' | 'port';

const plainParts: Partial<Record<PartReader, PlainPart>> = {
  ip: 'host',
  singleIp: 'host',
  ip4Single6: 'host',
  ip4Net6: 'net',
  protoPort: 'port',
};

const protocols: readonly (readonly [name: string, number: number])[] = [
  ['tcp', 6],
  ['udp', 17],
];
const TCP = 6;

const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1');
const timeoutWord = ascii(' timeout ');

const ADDRESS = attributeLength(attributeLength(4));
/** Attributes of up to four bytes. */
const SMALL = attributeLength(4);

/**
 * The usual line of a restore file, `add NAME 10.0.0.1,tcp:80 timeout 60`, read from its bytes and written as
 * an attribute, without a text or an object for it. Whatever is less plain (another set, names, ranges, IPv6,
 * other options, faults) is left to the parser: this reads nothing that the parser would read otherwise.
 */
export class PlainLine {
  /** Bytes of the element's attributes. */
  payload = 0;
  #target: RestoreTarget | undefined;
  #prefix: Uint8Array = new Uint8Array();
  #parts: readonly PlainPart[] = [];
  #takesTimeout = false;
  #protocolWords: readonly (readonly [word: Uint8Array, number: number])[] = [];
  #bytes: Uint8Array = this.#prefix;
  /** Where reading has come to. */
  #at = 0;
  #addresses = 0;
  readonly #ip = new Uint32Array(2);
  readonly #cidr = new Int16Array(2);
  #port = ABSENT;
  #protocol = ABSENT;
  #timeout = ABSENT;

  /** What the lines that are read do, and to which set; undefined where none is read. */
  get target(): RestoreTarget | undefined {
    return this.#target;
  }

  /** From now on reads lines that do this, if they can be plain. */
  aim(target: RestoreTarget, { type, family }: CachedSet, database: NetworkDatabase): void {
    const parts = type.grammar.parts.map((part) => plainParts[part]);
    this.#target = undefined;
    if (family !== AF.INET || parts.includes(undefined)) return;
    const isAdding = target.command === IPSET_CMD.ADD;
    this.#target = target;
    this.#parts = parts as PlainPart[];
    this.#takesTimeout = isAdding;
    this.#prefix = Buffer.from(`${isAdding ? 'add' : 'del'} ${target.setName} `);
    this.#protocolWords = parts.includes('port')
      ? protocols
          .filter(([name, number]) => database.protocolByName(name) === number)
          .map(([name, number]) => [ascii(`${name}:`), number])
      : [];
  }

  /** Reads no lines until it is aimed again. */
  forget(): void {
    this.#target = undefined;
  }

  /** Reads the line that begins at an offset. @returns where the next one begins, or -1 where it is not plain */
  read(bytes: Uint8Array, start: number): number {
    if (this.#target === undefined) return -1;
    this.#bytes = bytes;
    this.#at = start;
    if (!this.#skip(this.#prefix)) return -1;
    this.#addresses = 0;
    this.#port = ABSENT;
    this.#timeout = ABSENT;
    this.payload = SMALL;
    for (let i = 0; i < this.#parts.length; i++) {
      if (i > 0 && bytes[this.#at++] !== COMMA) return -1;
      const part = this.#parts[i]!;
      if (!(part === 'port' ? this.#readPort() : this.#readAddress(part === 'net'))) return -1;
    }
    if (bytes[this.#at] === SPACE) {
      if (!this.#takesTimeout || !this.#skip(timeoutWord)) return -1;
      this.#timeout = this.#number(MAX_TIMEOUT);
      if (this.#timeout === ABSENT) return -1;
      this.payload += SMALL;
    }
    return bytes[this.#at] === NEWLINE ? this.#at + 1 : -1;
  }

  /** Writes the element that was read, in the order of ipset(8); returns where it ends. */
  write(target: Uint8Array, offset: number, line: number): number {
    let at = writeAttributeHeader(target, offset, IPSET_ATTR.DATA | NLA.F_NESTED, this.payload);
    if (this.#addresses > 0) at = this.#writeAddress(target, at, IPSET_ATTR_CADT.IP, IPSET_ATTR_CADT.CIDR, 0);
    if (this.#port !== ABSENT) {
      writeU16be(
        target,
        writeAttributeHeader(target, at, IPSET_ATTR_CADT.PORT | NLA.F_NET_BYTEORDER, 2),
        this.#port,
      );
      at += SMALL;
    }
    if (this.#timeout !== ABSENT) at = writeWord(target, at, IPSET_ATTR_CADT.TIMEOUT, this.#timeout);
    if (this.#port !== ABSENT) at = writeOctet(target, at, IPSET_ATTR_CADT.PROTO, this.#protocol);
    if (this.#addresses > 1) at = this.#writeAddress(target, at, IPSET_ATTR_ADT.IP2, IPSET_ATTR_ADT.CIDR2, 1);
    return writeWord(target, at, IPSET_ATTR_CADT.LINENO, line);
  }

  #writeAddress(target: Uint8Array, offset: number, type: number, cidrType: number, which: 0 | 1): number {
    const inner = writeAttributeHeader(target, offset, type | NLA.F_NESTED, attributeLength(4));
    const at = writeWord(target, inner, IPSET_ATTR_IPADDR.IPV4, this.#ip[which]!);
    const cidr = this.#cidr[which]!;
    return cidr === ABSENT ? at : writeOctet(target, at, cidrType, cidr);
  }

  /** Four decimal numbers, and for a network the length of its prefix. */
  #readAddress(isNet: boolean): boolean {
    let address = 0;
    for (let i = 0; i < 4; i++) {
      if (i > 0 && this.#bytes[this.#at++] !== DOT) return false;
      const octet = this.#number(255);
      if (octet === ABSENT) return false;
      address = (address << 8) | octet;
    }
    const which = this.#addresses++;
    this.#ip[which] = address;
    this.#cidr[which] = ABSENT;
    this.payload += ADDRESS;
    if (!isNet || this.#bytes[this.#at] !== SLASH) return true;
    this.#at++;
    this.payload += SMALL;
    this.#cidr[which] = this.#number(32);
    return this.#cidr[which] !== ABSENT;
  }

  #readPort(): boolean {
    this.#protocol = TCP;
    for (const [word, number] of this.#protocolWords) {
      if (!this.#skip(word)) continue;
      this.#protocol = number;
      break;
    }
    this.payload += 2 * SMALL;
    this.#port = this.#number(0xffff);
    return this.#port !== ABSENT;
  }

  /** Passes over these bytes, where they are what follows. */
  #skip(expected: Uint8Array): boolean {
    const bytes = this.#bytes;
    const at = this.#at;
    for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
    this.#at = at + expected.length;
    return true;
  }

  /** A decimal number without zeros before it; ABSENT where there is none, or one above `most`. */
  #number(most: number): number {
    const bytes = this.#bytes;
    let at = this.#at;
    let value = bytes[at]! - ZERO;
    if (!(value >= 0 && value <= 9)) return ABSENT;
    if (value !== 0) {
      for (let digit = bytes[++at]! - ZERO; digit >= 0 && digit <= 9; digit = bytes[++at]! - ZERO) {
        value = value * 10 + digit;
        if (value > most) return ABSENT;
      }
    } else at++;
    this.#at = at;
    return value;
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
