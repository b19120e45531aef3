/**
 * Integers in byte arrays. Netlink headers are in host order, netfilter payloads in network order
 * (big-endian); the name says which. No bounds are checked: callers have checked the length.
 */

/** Whether this machine stores the low byte first. */
export const hostIsLittleEndian = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

export function readU16be(bytes: Uint8Array, offset: number): number {
  return (bytes[offset]! << 8) | bytes[offset + 1]!;
}

export function readU32be(bytes: Uint8Array, offset: number): number {
  return (
    ((bytes[offset]! << 24) | (bytes[offset + 1]! << 16) | (bytes[offset + 2]! << 8) | bytes[offset + 3]!) >>>
    0
  );
}

// one conversion instead of four operations on bigint, each of which would allocate
const word64 = new BigUint64Array(1);
const halves = new Uint32Array(word64.buffer);
const HIGH = hostIsLittleEndian ? 1 : 0;

export function readU64be(bytes: Uint8Array, offset: number): bigint {
  halves[HIGH] = readU32be(bytes, offset);
  halves[1 - HIGH] = readU32be(bytes, offset + 4);
  return word64[0]!;
}

function readU16le(bytes: Uint8Array, offset: number): number {
  return bytes[offset]! | (bytes[offset + 1]! << 8);
}

function readU32le(bytes: Uint8Array, offset: number): number {
  return (
    (bytes[offset]! | (bytes[offset + 1]! << 8) | (bytes[offset + 2]! << 16) | (bytes[offset + 3]! << 24)) >>>
    0
  );
}

export const readU16host = hostIsLittleEndian ? readU16le : readU16be;
export const readU32host = hostIsLittleEndian ? readU32le : readU32be;

function readU64le(bytes: Uint8Array, offset: number): bigint {
  return (BigInt(readU32le(bytes, offset + 4)) << 32n) | BigInt(readU32le(bytes, offset));
}

export const readU64host = hostIsLittleEndian ? readU64le : readU64be;

export function writeU16be(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 8;
  bytes[offset + 1] = value;
}

export function writeU32be(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value >>> 24;
  bytes[offset + 1] = value >>> 16;
  bytes[offset + 2] = value >>> 8;
  bytes[offset + 3] = value;
}

export function writeU64be(bytes: Uint8Array, offset: number, value: bigint): void {
  writeU32be(bytes, offset, Number((value >> 32n) & 0xffffffffn));
  writeU32be(bytes, offset + 4, Number(value & 0xffffffffn));
}

function writeU16le(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
}

function writeU32le(bytes: Uint8Array, offset: number, value: number): void {
  bytes[offset] = value;
  bytes[offset + 1] = value >>> 8;
  bytes[offset + 2] = value >>> 16;
  bytes[offset + 3] = value >>> 24;
}

export const writeU16host = hostIsLittleEndian ? writeU16le : writeU16be;
export const writeU32host = hostIsLittleEndian ? writeU32le : writeU32be;

function writeU64le(bytes: Uint8Array, offset: number, value: bigint): void {
  writeU32le(bytes, offset, Number(value & 0xffffffffn));
  writeU32le(bytes, offset + 4, Number((value >> 32n) & 0xffffffffn));
}

export const writeU64host = hostIsLittleEndian ? writeU64le : writeU64be;

const hexDigits = '0123456789abcdef';

/** Lower-case hexadecimal of a range of bytes. */
export function toHex(bytes: Uint8Array, start = 0, end = bytes.length): string {
  let text = '';
  for (let i = start; i < end; i++) text += hexDigits[bytes[i]! >> 4]! + hexDigits[bytes[i]! & 15]!;
  return text;
}

/** Bytes of a hexadecimal text (white space allowed between bytes); undefined where it is none. */
export function fromHex(text: string): Uint8Array | undefined {
  const digits = text.replace(/\s+/g, '');
  if (digits.length % 2 !== 0 || !/^[0-9a-fA-F]*$/.test(digits)) return undefined;
  const bytes = new Uint8Array(digits.length / 2);
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(digits.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}
