import {
  ATTRIBUTE_HEADER,
  align4,
  attributeLength,
  payloadEnd,
  typeOf,
  writeAttributeHeader,
} from './attribute.ts';
import { NLA } from './constants.ts';
import { DecodeError, EncodeError } from './errors.ts';

/** How the payload of one attribute is read and written. Codecs hold no state. */
export interface Codec<T> {
  /** The name of the wire format: 'u8', 'be32', 'ipv4', 'string', 'nested', ... */
  readonly format: string;
  /** Payload bytes that `value` takes. Throws EncodeError when the value has no encoding. */
  byteLength(value: T): number;
  /** Writes exactly `byteLength(value)` bytes at `offset`. */
  encode(value: T, target: Uint8Array, offset: number): void;
  /** Reads the payload from `start` to `end`. Throws DecodeError, and nothing else, on any bytes. */
  decode(source: Uint8Array, start: number, end: number): T;
}

/** One attribute of a nest: its number, its wire flags and the codec of its payload. */
export interface Row<T> {
  readonly type: number;
  /** NLA.F_NESTED or NLA.F_NET_BYTEORDER, as requests carry it. */
  readonly flags: number;
  readonly codec: Codec<T>;
  /** Set where the attribute may stand several times, in order: the value is an array. */
  readonly repeats: boolean;
}

/** The TypeScript type of what a codec carries. */
export type ValueOf<C> = C extends Codec<infer T> ? T : never;

// biome-ignore lint/suspicious/noExplicitAny: a table holds rows of every value type
export type Rows = Readonly<Record<string, Row<any>>>;

/** The value of a nest: every attribute optional, absent is undefined. */
export type NestValue<R extends Rows> = {
  [K in keyof R]?: R[K] extends Row<infer T> ? T | undefined : never;
};

/** A codec whose payload is attributes, with its table open to readers of names (trees, errors). */
export interface NestCodec<T> extends Codec<T> {
  readonly format: 'nested';
  /** The kernel's prefix of the attribute names: 'CTA_TUPLE'. */
  readonly group: string;
  readonly table: readonly NestEntry[];
  /** The table by attribute number. */
  readonly byType: readonly (NestEntry | undefined)[];
}

/** A row of a table, with both of its names. */
export interface NestEntry extends Row<unknown> {
  /** The field of the value: 'sourcePort'. */
  readonly field: string;
  /** The kernel's name: 'CTA_PROTO_SRC_PORT'. */
  readonly name: string;
}

/** One row: attribute number, payload codec. A nest is written with NLA_F_NESTED. */
export function attr<T>(type: number, codec: Codec<T>): Row<T> {
  return { type, flags: codec.format === 'nested' ? NLA.F_NESTED : 0, codec, repeats: false };
}

/** A row that requests write with NLA_F_NET_BYTEORDER; ipset refuses its integers without it. */
export function netByteOrder<T>(row: Row<T>): Row<T> {
  return { ...row, flags: row.flags | NLA.F_NET_BYTEORDER };
}

/** A row whose attribute may stand several times; the value is an array in wire order. */
export function repeated<T>(row: Row<T>): Row<readonly T[]> {
  return { ...row, codec: row.codec as Codec<never>, repeats: true };
}

/** Whether a codec's payload is attributes. */
export function isNest(codec: Codec<unknown>): codec is NestCodec<unknown> {
  return codec.format === 'nested';
}

/**
 * A nest of attributes from one table. Encoding follows the table's order; decoding skips unknown
 * numbers and empty attributes (64-bit padding), the last of equal numbers wins, as in nla_parse().
 * @param group the kernel's prefix of the names, 'CTA_TUPLE'
 * @param ids the group's constants, whose keys complete the names
 */
export function attrs<R extends Rows>(
  group: string,
  ids: Readonly<Record<string, number>>,
  rows: R,
): NestCodec<NestValue<R>> {
  const names = new Map(Object.entries(ids).map(([name, id]) => [id, `${group}_${name}`]));
  const table: NestEntry[] = Object.entries(rows).map(([field, row]) => ({
    ...row,
    field,
    name: names.get(row.type) ?? `${group}_${row.type}`,
  }));
  const byType: (NestEntry | undefined)[] = [];
  for (const entry of table) {
    if (byType[entry.type]) throw new TypeError(`${group} has two rows for attribute ${entry.type}`);
    byType[entry.type] = entry;
  }
  type Value = NestValue<R>;
  return {
    format: 'nested',
    group,
    table,
    byType,
    byteLength(value: Value): number {
      let length = 0;
      for (const entry of table)
        length += entryLength(entry, (value as Record<string, unknown>)[entry.field]);
      return length;
    },
    encode(value: Value, target: Uint8Array, offset: number): void {
      for (const entry of table) {
        offset = encodeEntry(entry, (value as Record<string, unknown>)[entry.field], target, offset);
      }
    },
    decode(source: Uint8Array, start: number, end: number): Value {
      return decodeNest(byType, source, start, end) as Value;
    },
  };
}

function entryLength(entry: NestEntry, value: unknown): number {
  if (value === undefined) return 0;
  if (!entry.repeats) return attributeLength(payloadLength(entry, value));
  let length = 0;
  for (const item of value as readonly unknown[]) length += attributeLength(payloadLength(entry, item));
  return length;
}

// an attribute's length field has 16 bits and counts its own header
const MAX_PAYLOAD = 0xffff - ATTRIBUTE_HEADER;

function payloadLength(entry: NestEntry, value: unknown): number {
  try {
    const length = entry.codec.byteLength(value);
    if (length > MAX_PAYLOAD) throw new EncodeError(`${length} bytes do not fit into an attribute`);
    return length;
  } catch (error) {
    throw error instanceof EncodeError ? error.within(entry.field) : error;
  }
}

function encodeEntry(entry: NestEntry, value: unknown, target: Uint8Array, offset: number): number {
  if (value === undefined) return offset;
  if (!entry.repeats) return encodeOne(entry, value, target, offset);
  for (const item of value as readonly unknown[]) offset = encodeOne(entry, item, target, offset);
  return offset;
}

function encodeOne(entry: NestEntry, value: unknown, target: Uint8Array, offset: number): number {
  const length = payloadLength(entry, value);
  const at = writeAttributeHeader(target, offset, entry.type | entry.flags, length);
  entry.codec.encode(value, target, at);
  return at + align4(length);
}

function decodeNest(
  byType: readonly (NestEntry | undefined)[],
  source: Uint8Array,
  start: number,
  end: number,
): Record<string, unknown> {
  const value: Record<string, unknown> = {};
  let offset = start;
  while (offset < end) {
    const stop = payloadEnd(source, offset, end);
    const entry = byType[typeOf(source, offset)];
    const payload = offset + ATTRIBUTE_HEADER;
    // 64-bit attributes are preceded by an empty pad on some architectures (nla_put_be64), and its number
    // may be that of another attribute: an empty attribute says nothing unless it is a nest or a string
    if (entry && (stop > payload || entry.codec.format === 'nested' || entry.codec.format === 'string')) {
      const decoded = decodeEntry(entry, source, payload, stop);
      if (!entry.repeats) value[entry.field] = decoded;
      else if (value[entry.field]) (value[entry.field] as unknown[]).push(decoded);
      else value[entry.field] = [decoded];
    }
    offset = align4(stop - start) + start;
  }
  return value;
}

function decodeEntry(entry: NestEntry, source: Uint8Array, start: number, end: number): unknown {
  try {
    return entry.codec.decode(source, start, end);
  } catch (error) {
    throw error instanceof DecodeError ? error.within(entry.name) : error;
  }
}

/** A codec of the same bytes with another value: for flattening, for text, for checks. */
export function mapped<W, T>(
  codec: Codec<W>,
  map: { decode(wire: W, offset: number): T; encode(value: T): W },
): Codec<T> {
  return {
    ...codec,
    byteLength: (value) => codec.byteLength(map.encode(value)),
    encode: (value, target, offset) => codec.encode(map.encode(value), target, offset),
    decode: (source, start, end) => map.decode(codec.decode(source, start, end), start),
  };
}

/** The payload of a value in a buffer of its own. */
export function encodePayload<T>(codec: Codec<T>, value: T): Uint8Array {
  const bytes = new Uint8Array(codec.byteLength(value));
  codec.encode(value, bytes, 0);
  return bytes;
}
