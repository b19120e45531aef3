import { formatIpv4, formatIpv6, parseIpv4, parseIpv6 } from './address.ts';
import {
  readU16be,
  readU16host,
  readU32be,
  readU32host,
  readU64be,
  readU64host,
  writeU16be,
  writeU16host,
  writeU32be,
  writeU32host,
  writeU64be,
  writeU64host,
} from './bytes.ts';
import type { Codec } from './codec.ts';
import { DecodeError, EncodeError } from './errors.ts';

/**
 * Codecs of single values. An integer attribute longer than its type is read from its first bytes, as
 * the kernel's liberal policies do; a shorter one is an error.
 */
function integer<T extends number | bigint>(
  format: string,
  size: number,
  max: T,
  read: (bytes: Uint8Array, offset: number) => T,
  write: (bytes: Uint8Array, offset: number, value: T) => void,
): Codec<T> {
  const isValid =
    typeof max === 'bigint'
      ? (value: T) => typeof value === 'bigint' && value >= 0n && value <= max
      : (value: T) => Number.isInteger(value) && (value as number) >= 0 && value <= max;
  const kind = typeof max === 'bigint' ? 'a bigint' : 'an integer';
  return {
    format,
    byteLength(value) {
      if (!isValid(value)) throw new EncodeError(`${String(value)} is not ${kind} from 0 to ${max}`);
      return size;
    },
    encode: (value, target, offset) => write(target, offset, value),
    decode(source, start, end) {
      if (end - start < size)
        throw new DecodeError(`${end - start} bytes where ${format} needs ${size}`, start);
      return read(source, start);
    },
  };
}

const readU8 = (bytes: Uint8Array, offset: number): number => bytes[offset]!;
const writeU8 = (bytes: Uint8Array, offset: number, value: number): void => {
  bytes[offset] = value;
};

const MAX_U64 = 0xffffffffffffffffn;

/** One byte. */
export const u8 = integer('u8', 1, 0xff, readU8, writeU8);
/** Two bytes in network order. */
export const u16be = integer('be16', 2, 0xffff, readU16be, writeU16be);
/** Four bytes in network order. */
export const u32be = integer('be32', 4, 0xffffffff, readU32be, writeU32be);
/** Eight bytes in network order, as bigint. */
export const u64be = integer('be64', 8, MAX_U64, readU64be, writeU64be);
/** Two bytes in host order. */
export const u16host = integer('u16_host', 2, 0xffff, readU16host, writeU16host);
/** Four bytes in host order. */
export const u32host = integer('u32_host', 4, 0xffffffff, readU32host, writeU32host);
/** Eight bytes in host order, as bigint. */
export const u64host = integer('u64_host', 8, MAX_U64, readU64host, writeU64host);

/** A signed 32-bit integer in network order, which the kernel stores in an unsigned attribute. */
export const s32be: Codec<number> = {
  format: 'be32',
  byteLength(value) {
    if (!Number.isInteger(value) || value < -0x80000000 || value > 0x7fffffff) {
      throw new EncodeError(`${String(value)} is not an integer from -2147483648 to 2147483647`);
    }
    return 4;
  },
  encode: (value, target, offset) => writeU32be(target, offset, value >>> 0),
  decode: (source, start, end) => u32be.decode(source, start, end) | 0,
};

function address(
  format: 'ipv4' | 'ipv6',
  size: number,
  formatText: (bytes: Uint8Array, offset: number) => string,
  parse: (text: string) => Uint8Array | undefined,
): Codec<string> {
  return {
    format,
    byteLength(value) {
      if (typeof value !== 'string' || !parse(value)) {
        throw new EncodeError(
          `${JSON.stringify(value)} is not an ${format === 'ipv4' ? 'IPv4' : 'IPv6'} address`,
        );
      }
      return size;
    },
    encode: (value, target, offset) => target.set(parse(value)!, offset),
    decode(source, start, end) {
      if (end - start < size)
        throw new DecodeError(`${end - start} bytes where ${format} needs ${size}`, start);
      return formatText(source, start);
    },
  };
}

/** An IPv4 address as dotted text; four bytes in network order on the wire. */
export const ipv4 = address('ipv4', 4, formatIpv4, parseIpv4);
/** An IPv6 address as RFC 5952 text; sixteen bytes in network order on the wire. */
export const ipv6 = address('ipv6', 16, formatIpv6, parseIpv6);

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/**
 * Text with its terminating zero byte, UTF-8. Bytes after the first zero are ignored; a missing zero is
 * accepted, as the kernel's NLA_STRING is.
 * @param max the most bytes before the zero: IPSET_MAXNAMELEN - 1 for a set's name
 */
export function text(max = 0xfff0): Codec<string> {
  return {
    format: 'string',
    byteLength(value) {
      if (typeof value !== 'string') throw new EncodeError(`${String(value)} is not a string`);
      if (value.includes('\0')) throw new EncodeError(`${JSON.stringify(value)} holds a zero character`);
      const length = encoder.encode(value).length;
      if (length > max)
        throw new EncodeError(`${JSON.stringify(value)} has ${length} bytes, at most ${max} fit`);
      return length + 1;
    },
    encode(value, target, offset) {
      const bytes = encoder.encode(value);
      target.set(bytes, offset);
      target[offset + bytes.length] = 0;
    },
    decode(source, start, end) {
      const zero = source.indexOf(0, start);
      return decoder.decode(source.subarray(start, zero === -1 || zero > end ? end : zero));
    },
  };
}

/**
 * Bytes as they are: a copy, which outlives the receive buffer.
 * @param length the exact length, where the protocol fixes one
 */
export function bytes(length?: number): Codec<Uint8Array> {
  return {
    format: 'binary',
    byteLength(value) {
      if (!(value instanceof Uint8Array)) throw new EncodeError(`${String(value)} is not a Uint8Array`);
      if (length !== undefined && value.length !== length) {
        throw new EncodeError(`${value.length} bytes where ${length} are needed`);
      }
      return value.length;
    },
    encode: (value, target, offset) => target.set(value, offset),
    decode(source, start, end) {
      if (length !== undefined && end - start < length) {
        throw new DecodeError(`${end - start} bytes where ${length} are needed`, start);
      }
      // not slice(): a Buffer's shares the memory
      return new Uint8Array(source.subarray(start, length === undefined ? end : start + length));
    },
  };
}
