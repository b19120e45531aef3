import { hostIsLittleEndian } from '../nfnetlink/bytes.ts';
import { ARPHRD } from './constants.ts';

/** One netlink datagram of a capture file. */
export interface CapturedDatagram {
  /** Nanoseconds since 1970; undefined where the file tells no time (simple packet blocks). */
  readonly time: bigint | undefined;
  /** The netlink family: 12 NETLINK_NETFILTER, 0 NETLINK_ROUTE. */
  readonly protocol: number;
  /** The datagram's messages. Valid until the next datagram is asked for. */
  readonly bytes: Uint8Array;
  /** How long it was on the wire; more than `bytes.length` where the capture cut it. */
  readonly originalLength: number;
  /** How many datagrams before this one are missing, by what the file says. */
  readonly lost: number;
  /** What somebody has noted about it. */
  readonly comments: readonly string[];
  /** Where its block begins in the file. */
  readonly offset: number;
}

/** What a block says about its packet. */
export interface PacketFacts {
  readonly time: bigint | undefined;
  readonly offset: number;
  readonly lost: number;
  readonly comments: readonly string[];
}

/**
 * The header in front of each datagram, in network order: two bytes that mean nothing (nlmon devices say of every
 * datagram that it goes out), u16 hardware type, ten more, u16 netlink family.
 * Source: LINKTYPE_NETLINK in the registry of link types.
 */
export const COOKED_HEADER = 16;

/**
 * The datagram in a packet from `start` to `end`; undefined where the packet is none.
 * @param originalLength of the packet, cooked header included
 */
export function datagramOf(
  view: DataView,
  start: number,
  end: number,
  originalLength: number,
  { time, offset, lost, comments }: PacketFacts,
): CapturedDatagram | undefined {
  if (end - start < COOKED_HEADER || view.getUint16(start + 2) !== ARPHRD.NETLINK) return undefined;
  return {
    time,
    protocol: view.getUint16(start + 14),
    bytes: new Uint8Array(view.buffer, view.byteOffset + start + COOKED_HEADER, end - start - COOKED_HEADER),
    originalLength: Math.max(originalLength, end - start) - COOKED_HEADER,
    lost,
    comments,
    offset,
  };
}

/**
 * Whether a datagram's headers are in the byte order that this machine has not: netlink's headers have that of
 * the machine on which they were captured, and no file says which. Told by the length of the first message.
 */
export function isOtherByteOrder(bytes: Uint8Array): boolean {
  if (bytes.length < 4) return false;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const distance = (isLittle: boolean) => Math.abs(view.getUint32(0, isLittle) - bytes.length);
  return distance(!hostIsLittleEndian) < distance(hostIsLittleEndian);
}
