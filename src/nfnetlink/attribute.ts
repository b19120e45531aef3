import { readU16host, writeU16host } from './bytes.ts';
import { NLA } from './constants.ts';
import { DecodeError } from './errors.ts';

/**
 * An attribute on the wire is u16 length, u16 type (both in host order), payload, padding to four
 * bytes. The length counts header and payload, not the padding.
 * Source: include/uapi/linux/netlink.h, struct nlattr.
 */
export const ATTRIBUTE_HEADER = 4;

/** The next multiple of four: NLA_ALIGN and NLMSG_ALIGN. */
export function align4(length: number): number {
  return (length + 3) & ~3;
}

/** Bytes that an attribute with this payload takes, padding included. */
export function attributeLength(payload: number): number {
  return align4(ATTRIBUTE_HEADER + payload);
}

/** Length field of the attribute at `offset`: header and payload. */
export function lengthOf(bytes: Uint8Array, offset: number): number {
  return readU16host(bytes, offset);
}

/** Number of the attribute at `offset`, without the two flag bits. */
export function typeOf(bytes: Uint8Array, offset: number): number {
  return readU16host(bytes, offset + 2) & NLA.TYPE_MASK;
}

/**
 * Checks the attribute at `offset` against the end of its nest and returns where its payload ends.
 * @throws DecodeError when the header or the payload runs over the end.
 */
export function payloadEnd(bytes: Uint8Array, offset: number, end: number): number {
  if (offset + ATTRIBUTE_HEADER > end) {
    throw new DecodeError(`${end - offset} bytes are left where an attribute header needs 4`, offset);
  }
  const length = readU16host(bytes, offset);
  if (length < ATTRIBUTE_HEADER) throw new DecodeError(`attribute length ${length} is below 4`, offset);
  if (offset + length > end) {
    throw new DecodeError(`attribute length ${length} runs over the ${end - offset} bytes left`, offset);
  }
  return offset + length;
}

/** Where a payload stands. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * The payload of the first attribute of this number in a nest, or undefined where there is none.
 * @throws DecodeError where what stands before it is malformed.
 */
export function payloadIn(bytes: Uint8Array, { start, end }: Span, type: number): Span | undefined {
  for (let offset = start; offset < end; ) {
    const stop = payloadEnd(bytes, offset, end);
    if (typeOf(bytes, offset) === type) return { start: offset + ATTRIBUTE_HEADER, end: stop };
    offset += align4(stop - offset);
  }
  return undefined;
}

/**
 * Writes an attribute header and zeroes the padding; returns where the payload goes. `type` carries
 * the flag bits that the wire wants.
 */
export function writeAttributeHeader(
  target: Uint8Array,
  offset: number,
  type: number,
  payload: number,
): number {
  const length = ATTRIBUTE_HEADER + payload;
  writeU16host(target, offset, length);
  writeU16host(target, offset + 2, type);
  for (let i = offset + length; i < offset + align4(length); i++) target[i] = 0;
  return offset + ATTRIBUTE_HEADER;
}
