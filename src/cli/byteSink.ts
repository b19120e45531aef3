import { formatIpv6 } from '../nfnetlink/address.ts';

const ZERO = 48;
/** What a line may need beyond `text`, which makes room for itself: fixed words, numbers and addresses. */
const LINE_ROOM = 4096;
const SAFE_HIGH_WORD = 0x1f_ffff;

/** The bytes of a word that is printed over and over. */
export function ascii(text: string): Uint8Array {
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/**
 * Text as bytes, written in place: strings that are joined and encoded cost several times as much.
 * `beginLine` makes room for all that a line can hold but its `text`.
 */
export class ByteSink {
  bytes: Uint8Array;
  length = 0;

  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
  }

  beginLine(): void {
    this.ensure(LINE_ROOM);
  }

  /** Fixed text, by `ascii`. */
  put(word: Uint8Array): void {
    const { bytes } = this;
    let at = this.length;
    for (let i = 0; i < word.length; i++) bytes[at++] = word[i]!;
    this.length = at;
  }

  /** One character, by its code. */
  character(code: number): void {
    this.bytes[this.length++] = code;
  }

  /** Any text, as UTF-8. */
  text(text: string): void {
    const encoded = Buffer.from(text);
    this.ensure(encoded.length + LINE_ROOM);
    this.bytes.set(encoded, this.length);
    this.length += encoded.length;
  }

  /** Bytes as they are, of a line for which `beginLine` has made room. */
  copy(source: Uint8Array, start: number, end: number): void {
    const { bytes } = this;
    let at = this.length;
    for (let i = start; i < end; i++) bytes[at++] = source[i]!;
    this.length = at;
  }

  /** Takes back what was written from an offset on, a character a byte: `binary` writes it again. */
  takeFrom(start: number): string {
    const { bytes, length } = this;
    this.length = start;
    return Buffer.from(bytes.buffer, bytes.byteOffset + start, length - start).toString('latin1');
  }

  /** Text of which each character is a byte. */
  binary(text: string): void {
    this.ensure(text.length + LINE_ROOM);
    const { bytes } = this;
    let at = this.length;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.length = at;
  }

  /** What was written from an offset on becomes the inside of a JSON string. */
  escapeFrom(start: number): void {
    const { bytes, length } = this;
    let at = start;
    while (at < length && isPlainJson(bytes[at]!)) at++;
    if (at === length) return;
    const text = Buffer.from(this.takeFrom(start), 'latin1').toString();
    this.text(JSON.stringify(text).slice(1, -1));
  }

  /** A whole number from 0 to 2^53 - 1 in decimal. */
  number(value: number): void {
    const { bytes } = this;
    let digits = 1;
    for (let limit = 10; value >= limit; limit *= 10) digits++;
    const start = this.length;
    let rest = value;
    for (let at = start + digits - 1; at >= start; at--) {
      // numbers of 32 bits, nearly all, are divided as integers
      const quotient = rest <= 0x7fffffff ? ((rest | 0) / 10) | 0 : Math.floor(rest / 10);
      bytes[at] = ZERO + (rest - quotient * 10);
      rest = quotient;
    }
    this.length = start + digits;
  }

  /** Eight bytes in network order, in decimal. */
  u64(source: Uint8Array, at: number): void {
    const high = u32(source, at);
    const low = u32(source, at + 4);
    if (high <= SAFE_HIGH_WORD) this.number(high * 0x1_0000_0000 + low);
    else this.text(String((BigInt(high) << 32n) | BigInt(low)));
  }

  hexadecimal(value: number): void {
    this.put(ascii(value.toString(16)));
  }

  /** An IPv4 address, its first byte uppermost. */
  ipv4(address: number): void {
    this.octet(address >>> 24);
    this.bytes[this.length++] = 46;
    this.octet((address >>> 16) & 0xff);
    this.bytes[this.length++] = 46;
    this.octet((address >>> 8) & 0xff);
    this.bytes[this.length++] = 46;
    this.octet(address & 0xff);
  }

  private octet(value: number): void {
    const { bytes } = this;
    let at = this.length;
    if (value >= 100) {
      const hundreds = (value / 100) | 0;
      bytes[at++] = ZERO + hundreds;
      const rest = value - hundreds * 100;
      const tens = (rest / 10) | 0;
      bytes[at++] = ZERO + tens;
      bytes[at++] = ZERO + rest - tens * 10;
    } else if (value >= 10) {
      const tens = (value / 10) | 0;
      bytes[at++] = ZERO + tens;
      bytes[at++] = ZERO + value - tens * 10;
    } else bytes[at++] = ZERO + value;
    this.length = at;
  }

  /** Sixteen bytes as an IPv6 address. */
  ipv6(source: Uint8Array, at: number): void {
    this.binary(formatIpv6(source, at));
  }

  private ensure(room: number): void {
    if (this.length + room <= this.bytes.length) return;
    const larger = new Uint8Array(Math.max(2 * this.bytes.length, this.length + room));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}

/** Printable ASCII but the quote and the backslash. */
function isPlainJson(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c;
}

function u32(source: Uint8Array, at: number): number {
  return source[at]! * 0x100_0000 + ((source[at + 1]! << 16) | (source[at + 2]! << 8) | source[at + 3]!);
}
