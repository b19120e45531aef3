import { Address4, Address6 } from 'ip-address';
import { readU16be } from './bytes.ts';

// a dump of a large table formats little else: a third less time than to convert each number
const octets: readonly string[] = Array.from({ length: 256 }, (_, octet) => `${octet}.`);

/** Dotted text of four bytes in network order. */
export function formatIpv4(bytes: Uint8Array, offset = 0): string {
  return (
    octets[bytes[offset]!]! + octets[bytes[offset + 1]!]! + octets[bytes[offset + 2]!]! + bytes[offset + 3]
  );
}

/**
 * Text of sixteen bytes as RFC 5952 wants it and inet_ntop(3) prints it, the longest run of zero
 * groups folded, mapped and compatible addresses with a dotted tail.
 */
export function formatIpv6(bytes: Uint8Array, offset = 0): string {
  let runStart = -1;
  let runLength = 1;
  for (let i = 0; i < 8; ) {
    let end = i;
    while (end < 8 && bytes[offset + 2 * end] === 0 && bytes[offset + 2 * end + 1] === 0) end++;
    if (end - i > runLength) {
      runStart = i;
      runLength = end - i;
    }
    i = end + 1;
  }
  const dotted = hasDottedTail(bytes, offset, runStart, runLength);
  const groups = dotted ? 6 : 8;
  let text = '';
  for (let i = 0; i < groups; i++) {
    if (i === runStart) {
      text += '::';
      i += runLength - 1;
      continue;
    }
    if (text !== '' && !text.endsWith(':')) text += ':';
    text += readU16be(bytes, offset + 2 * i).toString(16);
  }
  if (!dotted) return text;
  return `${text}${text.endsWith(':') ? '' : ':'}${formatIpv4(bytes, offset + 12)}`;
}

// glibc's inet_ntop6: ::a.b.c.d and ::ffff:a.b.c.d, but not :: or ::1
function hasDottedTail(bytes: Uint8Array, offset: number, runStart: number, runLength: number): boolean {
  if (runStart !== 0) return false;
  return runLength === 6 || (runLength === 5 && readU16be(bytes, offset + 10) === 0xffff);
}

const DOT = 46;
const ZERO = 48;

/** Four bytes of the plain spelling that formatIpv4() gives; undefined for any other, right or wrong. */
function parsePlainIpv4(text: string): Uint8Array | undefined {
  const bytes = new Uint8Array(4);
  let octet = -1;
  let part = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === DOT) {
      if (octet < 0 || part === 3) return undefined;
      bytes[part++] = octet;
      octet = -1;
    } else {
      const digit = code - ZERO;
      if (digit < 0 || digit > 9 || octet === 0) return undefined;
      octet = octet < 0 ? digit : octet * 10 + digit;
      if (octet > 255) return undefined;
    }
  }
  if (octet < 0 || part !== 3) return undefined;
  bytes[3] = octet;
  return bytes;
}

/** Four bytes of a dotted IPv4 text, or undefined where the text is none. */
export function parseIpv4(text: string): Uint8Array | undefined {
  // every request that names a flow holds two to four of them: ip-address takes ten times as long
  const plain = parsePlainIpv4(text);
  if (plain) return plain;
  if (text.includes('/')) return undefined;
  try {
    return Uint8Array.from(new Address4(text).toArray());
  } catch {
    return undefined;
  }
}

/** Sixteen bytes of an IPv6 text without zone or prefix, or undefined where the text is none. */
export function parseIpv6(text: string): Uint8Array | undefined {
  if (text.includes('/') || text.includes('%')) return undefined;
  try {
    const bytes = new Uint8Array(16);
    const unsigned = new Address6(text).toUnsignedByteArray();
    bytes.set(unsigned, 16 - unsigned.length);
    return bytes;
  } catch {
    return undefined;
  }
}

/** Bytes of an IPv4 (4) or IPv6 (16) text, or undefined. */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseIpv6(text) : parseIpv4(text);
}

/** Text of an address of four or sixteen bytes. */
export function formatAddress(bytes: Uint8Array): string {
  return bytes.length === 4 ? formatIpv4(bytes) : formatIpv6(bytes);
}
