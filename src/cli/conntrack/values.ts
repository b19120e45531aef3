import { parseIpv6 } from '../../nfnetlink/address.ts';
import { AF } from '../../nfnetlink/constants.ts';
import { wrongParameter } from './exit.ts';

/** An address as bytes: four or sixteen. */
export interface ParsedAddress {
  readonly family: number;
  readonly bytes: Uint8Array;
  /** Text behind a slash; undefined without a slash. */
  readonly prefix: number | 'invalid' | undefined;
}

const U32_MAX = 0xffffffff;
export const LIMIT = { u8: 0xff, u16: 0xffff, u32: U32_MAX } as const;

/**
 * A number as C writes it: decimal, 0x with hexadecimal digits, or 0 with octal ones.
 * @throws ConntrackExit where the whole text is no such number, or one above `max`
 */
export function parseNumber(text: string, max: number, option: string): number {
  const octal = /^0[0-7]+$/.test(text);
  const isNumber = octal || /^(0x[0-9a-f]+|0|[1-9][0-9]*)$/i.test(text);
  const value = isNumber ? Number(octal ? `0o${text.slice(1)}` : text) : Number.NaN;
  return checkRange(value, text, max, option);
}

/** @throws ConntrackExit where the text is no decimal number, or one above `max` */
export function parseDecimal(text: string, max: number, option: string): number {
  return checkRange(/^[0-9]+$/.test(text) ? Number(text) : Number.NaN, text, max, option);
}

function checkRange(value: number, text: string, max: number, option: string): number {
  if (!(value <= max)) {
    throw wrongParameter(`Invalid value \`${text}' for \`--${option}': it is a number from 0 to ${max}`);
  }
  return value;
}

/** A value and the bits of it that count. */
export interface Masked {
  readonly value: number;
  readonly mask: number;
}

/** VALUE or VALUE/MASK. @throws ConntrackExit */
export function parseMasked(text: string, option: string): Masked {
  const slash = text.indexOf('/');
  if (slash < 0) return { value: parseNumber(text, U32_MAX, option), mask: U32_MAX };
  return {
    value: parseNumber(text.slice(0, slash), U32_MAX, option),
    mask: parseNumber(text.slice(slash + 1), U32_MAX, option),
  };
}

/**
 * An IPv4 text of any form that inet_aton(3) takes (10.1 is 10.0.0.1), or an IPv6 text; undefined where it
 * is neither.
 */
export function parseAddressWithPrefix(text: string): ParsedAddress | undefined {
  const slash = text.indexOf('/');
  const address = slash < 0 ? text : text.slice(0, slash);
  const ipv4 = inetAton(address);
  const bytes = ipv4 ?? (address.includes(':') ? parseIpv6(address) : undefined);
  if (!bytes) return undefined;
  const family = bytes.length === 4 ? AF.INET : AF.INET6;
  if (slash < 0) return { family, bytes, prefix: undefined };
  const digits = text.slice(slash + 1);
  const prefix = /^\d*$/.test(digits) ? Number(digits) : Number.NaN;
  return { family, bytes, prefix: prefix <= bytes.length * 8 ? prefix : 'invalid' };
}

/** One to four numbers; the last fills all bytes that are left. */
function inetAton(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length > 4) return undefined;
  const numbers = parts.map((part) => {
    if (/^0x[0-9a-f]*$/i.test(part)) return part.length === 2 ? 0 : Number(part);
    if (/^0[0-7]*$/.test(part)) return Number.parseInt(part, 8);
    return /^[1-9]\d*$/.test(part) ? Number(part) : Number.NaN;
  });
  const last = numbers.pop()!;
  const room = 4 - numbers.length;
  if (!numbers.every((octet) => octet <= 255) || !(last < 256 ** room)) return undefined;
  const bytes = new Uint8Array(4);
  bytes.set(numbers);
  for (let i = 0, rest = last; i < room; i++, rest = Math.floor(rest / 256)) bytes[3 - i] = rest % 256;
  return bytes;
}

/** The netmask with so many leading ones. */
export function netmask(prefix: number, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (0xff00 >> Math.max(0, Math.min(8, prefix - 8 * i))) & 0xff);
}

/** What -n, -g and -j take: an address, and perhaps a port. @throws ConntrackExit */
export function splitAddressAndPort(text: string): { address: string; port: number | undefined } {
  const bracket = text.indexOf('[');
  if (bracket >= 0) {
    const close = text.indexOf(']', bracket);
    if (close === bracket + 1) throw wrongParameter('No IPv6 address specified');
    if (close < 0) throw wrongParameter("No closing ']' around IPv6 address");
    const colon = text.indexOf(':', close);
    if (colon < 0) return { address: text, port: undefined };
    return { address: text.slice(bracket + 1, close), port: portBehind(text, colon) };
  }
  const colon = text.indexOf(':');
  if (colon < 0 || text.includes(':', colon + 1)) return { address: text, port: undefined };
  return { address: text.slice(0, colon), port: portBehind(text, colon) };
}

function portBehind(text: string, colon: number): number {
  const digits = text.slice(colon + 1);
  if (digits === '') throw wrongParameter("No port specified after `:'");
  const port = /^\d+$/.test(digits) ? Number(digits) : Number.NaN;
  if (!(port <= LIMIT.u16)) throw wrongParameter(`Invalid port \`${digits}'`);
  return port;
}
