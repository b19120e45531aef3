import { align4 } from './attribute.ts';
import { readU16be, readU16host, readU32host, writeU16be, writeU16host, writeU32host } from './bytes.ts';
import type { Codec } from './codec.ts';
import { DecodeError } from './errors.ts';

/**
 * A netfilter message: nlmsghdr (16 bytes, host order: u32 length, u16 type, u16 flags, u32 sequence
 * number, u32 port id), nfgenmsg (u8 family, u8 version, u16 resource id in network order), attributes.
 * Several may stand in one datagram, each at a multiple of four.
 * Sources: struct nlmsghdr in include/uapi/linux/netlink.h, struct nfgenmsg in
 * include/uapi/linux/netfilter/nfnetlink.h.
 */
export const MESSAGE_HEADER = 16;
/** Where the attributes of a netfilter message begin. */
export const ATTRIBUTES_AT = 20;

export const messageLength = readU32host;
export function messageType(bytes: Uint8Array, offset: number): number {
  return readU16host(bytes, offset + 4);
}
export function messageFlags(bytes: Uint8Array, offset: number): number {
  return readU16host(bytes, offset + 6);
}
export function messageSeq(bytes: Uint8Array, offset: number): number {
  return readU32host(bytes, offset + 8);
}
export function messagePortId(bytes: Uint8Array, offset: number): number {
  return readU32host(bytes, offset + 12);
}
export function messageFamily(bytes: Uint8Array, offset: number): number {
  return bytes[offset + 16]!;
}
export function messageResourceId(bytes: Uint8Array, offset: number): number {
  return readU16be(bytes, offset + 18);
}
export function writeMessageSeq(bytes: Uint8Array, offset: number, seq: number): void {
  writeU32host(bytes, offset + 8, seq);
}

/** nfnetlink's split of a message type: subsystem in the upper byte, command in the lower. */
export function messageTypeOf(subsystem: number, command: number): number {
  return (subsystem << 8) | command;
}
export function subsystemOf(type: number): number {
  return type >>> 8;
}
export function commandOf(type: number): number {
  return type & 0xff;
}

/**
 * Checks the message at `offset` against the end of its datagram and returns where it ends, padding
 * excluded.
 * @throws DecodeError when the header or the message runs over the end.
 */
export function messageEnd(bytes: Uint8Array, offset: number, end: number): number {
  if (offset + MESSAGE_HEADER > end) {
    throw new DecodeError(`${end - offset} bytes are left where a message header needs 16`, offset);
  }
  const length = readU32host(bytes, offset);
  if (length < MESSAGE_HEADER) throw new DecodeError(`message length ${length} is below 16`, offset);
  if (offset + length > end) {
    throw new DecodeError(`message length ${length} runs over the ${end - offset} bytes left`, offset);
  }
  return offset + length;
}

/**
 * Calls `visit` with the bounds of each message in a datagram.
 * @throws DecodeError at the first malformed length, after the visits of those before it.
 */
export function walkMessages(
  bytes: Uint8Array,
  start: number,
  end: number,
  visit: (bytes: Uint8Array, start: number, end: number) => void,
): void {
  let offset = start;
  while (offset < end) {
    const stop = messageEnd(bytes, offset, end);
    visit(bytes, offset, stop);
    offset = start + align4(stop - start);
  }
}

/** What goes before the attributes of a netfilter request. */
export interface RequestHeader {
  readonly type: number;
  readonly flags: number;
  /** AF.INET, AF.INET6, or AF.UNSPEC for both. */
  readonly family?: number;
  readonly version?: number;
  readonly resourceId?: number;
}

/** Bytes that a netfilter message with this payload takes; always a multiple of four. */
export function requestLength<T>(codec: Codec<T>, value: T): number {
  return ATTRIBUTES_AT + align4(codec.byteLength(value));
}

/**
 * Writes a whole netfilter message with sequence number 0 and port id 0, which the connection fills in.
 * Returns where it ends.
 */
export function writeRequest<T>(
  target: Uint8Array,
  offset: number,
  header: RequestHeader,
  codec: Codec<T>,
  value: T,
): number {
  const length = requestLength(codec, value);
  writeU32host(target, offset, length);
  writeU16host(target, offset + 4, header.type);
  writeU16host(target, offset + 6, header.flags);
  writeU32host(target, offset + 8, 0);
  writeU32host(target, offset + 12, 0);
  target[offset + 16] = header.family ?? 0;
  target[offset + 17] = header.version ?? 0;
  writeU16be(target, offset + 18, header.resourceId ?? 0);
  codec.encode(value, target, offset + ATTRIBUTES_AT);
  return offset + length;
}

/** A whole netfilter message in a buffer of its own. */
export function encodeRequest<T>(header: RequestHeader, codec: Codec<T>, value: T): Uint8Array {
  const bytes = new Uint8Array(requestLength(codec, value));
  writeRequest(bytes, 0, header, codec, value);
  return bytes;
}

/** Messages one behind the other in one buffer, as a datagram or a pipeline holds them. */
export function concatenated(messages: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(messages.reduce((length, message) => length + message.length, 0));
  let offset = 0;
  for (const message of messages) {
    whole.set(message, offset);
    offset += message.length;
  }
  return whole;
}
