import { formatIpv4, formatIpv6, parseIpv6 } from '../../nfnetlink/address.ts';
import { splitWords } from './splitWords.ts';

/** Makes the request of a line by its words; undefined where it makes no flow, or has something to say. */
export type EncodeWords = (
  words: readonly string[],
) => { readonly message: Uint8Array; readonly isAdd: boolean } | undefined;

const [TAB, NEWLINE, SPACE, QUOTE, DASH, DOT, SLASH, ZERO, COLON, BACKSLASH] = [
  9, 10, 32, 34, 45, 46, 47, 48, 58, 92,
];

/** Options whose values differ from line to line, by what their value is. */
const varying: Readonly<Record<string, 'address' | 'u16' | 'u32'>> = {
  ...{ '-s': 'address', '-d': 'address', '-r': 'address', '-q': 'address' },
  ...{ '--src': 'address', '--dst': 'address', '--orig-src': 'address', '--orig-dst': 'address' },
  ...{ '--reply-src': 'address', '--reply-dst': 'address' },
  ...{ '-t': 'u32', '--timeout': 'u32', '-m': 'u32', '--mark': 'u32' },
  ...{ '--sport': 'u16', '--dport': 'u16', '--orig-port-src': 'u16', '--orig-port-dst': 'u16' },
  ...{ '--reply-port-src': 'u16', '--reply-port-dst': 'u16' },
};
const isVarying = (word: string) => Object.hasOwn(varying, word);

/** Their names as bytes, by length. */
const varyingNames: Uint8Array[][] = [];
for (const name of Object.keys(varying)) {
  varyingNames[name.length] ??= [];
  varyingNames[name.length]!.push(Buffer.from(name));
}

function isVaryingAt(bytes: Uint8Array, start: number, length: number): boolean {
  const names = varyingNames[length];
  if (!names) return false;
  for (const name of names) {
    let i = length;
    while (i > 0 && name[i - 1] === bytes[start + i - 1]) i--;
    if (i === 0) return true;
  }
  return false;
}

/** Values in one line at most, and different lines that are remembered: they are told apart by the rest. */
const MOST_VALUES = 16;
const MOST_TEMPLATES = 256;

interface Place {
  /** Bytes of the value: 2, 4 or 16. */
  readonly length: number;
  /** Whether four bytes are an address, with dots. */
  readonly isAddress: boolean;
  /** Where the value stands in the message: an address in both tuples. */
  readonly offsets: readonly number[];
}

/** The request of a line, and where in it the values stand that other lines have others of. */
interface Template {
  readonly isAdd: boolean;
  readonly message: Uint8Array;
  readonly places: readonly Place[];
}

/**
 * Lines that differ from an earlier one in addresses, ports, timeout and mark alone, as those of a saved table
 * do: the request of the earlier line is copied, and the values are written where they stand in it. Where that
 * is was found out by making requests with other values and comparing; whatever is less plain is left to the
 * parser.
 */
export class LineTemplates {
  private readonly encode: EncodeWords;
  private readonly templates = new Map<string, Template | undefined>();
  private readonly rest = Buffer.alloc(4096);
  private restLength = 0;
  private readonly valueStarts = new Int32Array(MOST_VALUES);
  private readonly valueEnds = new Int32Array(MOST_VALUES);
  private values = 0;
  private readonly value = new Uint8Array(16);
  /** Whether the line that was written last makes a flow only where there is none. */
  isAdd = false;

  constructor(encode: EncodeWords) {
    this.encode = encode;
  }

  /**
   * Writes the request of the line from `start` to `end`, its end included; returns where the request ends, or -1
   * where the line is for the parser.
   */
  write(bytes: Uint8Array, start: number, end: number, target: Uint8Array, offset: number): number {
    if (!this.divide(bytes, start, end)) return -1;
    const template = this.templates.get(this.rest.toString('latin1', 0, this.restLength));
    if (!template) return -1;
    const { message, places } = template;
    target.set(message, offset);
    for (let i = 0; i < places.length; i++) {
      const place = places[i]!;
      if (!this.readValue(bytes, this.valueStarts[i]!, this.valueEnds[i]!, place)) return -1;
      for (const at of place.offsets) {
        for (let b = 0; b < place.length; b++) target[offset + at + b] = this.value[b]!;
      }
    }
    this.isAdd = template.isAdd;
    return offset + message.length;
  }

  /** Takes the line as the first of its kind. */
  learn(bytes: Uint8Array, start: number, end: number): void {
    if (!this.divide(bytes, start, end)) return;
    const key = this.rest.toString('latin1', 0, this.restLength);
    if (this.templates.has(key)) return;
    if (this.templates.size >= MOST_TEMPLATES) this.templates.clear();
    const words = splitWords(Buffer.from(bytes.subarray(start, end)).toString('latin1').trimEnd()) ?? [];
    this.templates.set(key, makeTemplate(words, this.encode));
  }

  /** Notes where the values stand, and what the line is without them; false where it is not plain. */
  private divide(bytes: Uint8Array, start: number, end: number): boolean {
    const { rest } = this;
    if (end - start > rest.length) return false;
    let length = 0;
    let isValue = false;
    this.values = 0;
    for (let at = start; at < end; ) {
      let byte = bytes[at]!;
      if (byte === SPACE || byte === TAB || byte === NEWLINE) {
        at++;
        continue;
      }
      const word = at;
      let hasColon = false;
      for (; byte !== SPACE && byte !== TAB && byte !== NEWLINE; byte = bytes[at]!) {
        if (byte === QUOTE || byte === BACKSLASH || byte >= 0x80) return false;
        if (byte === COLON) hasColon = true;
        if (++at === end) break;
      }
      if (isValue) {
        if (this.values === MOST_VALUES) return false;
        // requests of the two families differ
        if (hasColon) rest[length++] = COLON;
        this.valueStarts[this.values] = word;
        this.valueEnds[this.values++] = at;
        isValue = false;
        continue;
      }
      for (let i = word; i < at; i++) rest[length++] = bytes[i]!;
      rest[length++] = SPACE;
      isValue = bytes[word] === DASH && isVaryingAt(bytes, word, at - word);
    }
    this.restLength = length;
    return !isValue;
  }

  private readValue(bytes: Uint8Array, start: number, end: number, { length, isAddress }: Place): boolean {
    if (length === 16) return this.readIpv6(bytes, start, end);
    if (isAddress) return this.readIpv4(bytes, start, end);
    const number = readNumber(bytes, start, end, length === 2 ? 0xffff : 0xffffffff);
    if (number < 0) return false;
    const { value } = this;
    for (let i = 0, rest = number; i < length; i++, rest = Math.floor(rest / 256)) {
      value[length - 1 - i] = rest;
    }
    return true;
  }

  private readIpv4(bytes: Uint8Array, start: number, end: number): boolean {
    let octet = start;
    for (let i = 0; i < 4; i++) {
      let stop = octet;
      while (stop < end && bytes[stop] !== DOT) stop++;
      const number = readNumber(bytes, octet, stop, 255);
      if (number < 0 || i < 3 !== stop < end) return false;
      this.value[i] = number;
      octet = stop + 1;
    }
    return true;
  }

  private readIpv6(bytes: Uint8Array, start: number, end: number): boolean {
    let hasColon = false;
    for (let at = start; at < end; at++) {
      if (bytes[at] === SLASH) return false;
      if (bytes[at] === COLON) hasColon = true;
    }
    const address = hasColon
      ? parseIpv6(Buffer.from(bytes.subarray(start, end)).toString('latin1'))
      : undefined;
    if (address) this.value.set(address);
    return address !== undefined;
  }
}

/** A decimal number as C reads it too: without zeros before it; -1 where it is none, or above `most`. */
function readNumber(bytes: Uint8Array, start: number, end: number, most: number): number {
  if (end === start || end - start > 10 || (bytes[start] === ZERO && end - start > 1)) return -1;
  let number = 0;
  for (let at = start; at < end; at++) {
    const digit = bytes[at]! - ZERO;
    if (!(digit >= 0 && digit <= 9)) return -1;
    number = number * 10 + digit;
  }
  return number <= most ? number : -1;
}

/** Undefined where a value does not stand in the request as it is. */
function makeTemplate(words: readonly string[], encode: EncodeWords): Template | undefined {
  const request = encode(words);
  if (!request) return undefined;
  const { message, isAdd } = request;
  const places: Place[] = [];
  for (let at = 1; at < words.length; at++) {
    const kind = isVarying(words[at - 1]!) ? varying[words[at - 1]!] : undefined;
    if (kind === undefined) continue;
    const place = findPlace(words, at, kind, message, encode);
    if (!place) return undefined;
    places.push(place);
    // a value is no option, whatever it looks like
    at++;
  }
  return { message, isAdd, places };
}

/** Changes every bit of a value and looks which bytes of the request follow. */
function findPlace(
  words: readonly string[],
  at: number,
  kind: 'address' | 'u16' | 'u32',
  message: Uint8Array,
  encode: EncodeWords,
): Place | undefined {
  const before = bytesOf(words[at]!, kind);
  if (!before) return undefined;
  const after = before.map((byte) => ~byte);
  const changed = encode([...words.slice(0, at), textOf(after, kind), ...words.slice(at + 1)]);
  const other = changed?.message;
  if (other?.length !== message.length) return undefined;
  const offsets: number[] = [];
  for (let i = 0; i < message.length; i++) {
    if (message[i] === other[i]) continue;
    const isHere = before.every((byte, b) => message[i + b] === byte && other[i + b] === after[b]);
    if (!isHere) return undefined;
    offsets.push(i);
    i += before.length - 1;
  }
  return { length: before.length, isAddress: kind === 'address', offsets };
}

function bytesOf(text: string, kind: 'address' | 'u16' | 'u32'): Uint8Array | undefined {
  if (kind === 'address') {
    if (/^\d+\.\d+\.\d+\.\d+$/.test(text)) return Uint8Array.from(text.split('.'), Number);
    return text.includes(':') ? parseIpv6(text) : undefined;
  }
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  const length = kind === 'u16' ? 2 : 4;
  if (!(number < 256 ** length)) return undefined;
  return Uint8Array.from({ length }, (_, i) => Math.floor(number / 256 ** (length - 1 - i)));
}

function textOf(bytes: Uint8Array, kind: 'address' | 'u16' | 'u32'): string {
  if (kind === 'address') return bytes.length === 4 ? formatIpv4(bytes) : formatIpv6(bytes);
  return String(bytes.reduce((number, byte) => number * 256 + byte, 0));
}
