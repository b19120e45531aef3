import { IPSET_CMD, IPSET_MAX_COMMENT_SIZE } from '../../ipset/constants.ts';
import { MAX_TIMEOUT } from '../../ipset/timeout.ts';
import { AF } from '../../nfnetlink/constants.ts';
import type { CachedSet } from './kernel.ts';
import type { NetworkDatabase } from './netdb.ts';
import { ABSENT, PlainElement } from './plainElement.ts';
import type { RestoreTarget } from './restoreBatch.ts';
import type { PartReader } from './typeGrammar.ts';

const [NEWLINE, SPACE, QUOTE, COMMA, DASH] = [10, 32, 34, 44, 45] as const;
const [DOT, SLASH, ZERO, COLON] = [46, 47, 48, 58] as const;

/** What a part of a plain element is: an address, an address or a network, a port with its protocol. */
type PlainPart = 'host' | 'net' | 'port';

const plainParts: Partial<Record<PartReader, PlainPart>> = {
  ip: 'host',
  singleIp: 'host',
  ip4Single6: 'host',
  ip4Net6: 'net',
  protoPort: 'port',
};

const TCP = 6;
const protocols = { tcp: TCP, udp: 17 } as const;

const ascii = (text: string): Uint8Array => Buffer.from(text, 'latin1');

/** The options that `save` prints, in its order. */
const WORD = {
  timeout: ascii(' timeout '),
  nomatch: ascii(' nomatch'),
  packets: ascii(' packets '),
  bytes: ascii(' bytes '),
  comment: ascii(' comment "'),
} as const;

type Option = keyof typeof WORD;

/** Counters of more digits are left to the parser. */
const MOST_COUNTER = 999_999_999_999_999;

/**
 * The usual lines of a restore file, `add NAME 10.0.0.1,tcp:80 timeout 60`, read from their bytes, without a
 * text or an object for one. Whatever is less plain (another set, names, ranges, other options, faults) is
 * left to the parser: this reads nothing that the parser would read otherwise.
 */
export class PlainLine {
  /** The element of the line that was read last. */
  readonly element = new PlainElement();
  #target: RestoreTarget | undefined;
  #prefix: Uint8Array = new Uint8Array();
  #parts: readonly PlainPart[] = [];
  #options: ReadonlySet<Option> = new Set();
  #protocolWords: readonly (readonly [word: Uint8Array, number: number])[] = [];
  #bytes: Uint8Array = this.#prefix;
  /** Where reading has come to. */
  #at = 0;

  /** What the lines that are read do, and to which set; undefined where none is read. */
  get target(): RestoreTarget | undefined {
    return this.#target;
  }

  /** From now on reads lines that do this, if they can be plain. */
  aim(target: RestoreTarget, { type, family }: CachedSet, database: NetworkDatabase): void {
    const { grammar, revision } = type;
    const parts = grammar.parts.map((part) => plainParts[part]);
    this.#target = undefined;
    if (parts.includes(undefined)) return;
    this.#target = target;
    this.#parts = parts as PlainPart[];
    this.element.addressLength = family === AF.INET6 ? 16 : 4;
    const isAdding = target.command === IPSET_CMD.ADD;
    this.#prefix = Buffer.from(`${isAdding ? 'add' : 'del'} ${target.setName} `);
    const { timeout, nomatch, counters, comment } = type.type.since;
    const since = { timeout, nomatch, packets: counters, bytes: counters, comment };
    this.#options = new Set(
      isAdding
        ? (Object.keys(WORD) as Option[]).filter((word) => (since[word] ?? revision + 1) <= revision)
        : [],
    );
    this.#protocolWords = parts.includes('port')
      ? Object.entries(protocols)
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
    this.element.clear();
    for (let i = 0; i < this.#parts.length; i++) {
      if (i > 0 && bytes[this.#at++] !== COMMA) return -1;
      const part = this.#parts[i]!;
      if (!(part === 'port' ? this.#readPort() : this.#readAddress(part === 'net'))) return -1;
    }
    if (bytes[this.#at] === SPACE && !this.#readOptions()) return -1;
    return bytes[this.#at] === NEWLINE ? this.#at + 1 : -1;
  }

  #readOptions(): boolean {
    const { element } = this;
    if (this.#takes('timeout')) {
      element.timeout = this.#number(MAX_TIMEOUT);
      if (element.timeout === ABSENT) return false;
    }
    if (this.#takes('nomatch')) element.isNomatch = true;
    if (this.#takes('packets')) {
      element.packets = this.#number(MOST_COUNTER);
      if (element.packets === ABSENT) return false;
    }
    if (this.#takes('bytes')) {
      element.bytes = this.#number(MOST_COUNTER);
      if (element.bytes === ABSENT) return false;
    }
    return !this.#takes('comment') || this.#readComment();
  }

  #takes(option: Option): boolean {
    return this.#options.has(option) && this.#skip(WORD[option]);
  }

  #readComment(): boolean {
    const { element } = this;
    const bytes = this.#bytes;
    let end = this.#at;
    // printable ASCII, which is what it is in every reading
    while (bytes[end]! >= SPACE && bytes[end]! < 0x7f && bytes[end] !== QUOTE) end++;
    const length = end - this.#at;
    // with a dash it might be an option of the command line
    if (bytes[this.#at] === DASH || bytes[end] !== QUOTE || length === 0 || length > IPSET_MAX_COMMENT_SIZE)
      return false;
    element.commentFrom = bytes;
    element.commentStart = this.#at;
    element.commentEnd = end;
    this.#at = end + 1;
    return true;
  }

  /** An address, and for a network the length of its prefix. */
  #readAddress(isNet: boolean): boolean {
    const { element } = this;
    const which = element.addressCount++;
    const isIpv4 = element.addressLength === 4;
    if (!(isIpv4 ? this.#readIpv4(16 * which) : this.#readIpv6(16 * which))) return false;
    element.cidrs[which] = ABSENT;
    if (!isNet || this.#bytes[this.#at] !== SLASH) return true;
    this.#at++;
    const cidr = this.#number(isIpv4 ? 32 : 128);
    element.cidrs[which] = cidr;
    return cidr !== ABSENT;
  }

  /** Four decimal numbers. */
  #readIpv4(offset: number): boolean {
    for (let i = 0; i < 4; i++) {
      if (i > 0 && this.#bytes[this.#at++] !== DOT) return false;
      const octet = this.#number(255);
      if (octet === ABSENT) return false;
      this.element.addresses[offset + i] = octet;
    }
    return true;
  }

  /** Groups of up to four hexadecimal digits, of which one run of zeros may be left out. */
  #readIpv6(offset: number): boolean {
    const { addresses } = this.element;
    const bytes = this.#bytes;
    let groups = 0;
    /** How many groups stand before the gap. */
    let gap = ABSENT;
    if (bytes[this.#at] === COLON && bytes[this.#at + 1] === COLON) {
      gap = 0;
      this.#at += 2;
    }
    for (;;) {
      if (hexadecimal(bytes[this.#at]) === ABSENT) {
        // only a gap may be the end
        if (gap !== groups) return false;
        break;
      }
      const group = this.#group();
      if (group === ABSENT || groups === 8) return false;
      addresses[offset + 2 * groups] = group >> 8;
      addresses[offset + 2 * groups + 1] = group;
      groups++;
      if (bytes[this.#at] !== COLON) break;
      this.#at++;
      if (bytes[this.#at] !== COLON) continue;
      if (gap !== ABSENT) return false;
      gap = groups;
      this.#at++;
    }
    if (gap === ABSENT) return groups === 8;
    if (groups === 8) return false;
    const end = offset + 16;
    const behind = 2 * (groups - gap);
    addresses.copyWithin(end - behind, offset + 2 * gap, offset + 2 * groups);
    addresses.fill(0, offset + 2 * gap, end - behind);
    return true;
  }

  /** Up to four hexadecimal digits; ABSENT where there is a fifth. */
  #group(): number {
    let value = 0;
    let digits = 0;
    for (let digit = hexadecimal(this.#bytes[this.#at]); digit !== ABSENT; digits++) {
      value = value * 16 + digit;
      digit = hexadecimal(this.#bytes[++this.#at]);
    }
    return digits > 4 ? ABSENT : value;
  }

  #readPort(): boolean {
    const { element } = this;
    element.protocol = TCP;
    for (const [word, number] of this.#protocolWords) {
      if (!this.#skip(word)) continue;
      element.protocol = number;
      break;
    }
    element.port = this.#number(0xffff);
    return element.port !== ABSENT;
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
    if (value === 0) at++;
    else {
      for (let digit = bytes[++at]! - ZERO; digit >= 0 && digit <= 9; digit = bytes[++at]! - ZERO) {
        value = value * 10 + digit;
        if (value > most) return ABSENT;
      }
    }
    this.#at = at;
    return value;
  }
}

/** The value of a hexadecimal digit, or ABSENT. */
function hexadecimal(byte: number | undefined): number {
  if (byte === undefined) return ABSENT;
  if (byte >= ZERO && byte <= ZERO + 9) return byte - ZERO;
  const letter = byte | 0x20;
  return letter >= 97 && letter <= 102 ? letter - 87 : ABSENT;
}
