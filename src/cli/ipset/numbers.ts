/** What a text says as a number: strtoull(3) with base 0, without its wrap of negative numbers. */
export type ParsedNumber =
  | { readonly kind: 'number'; readonly value: bigint }
  | { readonly kind: 'range' }
  | { readonly kind: 'none' };

const MAX_U64 = 0xffffffffffffffffn;
const none: ParsedNumber = { kind: 'none' };
const range: ParsedNumber = { kind: 'range' };

const shape = /^[ \t\n\v\f\r]*([+-]?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))$/;

/** Decimal, 0x hexadecimal or 0 octal; white space and a sign may stand before it. */
export function parseNumber(text: string): ParsedNumber {
  const match = shape.exec(text);
  if (!match) return none;
  const [, sign, hexadecimal, octal, decimal] = match;
  const digits = decimal ?? (octal === undefined ? `0x${hexadecimal}` : `0o${octal}`);
  const value = BigInt(digits);
  if (value > MAX_U64 || (sign === '-' && value !== 0n)) return range;
  return { kind: 'number', value };
}

/** Small decimal numbers, the most of a restore file, without a bigint; undefined for all else. */
export function parseSmall(text: string): number | undefined {
  const { length } = text;
  if (length === 0 || length > 9) return undefined;
  let value = 0;
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  // a leading zero says octal
  return text.charCodeAt(0) === 48 && length > 1 ? undefined : value;
}
